#pragma once

#include "roles/deployment.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

/// The loss of a client in a round.
struct client_loss {
    static constexpr std::int64_t absent = -1; ///< Before the delivery: the client takes no part.

    std::uint32_t node = 0;
    std::int64_t before_batch = 0; ///< From 0; the number of batches means after the last batch, before the upload.
    bool operator==(const client_loss&) const = default;
};

/// The transfer of a stage from a lost client to another node of its chain (dropout.policy = repair).
struct takeover {
    std::uint32_t stage = 0; ///< Position in the chain.
    std::uint32_t heir = 0;  ///< The new node.
    std::int64_t before_batch = 0;
    bool operator==(const takeover&) const = default;
};

/// Batches [first, end) of a round.
struct batch_range {
    std::int64_t first = 0, end = 0;
};

/// What is decided about a cluster before it plays a round.
struct cluster_fate {
    bool sits_out = false;                    ///< The scheme gives it no part in this round or turn.
    bool plays = true;                        ///< False: its round would have no result, so it is not played.
    std::vector<client_loss> losses;          ///< Sorted by batch.
    std::vector<takeover> takeovers;          ///< Sorted by batch.
    std::optional<std::int64_t> stops_before; ///< An unrepaired loss: the cluster gives up before this batch.

    /// The node that holds a stage in a batch.
    std::uint32_t holder(const stage_seat&, std::int64_t batch) const;
    /// The batches in which `node`, which holds the stage at some time, does so. \param batches number of the cluster's
    /// batches in a round.
    batch_range held_by(std::uint32_t node, const stage_seat&, std::int64_t batches) const;
    /// Whether a client takes part: false if it was lost before the delivery.
    bool present(std::uint32_t node) const;
    bool loses(std::uint32_t node) const;
    bool operator==(const cluster_fate&) const = default;
    static auto parts(auto& self) {
        return std::tie(self.sits_out, self.plays, self.losses, self.takeovers, self.stops_before);
    }
};

/// One round as the roles play it.
struct round_plan {
    int round = 0;               ///< Starts at 1.
    indexed<cluster_fate> fates; ///< Indexed by cluster.
    bool federates = false;      ///< The round ends with an average at the cloud.
    /// Number of samples that each cluster's start point senses; empty if sensing costs nothing, as in the tensor pass.
    indexed<std::int64_t> sensed{};

    std::int64_t sensed_by(int cluster) const { return sensed.empty() ? 0 : sensed[cluster]; }
    const cluster_fate& fate_of(int cluster) const { return fates[cluster]; }
};

/// Losses that are drawn or scheduled, by cluster. A client that is lost after a fraction x of the round's n batches
/// finishes the current batch, floor(x n), with its cluster. A function of (seed, client, round). \param batches number
/// of batches of each cluster in a round.
std::vector<std::vector<client_loss>> draw_dropouts(const scenario&, const topology&,
                                                    const std::vector<std::int64_t>& batches, int round);

/// Pairs of a stage's position in the chain and a node that cannot take it over.
using refused_takeovers = std::set<std::pair<std::uint32_t, std::uint32_t>>;

/// The effect of losses on a cluster. With `repair` a stage goes to the holder of the previous stage, otherwise to that
/// of the next remaining one; the heir needs a link to both neighbours. A start point cannot be replaced, since it has
/// the samples.
cluster_fate fate_after(const deployment&, int cluster, std::vector<client_loss> losses, const refused_takeovers&);

} // namespace gaisnet
