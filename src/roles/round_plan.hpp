#pragma once

#include "roles/deployment.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

/// A client that is lost in a round.
struct client_loss {
    static constexpr std::int64_t absent = -1; ///< Before the delivery: it takes no part at all.

    std::uint32_t node = 0;
    std::int64_t before_batch = 0; ///< From 0; the number of batches: after the last one, before the upload.
    bool operator==(const client_loss&) const = default;
};

/// A stage that goes from a lost client to another node of its chain (dropout.policy = repair).
struct takeover {
    std::uint32_t stage = 0; ///< Position in the chain.
    std::uint32_t heir = 0;  ///< Node
    std::int64_t before_batch = 0;
    bool operator==(const takeover&) const = default;
};

/// Batches [first, end) of a round.
struct batch_range {
    std::int64_t first = 0, end = 0;
};

/// What is known of a cluster before it plays a round.
struct cluster_fate {
    bool sits_out = false;           ///< It has no part in this round, or in this turn of it, by the scheme.
    bool plays = true;               ///< False: nothing would come of it, so nothing is sent to it and it does nothing.
    std::vector<client_loss> losses; ///< By batch.
    std::vector<takeover> takeovers; ///< By batch.
    std::optional<std::int64_t> stops_before; ///< A loss that is not repaired: it gives its round up before this batch.

    /// Who holds a stage in a batch.
    std::uint32_t holder(const stage_seat&, std::int64_t batch) const;
    /// The batches in which `node`, which holds the stage at some time, does so.
    /// \param batches of the cluster in a round.
    batch_range held_by(std::uint32_t node, const stage_seat&, std::int64_t batches) const;
    /// False for a client that was lost before the delivery.
    bool present(std::uint32_t node) const;
    bool loses(std::uint32_t node) const;
    bool operator==(const cluster_fate&) const = default;
    static auto parts(auto& self) {
        return std::tie(self.sits_out, self.plays, self.losses, self.takeovers, self.stops_before);
    }
};

/// One round as roles play it.
struct round_plan {
    int round = 0;                   ///< From 1.
    std::vector<cluster_fate> fates; ///< By cluster.
    bool federates = false;          ///< It ends with the edges' average at the cloud.
    /// Samples that each cluster's start point senses; empty where that costs nothing, as in the tensor pass.
    std::vector<std::int64_t> sensed{};

    std::int64_t sensed_by(int cluster) const { return sensed.empty() ? 0 : sensed[static_cast<std::size_t>(cluster)]; }
    const cluster_fate& fate_of(int cluster) const { return fates[static_cast<std::size_t>(cluster)]; }
};

/// Losses that are drawn or scheduled, by cluster: a client that is lost at a part x of the round's n batches finishes
/// the batch in progress, floor(x n), with its cluster. A function of (seed, client, round). \param batches of each
/// cluster in a round.
std::vector<std::vector<client_loss>> draw_dropouts(const scenario&, const topology&,
                                                    const std::vector<std::int64_t>& batches, int round);

/// Stages, by position in the chain, that a node cannot take over.
using refused_takeovers = std::set<std::pair<std::uint32_t, std::uint32_t>>;

/// What losses mean for a cluster. With `repair` a stage goes to the holder of the stage before it, else of the next
/// one that is left; an heir needs a link to both neighbours. A start point cannot be replaced, since it has the
/// samples.
cluster_fate fate_after(const deployment&, int cluster, std::vector<client_loss> losses, const refused_takeovers&);

} // namespace gaisnet
