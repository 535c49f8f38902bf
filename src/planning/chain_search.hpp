#pragma once

#include "planning/chain_model.hpp"
#include "planning/plan_judge.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace gaisnet {

/// Improves single chains: who of some clients is the start point, in which order the others follow, and who holds which
/// blocks. A model proposes, and the ledger judges each proposal with the cluster played alone.
class chain_search {
public:
    chain_search(plan_judge&, const planned_parts&, plan_objective, plan_figures given);

    /// The best chain of these clients that was found. Orders are enumerated for up to `all_orders` clients; for more
    /// they are improved by moves. Then the ledger decides between the proposals, and about single moves of blocks,
    /// clients and, if that is to be planned, blocks of the edge.
    /// \param group as it is; the order matters where it is not to be planned.
    formed_cluster improve(int edge, std::size_t place, const formed_cluster& group, std::size_t sharers);
    /// A good chain behind the first of these clients: the best that the model proposes, improved by single moves.
    formed_cluster best_chain(int edge, std::span<const std::size_t> clients, std::size_t sharers);
    /// What the model proposes for these clients in this order, without the ledger.
    formed_cluster propose(int edge, std::span<const std::size_t> order, std::size_t sharers);

    /// Whether the ledger finds cluster `a` better than `b`.
    bool better_alone(int edge, std::size_t place, const formed_cluster& a, const formed_cluster& b,
                      std::size_t sharers);

    /// What one move makes of a chain: a block to another client or the edge, a client out, in, or in another place.
    /// \param clients that may take part
    std::vector<formed_cluster> neighbours(const formed_cluster&, std::span<const std::size_t> clients) const;

    static constexpr std::size_t all_orders = 8;

private:
    std::vector<formed_cluster> proposals(int edge, const formed_cluster&, bool any_start, std::size_t sharers);
    double per_round(int edge, std::size_t start) const;
    std::vector<int> even_blocks(const formed_cluster&) const;
    std::vector<std::vector<std::size_t>> orders(const formed_cluster&, bool any_start) const;
    formed_cluster climb(int edge, std::size_t place, formed_cluster from, std::span<const std::size_t> clients,
                         std::size_t sharers);

    plan_judge& judge_;
    planned_parts parts_;
    plan_objective objective_;
    plan_figures given_;
    chain_model model_;
};

} // namespace gaisnet
