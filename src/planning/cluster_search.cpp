#include "planning/cluster_search.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace gaisnet {

namespace {

/// Neighbours of a client that moves try; the others are too far to be worth a play of the ledger.
constexpr std::size_t near = 6;

planned_parts with_given_starts(planned_parts parts) {
    parts.start = false;
    return parts;
}

} // namespace

cluster_search::cluster_search(plan_judge& judge, chain_search& chains, const planned_parts& parts,
                               plan_objective objective, plan_figures given, int edge, std::size_t number,
                               std::size_t size)
    : judge_(judge)
    , chains_(chains)
    , behind_start_(judge, with_given_starts(parts), objective, given)
    , objective_(std::move(objective))
    , given_(std::move(given))
    , edge_(edge)
    , number_(number)
    , size_(size) {}

plan_figures cluster_search::together(const std::vector<plan_judge::cluster_figures>& figures) const {
    std::vector<std::vector<const plan_judge::cluster_figures*>> by_edge(1);
    for (const auto& one : figures) {
        by_edge[0].push_back(&one);
    }
    return judge_.together(by_edge, edge_);
}

cluster_search::state cluster_search::judged(std::vector<formed_cluster> clusters) {
    state out{std::move(clusters), {}, {}};
    for (std::size_t place = 0; place < out.clusters.size(); ++place) {
        out.figures.push_back(judge_.alone(edge_, place, out.clusters[place], number_));
    }
    out.all = together(out.figures);
    return out;
}

cluster_search::state cluster_search::changed(const state& before,
                                              const std::vector<std::pair<std::size_t, formed_cluster>>& changes) {
    auto out = before;
    for (const auto& [place, group] : changes) {
        if (place == out.clusters.size()) {
            out.clusters.emplace_back();
            out.figures.emplace_back();
        }
        out.clusters[place] = group;
        if (!group.clients.empty()) {
            out.figures[place] = judge_.alone(edge_, place, group, number_);
        }
    }
    for (std::size_t place = out.clusters.size(); place-- > 0;) {
        if (out.clusters[place].clients.empty()) {
            out.clusters.erase(out.clusters.begin() + static_cast<std::ptrdiff_t>(place));
            out.figures.erase(out.figures.begin() + static_cast<std::ptrdiff_t>(place));
        }
    }
    out.all = together(out.figures);
    return out;
}

std::vector<std::size_t> cluster_search::spare(const state& now) const {
    std::vector<bool> taken(judge_.everybody().clients[static_cast<std::size_t>(edge_)].size(), false);
    for (const auto& group : now.clusters) {
        for (const auto client : group.clients) {
            taken[client] = true;
        }
    }
    std::vector<std::size_t> out;
    for (std::size_t client = 0; client < taken.size(); ++client) {
        if (!taken[client]) {
            out.push_back(client);
        }
    }
    return out;
}

/// Forms clusters of these orders at these places; keeps them if the network is better.
bool cluster_search::try_one(state& now, const std::vector<std::pair<std::size_t, std::vector<std::size_t>>>& orders) {
    std::vector<std::pair<std::size_t, formed_cluster>> changes;
    for (const auto& [place, order] : orders) {
        changes.emplace_back(place, order.empty() ? formed_cluster{} : chains_.propose(edge_, order, number_));
    }
    auto next = changed(now, changes);
    if (next.clusters.empty() || !better(next.all, now.all, objective_, given_)) {
        return false;
    }
    now = std::move(next);
    return true;
}

std::vector<formed_cluster> cluster_search::random_start(std::uint64_t seed) {
    const auto all = judge_.everybody().clients[static_cast<std::size_t>(edge_)].size();
    random_stream stream(seed, "plan.start", std::to_string(edge_));
    const auto order = stream.permutation(all);
    std::vector<formed_cluster> out(std::min(number_, all));
    for (std::size_t i = 0; i < all && i < out.size() * size_; ++i) {
        out[i % out.size()].clients.push_back(order[i]);
    }
    for (auto& group : out) {
        group = chains_.propose(edge_, group.clients, number_);
    }
    return out;
}

