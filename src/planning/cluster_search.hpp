#pragma once

#include "planning/chain_search.hpp"
#include "planning/plan_judge.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace gaisnet {

/// Forms the clusters of one edge: local search by moves (join, leave, swap, reverse, split, merge, another start point)
/// that are accepted when the network becomes better; coalitions of this kind are those of CHEESE (Xu et al. 2024). Only
/// the clusters that a move changes are played again.
class cluster_search {
public:
    /// \param parts what is planned. \param number of clusters. \param size of a cluster, at most
    cluster_search(plan_judge&, chain_search&, const planned_parts&, plan_objective, plan_figures given, int edge,
                   std::size_t number, std::size_t size);

    /// \param from clusters to begin with. \param plays by which the ledger may have been asked in all
    std::vector<formed_cluster> improve(std::vector<formed_cluster> from, std::uint64_t plays, std::uint64_t seed);
    /// The best clusters that the model's chains of all sets of clients make together: for up to `all_sets` clients.
    std::vector<formed_cluster> best_of_sets(std::uint64_t plays);
    static constexpr std::size_t all_sets = 8;
    /// Clusters of random clients in random order, as many as can be formed.
    std::vector<formed_cluster> random_start(std::uint64_t seed);

private:
    struct state {
        std::vector<formed_cluster> clusters;
        std::vector<plan_judge::cluster_figures> figures;
        plan_figures all;
    };
    state judged(std::vector<formed_cluster>);
    /// The state with other clusters at some places; an empty one is left out.
    state changed(const state&, const std::vector<std::pair<std::size_t, formed_cluster>>&);
    plan_figures together(const std::vector<plan_judge::cluster_figures>&) const;
    bool try_one(state&, const std::vector<std::pair<std::size_t, std::vector<std::size_t>>>& orders);
    std::vector<std::size_t> spare(const state&) const;
    void polish(state&, std::uint64_t plays);

    plan_judge& judge_;
    chain_search& chains_;
    chain_search behind_start_; ///< Leaves the start point as it is.
    plan_objective objective_;
    plan_figures given_;
    int edge_;
    std::size_t number_, size_;
};

} // namespace gaisnet
