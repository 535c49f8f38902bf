#pragma once

#include "planning/plan_judge.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// What no plan can be better than.
struct plan_bound {
    double value = 0;  ///< In the objective's units; 0: nothing is known.
    std::string words; ///< What it rests on.
};

/// A bound from a relaxation. Latency: every sample's forward and backward from the first tunable block on follows the
/// one before, on the fastest client that may take part; and all work of a round is done by all of them (and the edge, if
/// it may hold blocks) without a pause. Of up to 12 clients on links of fixed rates, in a serial schedule, the start point
/// does all but the head itself, or each batch takes the best of its hops. The first tunable modules go to the client with
/// the best links before, and back after that. Energy: all work at the client that needs least for it, and nobody idles.
/// Spectrum: modules on the best links, and no hop. Memory: all weights, in equal parts. Goodput: the samples of the best
/// start points against both bounds of latency. A weighted sum is bounded term by term. There is none where rounds are
/// closed before all clusters have finished, or clients move.
///
/// Requests: each takes at least what it takes in an empty network; and they come through in turn, at the times at which
/// they come, no faster than all clients of a cluster together can compute.
/// \param formed the clusters, whose clients stay what they are unless `parts` has clusters.
plan_bound bound_of(plan_judge&, const planned_parts& parts, const plan_objective&, const plan_figures& given,
                    const formed_clusters& formed);

} // namespace gaisnet