std::vector<formed_cluster> cluster_search::best_of_sets(std::uint64_t plays) {
    struct proposed {
        unsigned set = 0;
        formed_cluster chain;
        plan_judge::cluster_figures figures;
    };
    const auto all = judge_.everybody().clients[static_cast<std::size_t>(edge_)].size();
    ensure(all <= all_sets, "sets of few clients");
    std::vector<proposed> pool;
    for (unsigned set = 1; set < 1U << all; ++set) {
        std::vector<std::size_t> clients;
        for (std::size_t client = 0; client < all; ++client) {
            if ((set >> client & 1U) != 0) {
                clients.push_back(client);
            }
        }
        for (std::size_t start = 0; start < clients.size() && clients.size() <= size_; ++start) {
            if (judge_.plays() >= plays) {
                break;
            }
            std::swap(clients[0], clients[start]);
            auto chain = behind_start_.best_chain(edge_, clients, number_);
            std::swap(clients[0], clients[start]);
            unsigned taken = 0;
            for (const auto client : chain.clients) {
                taken |= 1U << client;
            }
            if (taken == set) { // else it is that of a smaller set
                const auto& figures = judge_.alone(edge_, 0, chain, number_);
                pool.push_back({set, std::move(chain), figures});
            }
        }
    }
    std::vector<formed_cluster> best, some;
    plan_figures best_figures;
    std::vector<const plan_judge::cluster_figures*> figures;
    const auto add_to = [&](auto& again, std::size_t from, unsigned taken) -> void {
        if (!some.empty()) {
            auto its = judge_.together({figures}, edge_);
            if (best.empty() || better(its, best_figures, objective_, given_)) {
                best = some;
                best_figures = std::move(its);
            }
        }
        for (std::size_t i = from; i < pool.size() && some.size() < number_; ++i) {
            if ((pool[i].set & taken) == 0) {
                some.push_back(pool[i].chain);
                figures.push_back(&pool[i].figures);
                again(again, i + 1, taken | pool[i].set);
                some.pop_back();
                figures.pop_back();
            }
        }
    };
    add_to(add_to, 0, 0);
    return best;
}

