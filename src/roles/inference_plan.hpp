#pragma once

#include "roles/deployment.hpp"
#include "roles/round_plan.hpp"
#include "runtime/request_line.hpp"

#include <cstdint>
#include <vector>

namespace gaisnet {

/// A session of inference as roles play it: every start point is a requester that founds its cluster with its first
/// request; the edge then delivers to the other members, and to it, what they lack of the model.
struct inference_plan {
    std::vector<request_line> lines; ///< By cluster
    bool whole_stages = false;       ///< Frozen weights are delivered too.
    std::vector<bool> holds;         ///< By node: it has the current version of the model.
    bool founded = false;            ///< Clusters are there: this is not the session's first part (see part_of).
    cluster_fate undisturbed;        ///< Of every cluster.

    std::int64_t requests_of(int cluster) const {
        return static_cast<std::int64_t>(lines[static_cast<std::size_t>(cluster)].arrivals_s.size());
    }
};

/// The requests of a scenario, drawn. \param requests by cluster, in place of infer.requests (not with a trace); empty:
/// none. \param session from 1: each has other requests. \throws usage_error for a trace that names an unknown client.
inference_plan make_inference_plan(const deployment&, const std::vector<std::int64_t>& requests = {}, int session = 1);

/// The stages of a cluster's chain that each of its clients has to be sent modules for, in the order of nodes.
struct wanted_modules {
    std::uint32_t node = 0;
    std::vector<const stage_seat*> seats;
};
std::vector<wanted_modules> wanted_in(const deployment&, const inference_plan&, int cluster);

} // namespace gaisnet
