#include "planning/chain_search.hpp"

#include "network/splitting.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace gaisnet {

namespace {

/// Proposals of the model that the ledger judges, and those of them from which it goes on.
constexpr std::size_t judged = 12, climbed = 3;
/// Moves for the worse behind which it looks for better ones.
constexpr std::size_t looked_behind = 8;

/// Without clients that hold nothing: all but the first and the last one have blocks.
formed_cluster without_idle(formed_cluster group) {
    for (std::size_t i = group.clients.size() - 1; i-- > 1;) {
        if (group.blocks[i] == 0) {
            group.clients.erase(group.clients.begin() + static_cast<std::ptrdiff_t>(i));
            group.blocks.erase(group.blocks.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    return group;
}

} // namespace

chain_search::chain_search(plan_judge& judge, const planned_parts& parts, plan_objective objective, plan_figures given)
    : judge_(judge)
    , parts_(parts)
    , objective_(std::move(objective))
    , given_(std::move(given))
    , model_(judge, objective_, given_) {}

bool chain_search::better_alone(int edge, std::size_t place, const formed_cluster& a, const formed_cluster& b,
                                std::size_t sharers) {
    const auto first = judge_.alone(edge, place, a, sharers).own; // a copy: the next call may move it
    return better(first, judge_.alone(edge, place, b, sharers).own, objective_, given_);
}

formed_cluster chain_search::propose(int edge, std::span<const std::size_t> order, std::size_t sharers) {
    if (!parts_.split) {
        return {{order.begin(), order.end()}, {}, 0};
    }
    auto some = model_.split(edge, order, sharers);
    return some.empty() ? formed_cluster{{order.begin(), order.end()}, {}, 0}
                        : formed_cluster{std::move(some.front().clients), std::move(some.front().blocks), 0};
}

/// Orders of the clients that may be taken, at most all_orders!.
std::vector<std::vector<std::size_t>> chain_search::orders(const formed_cluster& group, bool any_start) const {
    std::vector<std::vector<std::size_t>> out{group.clients};
    const auto add_orders = [&](std::vector<std::size_t> clients) {
        if (parts_.order && clients.size() <= all_orders) {
            std::sort(clients.begin() + 1, clients.end());
            do {
                out.push_back(clients);
            } while (std::next_permutation(clients.begin() + 1, clients.end()));
        } else {
            out.push_back(std::move(clients));
        }
    };
    for (std::size_t start = 0; start < (any_start ? group.clients.size() : 1); ++start) {
        auto clients = group.clients;
        std::rotate(clients.begin(), clients.begin() + static_cast<std::ptrdiff_t>(start),
                    clients.begin() + static_cast<std::ptrdiff_t>(start) + 1);
        add_orders(std::move(clients));
    }
    return out;
}

/// The model's best proposals over all orders.
std::vector<formed_cluster> chain_search::proposals(int edge, const formed_cluster& group, bool any_start,
                                                    std::size_t sharers) {
    std::vector<std::pair<double, formed_cluster>> found;
    std::set<std::pair<std::vector<std::size_t>, std::vector<int>>> seen;
    const auto add = [&](double value, formed_cluster one) {
        if (seen.emplace(one.clients, one.blocks).second) {
            found.emplace_back(value, std::move(one));
        }
        constexpr std::size_t room = 4096;
        if (found.size() > room) {
            std::nth_element(found.begin(), found.begin() + judged, found.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
            found.resize(judged);
        }
    };
    for (const auto& order : orders(group, any_start)) {
        if (parts_.split) {
            const double round = per_round(edge, order.front());
            for (auto& one : model_.split(edge, order, sharers)) {
                add(one.value * round, {std::move(one.clients), std::move(one.blocks), 0});
            }
        } else {
            auto one = group;
            one.clients = order;
            const auto blocks = one.blocks.empty() ? even_blocks(one) : one.blocks;
            add(model_.value(edge, order, blocks, sharers) * per_round(edge, order.front()), std::move(one));
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<formed_cluster> out;
    // Some of each start point, since the model may misjudge what one brings.
    std::map<std::size_t, std::size_t> of_start;
    for (auto& [value, one] : found) {
        constexpr std::size_t of_each = 3;
        if (out.size() < judged || of_start[one.clients.front()] < of_each) {
            ++of_start[one.clients.front()];
            out.push_back(std::move(one));
        }
    }
    return out;
}

/// By what the model's value of a batch is multiplied for a round with this start point: batches, a useful sample each
/// for goodput.
double chain_search::per_round(int edge, std::size_t start) const {
    if (!parts_.start || judge_.scene().service == service_kind::inference) {
        return 1.0;
    }
    const formed_cluster alone{{start}, {}, 0};
    const auto batches =
        static_cast<double>(plan_batches(judge_.scene().train, judge_.samples(edge, alone, 0)).batches_a_round);
    const bool goodput = objective_.weights.size() == 1 && objective_.weights[0].first == plan_metric::goodput;
    return goodput ? batches / std::max(judge_.useful(edge, alone, 0), 1e-9) : batches;
}

std::vector<int> chain_search::even_blocks(const formed_cluster& group) const {
    const bool head_at_the_last = judge_.scene().train.labels == label_route::chain;
    return even_split(static_cast<int>(judge_.model().depth()) - group.edge_blocks,
                      static_cast<int>(group.clients.size()), head_at_the_last);
}

std::vector<formed_cluster> chain_search::neighbours(const formed_cluster& group,
                                                     std::span<const std::size_t> clients) const {
    std::vector<formed_cluster> out;
    const auto count = group.clients.size();
    if (parts_.split && !group.blocks.empty()) {
        for (std::size_t from = 0; from < count; ++from) {
            for (int some : {1, group.blocks[from]}) {
                for (std::size_t to = 0; to < count; ++to) {
                    if (to == from || some == 0 || group.blocks[from] == 0) {
                        continue;
                    }
                    auto one = group;
                    one.blocks[from] -= some;
                    one.blocks[to] += some;
                    out.push_back(without_idle(one));
                }
            }
        }
        // The last client gives the head away, together with its blocks.
        if (count > 1) {
            auto one = group;
            one.blocks[count - 2] += one.blocks[count - 1];
            one.blocks.pop_back();
            one.clients.pop_back();
            out.push_back(std::move(one));
        }
        for (const auto more : clients) { // joins with a block or several, or with the head alone
            if (std::find(group.clients.begin(), group.clients.end(), more) != group.clients.end()) {
                continue;
            }
            for (std::size_t place = 1; place <= count; ++place) {
                const auto take = [&](std::size_t from, int some) {
                    auto one = group;
                    one.blocks[from] -= some;
                    one.clients.insert(one.clients.begin() + static_cast<std::ptrdiff_t>(place), more);
                    one.blocks.insert(one.blocks.begin() + static_cast<std::ptrdiff_t>(place), 1, some);
                    out.push_back(without_idle(one));
                };
                for (std::size_t from = 0; from < count; ++from) {
                    if (group.blocks[from] > 0) {
                        take(from, 1);
                    }
                }
                if (place == 1 && group.blocks[0] > 1) { // all blocks of the start point, which stays
                    take(0, group.blocks[0]);
                }
            }
            auto one = group;
            one.clients.push_back(more);
            one.blocks.push_back(0);
            out.push_back(without_idle(one));
            for (std::size_t place = parts_.start ? 0 : 1; place < count; ++place) { // in somebody's place
                one = group;
                one.clients[place] = more;
                out.push_back(std::move(one));
            }
        }
    }
    if (parts_.order || parts_.start) {
        for (std::size_t a = parts_.start ? 0 : 1; a < count; ++a) {
            for (std::size_t b = a + 1; b < count; ++b) {
                if (a > 0 && !parts_.order) {
                    continue;
                }
                auto one = group;
                std::swap(one.clients[a], one.clients[b]);
                out.push_back(one);
                if (!one.blocks.empty()) { // and with their blocks
                    std::swap(one.blocks[a], one.blocks[b]);
                    out.push_back(without_idle(one));
                }
                if (parts_.order && a > 0 && b > a + 1) {
                    one = group;
                    std::reverse(one.clients.begin() + static_cast<std::ptrdiff_t>(a),
                                 one.clients.begin() + static_cast<std::ptrdiff_t>(b) + 1);
                    out.push_back(std::move(one));
                }
            }
        }
    }
    if (parts_.edge_stage && group.blocks.empty()) { // even ones at the clients
        for (int some = 0; some <= static_cast<int>(judge_.model().depth()); ++some) {
            auto one = group;
            one.edge_blocks = some;
            out.push_back(std::move(one));
        }
    }
    if (parts_.edge_stage && !group.blocks.empty()) {
        for (std::size_t from = 0; from < count; ++from) {
            if (group.blocks[from] > 0) {
                auto one = group;
                one.blocks[from] -= 1;
                one.edge_blocks += 1;
                out.push_back(without_idle(one));
            }
            if (group.edge_blocks > 0) {
                auto one = group;
                one.blocks[from] += 1;
                one.edge_blocks -= 1;
                out.push_back(std::move(one));
            }
        }
        if (group.edge_blocks == 0) { // everything but the start point's blocks to the edge
            auto one = group;
            one.edge_blocks = std::accumulate(one.blocks.begin() + 1, one.blocks.end(), 0);
            one.clients.resize(1);
            one.blocks.resize(1);
            if (one.edge_blocks > 0) {
                out.push_back(std::move(one));
            }
        }
    }
    return out;
}

/// Takes the best of all moves until none is better; under an edge of few clients, none of two moves together either, of which the
/// first is among the best that are worse.
formed_cluster chain_search::climb(int edge, std::size_t place, formed_cluster from,
                                   std::span<const std::size_t> clients, std::size_t sharers) {
    for (;;) {
        auto best = from;
        auto around = neighbours(from, clients);
        for (const auto& one : around) {
            if (better_alone(edge, place, one, best, sharers)) {
                best = one;
            }
        }
        if (best == from && judge_.everybody().clients[static_cast<std::size_t>(edge)].size() <= all_orders) {
            const auto first = std::min(looked_behind, around.size());
            std::partial_sort(around.begin(), around.begin() + static_cast<std::ptrdiff_t>(first), around.end(),
                              [&](const auto& a, const auto& b) { return better_alone(edge, place, a, b, sharers); });
            around.resize(first);
            for (const auto& step : around) {
                for (const auto& one : neighbours(step, clients)) {
                    if (better_alone(edge, place, one, best, sharers)) {
                        best = one;
                    }
                }
            }
        }
        if (best == from) {
            return from;
        }
        from = std::move(best);
    }
}

formed_cluster chain_search::best_chain(int edge, std::span<const std::size_t> clients, std::size_t sharers) {
    formed_cluster best{{clients.begin(), clients.end()}, {}, 0};
    for (auto& one : proposals(edge, best, parts_.start, sharers)) {
        if (better_alone(edge, 0, one, best, sharers)) {
            best = std::move(one);
        }
    }
    return climb(edge, 0, std::move(best), clients, sharers);
}

formed_cluster chain_search::improve(int edge, std::size_t place, const formed_cluster& from, std::size_t sharers) {
    auto some = proposals(edge, from, parts_.start, sharers);
    some.push_back(from);
    if (parts_.split && from.blocks.empty()) { // so that moves of blocks have something to move
        some.back().blocks = even_blocks(from);
        some.back() = without_idle(some.back());
    }
    std::vector<std::tuple<double, int, double, std::size_t>> ranks; // what is missing, cut, value, number
    for (std::size_t i = 0; i < some.size(); ++i) {
        const auto& own = judge_.alone(edge, place, some[i], sharers).own;
        ranks.emplace_back(own.obstacle.empty() ? own.excess_bytes : std::numeric_limits<double>::infinity(), own.cut,
                           value_of(own, objective_, given_), i);
    }
    std::sort(ranks.begin(), ranks.end());
    auto best = from;
    for (std::size_t i = 0; i < std::min(climbed, ranks.size()); ++i) {
        auto one = climb(edge, place, some[std::get<3>(ranks[i])], from.clients, sharers);
        if (better_alone(edge, place, one, best, sharers)) {
            best = std::move(one);
        }
    }
    return best;
}

} // namespace gaisnet