std::vector<formed_cluster> cluster_search::improve(std::vector<formed_cluster> from, std::uint64_t plays,
                                                    std::uint64_t seed) {
    for (std::size_t place = 0; place < from.size(); ++place) {
        auto proposed = chains_.propose(edge_, from[place].clients, number_);
        if (chains_.better_alone(edge_, place, proposed, from[place], number_)) {
            from[place] = std::move(proposed);
        }
    }
    auto now = judged(std::move(from));
    const auto& clients = judge_.everybody().clients[static_cast<std::size_t>(edge_)];
    const auto distance = [&](std::size_t a, std::size_t b) {
        const auto one = clients[a].place(judge_.time_s()), other = clients[b].place(judge_.time_s());
        return std::hypot(one.x - other.x, one.y - other.y);
    };
    std::vector<std::vector<std::size_t>> neighbours(clients.size());
    for (std::size_t client = 0; client < clients.size(); ++client) {
        auto& some = neighbours[client];
        for (std::size_t other = 0; other < clients.size(); ++other) {
            if (other != client) {
                some.push_back(other);
            }
        }
        const auto kept = std::min(near, some.size());
        std::partial_sort(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(kept), some.end(),
                          [&](std::size_t a, std::size_t b) { return distance(client, a) < distance(client, b); });
        some.resize(kept);
    }
    std::uint32_t pass = 0;
    for (bool improved = true; improved && judge_.plays() < plays; ++pass) {
        improved = false;
        random_stream stream(seed, "plan.moves", std::to_string(edge_), pass);
        // The slowest cluster first: it decides about the round.
        for (const auto client : stream.permutation(clients.size())) {
            if (judge_.plays() >= plays) {
                break;
            }
            const auto home = std::find_if(now.clusters.begin(), now.clusters.end(), [&](const formed_cluster& group) {
                return std::find(group.clients.begin(), group.clients.end(), client) != group.clients.end();
            });
            const bool is_free = home == now.clusters.end();
            const auto own = static_cast<std::size_t>(home - now.clusters.begin());
            const auto without = [&](const std::vector<std::size_t>& list, std::size_t gone) {
                auto rest = list;
                std::erase(rest, gone);
                return rest;
            };
            const auto rest = is_free ? std::vector<std::size_t>() : without(now.clusters[own].clients, client);
            const auto accept = [&](const std::vector<std::pair<std::size_t, std::vector<std::size_t>>>& orders) {
                const bool taken = try_one(now, orders);
                improved = improved || taken;
                return taken;
            };
            // Leave; found a cluster; become the start point; reverse the chain.
            if (!is_free) {
                if (now.clusters.size() > 1 || !rest.empty()) {
                    if (accept({{own, rest}})) {
                        continue;
                    }
                }
                auto order = rest;
                order.insert(order.begin(), client);
                if (now.clusters[own].clients.front() != client && accept({{own, order}})) {
                    continue;
                }
                order = now.clusters[own].clients;
                std::reverse(order.begin() + 1, order.end());
                if (order.size() > 2 && accept({{own, order}})) {
                    continue;
                }
            }
            if (now.clusters.size() < number_) {
                const bool done = is_free ? accept({{now.clusters.size(), {client}}})
                                          : !rest.empty() && accept({{own, rest}, {now.clusters.size(), {client}}});
                if (done) {
                    continue;
                }
                const auto cut = now.clusters.size() > own ? now.clusters[own].clients : std::vector<std::size_t>();
                const auto at = std::find(cut.begin(), cut.end(), client);
                if (!is_free && at != cut.begin() && at != cut.end() &&
                    accept({{own, {cut.begin(), at}}, {now.clusters.size(), {at, cut.end()}}})) {
                    continue;
                }
            }
            // Join a neighbour's cluster behind or before it; change places with it; take the place of a spare one.
            bool moved = false;
            for (const auto other : neighbours[client]) {
                const auto there = std::find_if(now.clusters.begin(), now.clusters.end(), [&](const auto& group) {
                    return std::find(group.clients.begin(), group.clients.end(), other) != group.clients.end();
                });
                if (moved || judge_.plays() >= plays) {
                    break;
                }
                if (there == now.clusters.end()) {
                    if (!is_free) { // a spare neighbour in its place
                        auto order = now.clusters[own].clients;
                        std::replace(order.begin(), order.end(), client, other);
                        moved = accept({{own, order}});
                    }
                    continue;
                }
                const auto its = static_cast<std::size_t>(there - now.clusters.begin());
                if (its == own) {
                    auto order = now.clusters[own].clients;
                    std::iter_swap(std::find(order.begin(), order.end(), client),
                                   std::find(order.begin(), order.end(), other));
                    moved = accept({{own, order}});
                    continue;
                }
                if (there->clients.size() < size_) {
                    for (const std::ptrdiff_t behind : {1, 0}) {
                        auto order = now.clusters[its].clients;
                        order.insert(std::find(order.begin(), order.end(), other) + behind, client);
                        moved = is_free ? accept({{its, order}}) : accept({{own, rest}, {its, order}});
                        if (moved) {
                            break;
                        }
                    }
                }
                if (!moved && !is_free) {
                    auto mine = now.clusters[own].clients, order = now.clusters[its].clients;
                    std::replace(mine.begin(), mine.end(), client, other);
                    std::replace(order.begin(), order.end(), other, client);
                    moved = accept({{own, mine}, {its, order}});
                    if (!moved && now.clusters[own].clients.size() + now.clusters[its].clients.size() <= size_) {
                        auto joined = now.clusters[its].clients;
                        joined.insert(joined.end(), now.clusters[own].clients.begin(), now.clusters[own].clients.end());
                        moved = accept({{its, joined}, {own, {}}});
                    }
                }
            }
        }
    }
    for (std::size_t place = 0; place < now.clusters.size(); ++place) {
        if (judge_.plays() < plays) {
            auto finer = chains_.improve(edge_, place, now.clusters[place], number_);
            auto next = changed(now, {{place, std::move(finer)}});
            if (better(next.all, now.all, objective_, given_)) {
                now = std::move(next);
            }
        }
    }
    polish(now, plays);
    return now.clusters;
}

/// Single moves of chains, with the spare clients, that make the network better; the best one each time.
void cluster_search::polish(state& now, std::uint64_t plays) {
    for (bool improved = true; improved;) {
        improved = false;
        for (std::size_t place = 0; place < now.clusters.size(); ++place) {
            auto clients = spare(now);
            clients.insert(clients.end(), now.clusters[place].clients.begin(), now.clusters[place].clients.end());
            auto best = now;
            for (auto& one : chains_.neighbours(now.clusters[place], clients)) {
                if (judge_.plays() >= plays) {
                    return;
                }
                auto next = changed(now, {{place, std::move(one)}});
                if (better(next.all, best.all, objective_, given_)) {
                    best = std::move(next);
                }
            }
            if (better(best.all, now.all, objective_, given_)) {
                now = std::move(best);
                improved = true;
            }
        }
    }
}

} // namespace gaisnet
