#pragma once

#include "network/scenario.hpp"
#include "network/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// What is known of a cluster before it plays a round.
struct cluster_fate {
    bool plays = true; ///< False: nothing would come of it, so nothing is sent to it and it does nothing.
    /// It loses clients, and with them its round, before this batch of the round (from 0; the number of batches: after
    /// the last one, before the upload).
    std::optional<std::int64_t> stops_before;
    std::vector<std::uint32_t> lost; ///< Nodes that are the reason.

    /// Also before `batch`; the earliest counts.
    void lose(std::uint32_t node, std::int64_t batch);
};

/// One round as roles play it.
struct round_plan {
    int round = 0;                   ///< From 1.
    std::vector<cluster_fate> fates; ///< By cluster.
};

/// Drop-outs that are drawn or scheduled: a client that is lost at a part x of the round's n batches finishes the batch
/// in progress, floor(x n), with its cluster. A function of (seed, client, round).
/// \param batches of each cluster in a round.
std::vector<cluster_fate> draw_dropouts(const scenario&, const topology&, const std::vector<std::int64_t>& batches,
                                        int round);

} // namespace gaisnet
