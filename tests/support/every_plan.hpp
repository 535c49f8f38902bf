#pragma once

// Random small networks, and all plans of them: what a planner is compared with.

#include "planning/plan_search.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace gaisnet::every_plan {

struct instance {
    scenario scene;
    client_data data;
    std::vector<domain_size> sizes{{5, 20}};
};

/// One edge with `clients` clients of very unequal speed, unequal links between all of them, and a model of `depth`
/// blocks. Everything depends on the seed. The scenario forms `clusters` clusters. Schedules alternate.
instance random_instance(std::uint64_t seed, int clients, int depth, int clusters);

/// Every chain of some of the clients: their order, and every division of the blocks in which all but the first and the
/// last client have some. \param edge_blocks whether the edge may hold blocks as well
void for_each_chain(int clients, int depth, bool edge_blocks, const std::function<void(const formed_cluster&)>&);

/// The best plan of all. Chains are played alone, which is exact for clusters that share nothing.
plan_figures best_of_all(plan_judge&, const plan_objective&, int clients, int depth, std::size_t clusters,
                         bool edge_blocks = false);

} // namespace gaisnet::every_plan
