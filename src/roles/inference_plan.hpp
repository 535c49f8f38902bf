#pragma once

#include "roles/deployment.hpp"
#include "roles/round_plan.hpp"
#include "runtime/request_line.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// A session of inference as roles play it. Every start point requests inference and founds its cluster with its first
/// request; then the edge delivers the missing parts of the model to all members.
struct inference_plan {
    indexed<request_line> lines;       ///< Indexed by cluster.
    bool whole_stages = false;         ///< Also deliver frozen weights.
    std::vector<bool> holds;           ///< Indexed by node: whether it has the current version of the model.
    std::vector<int> cluster_of_stage; ///< By number of a stage (stage_seat::number).
    bool founded = false;              ///< Clusters exist already: this is not the session's first part (see part_of).
    cluster_fate undisturbed;          ///< Fate of every cluster.

    std::int64_t requests_of(int cluster) const { return static_cast<std::int64_t>(lines[cluster].arrivals_s.size()); }
};

/// When the requests of a start point come, s since the start of the session, ascending. \param requests how many (not
/// with a trace). \param session from 1: each has different requests.
std::vector<double> draw_requests(const scenario&, const std::string& requester, std::int64_t requests,
                                  int session = 1);

/// Draws the requests of a scenario. \param requests by cluster, replaces infer.requests (not with a trace); empty: not
/// replaced. \param session from 1: each has different requests. \throws usage_error for a trace that names an unknown
/// client.
inference_plan make_inference_plan(const deployment&, const std::vector<std::int64_t>& requests = {}, int session = 1);

/// The stages for which each client of a cluster must receive modules, in the order of nodes.
struct wanted_modules {
    std::uint32_t node = 0;
    std::vector<const stage_seat*> seats;
};
std::vector<wanted_modules> wanted_in(const deployment&, const inference_plan&, int cluster);

} // namespace gaisnet
