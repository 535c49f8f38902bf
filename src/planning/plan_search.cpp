#include "planning/plan_search.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/stopwatch.hpp"
#include "base/text.hpp"
#include "network/clustering.hpp"
#include "planning/chain_search.hpp"
#include "planning/cluster_search.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

namespace gaisnet {

namespace {

constexpr int random_plans = 100;

/// Blocks in proportion to a figure of each client, with the largest remainders rounded up.
std::vector<int> in_proportion(const std::vector<double>& figures, int depth) {
    const double sum = std::accumulate(figures.begin(), figures.end(), 0.0);
    std::vector<int> blocks;
    std::vector<std::pair<double, std::size_t>> rest;
    int placed = 0;
    for (std::size_t i = 0; i < figures.size(); ++i) {
        const double exact = depth * figures[i] / sum;
        blocks.push_back(static_cast<int>(exact));
        placed += blocks.back();
        rest.emplace_back(exact - blocks.back(), i);
    }
    std::stable_sort(rest.begin(), rest.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (std::size_t i = 0; placed < depth; ++i, ++placed) {
        ++blocks[rest[i % rest.size()].second];
    }
    return blocks;
}

/// The client with most useful samples becomes the start point of each cluster.
void start_with_most_data(formed_clusters& formed, const plan_judge& judge) {
    for (std::size_t edge = 0; edge < formed.size(); ++edge) {
        for (std::size_t place = 0; place < formed[edge].size(); ++place) {
            auto& clients = formed[edge][place].clients;
            const auto best = std::max_element(clients.begin(), clients.end(), [&](std::size_t a, std::size_t b) {
                const auto useful = [&](std::size_t one) {
                    return judge.useful(static_cast<int>(edge), {{one}, {}, 0}, place);
                };
                return useful(a) < useful(b);
            });
            std::rotate(clients.begin(), best, best + 1);
        }
    }
}

/// One way to play rounds (schedule, micro-batches) with its own judge.
class variant {
public:
    variant(scenario scene, std::shared_ptr<const tuning_method> method, const std::vector<domain_size>& sizes,
            const client_data& data, const network_state& state, const planned_parts& parts,
            const plan_objective& objective)
        : judge_(scene, std::move(method), sizes, data, state)
        , parts_(parts)
        , objective_(objective) {}

    plan_judge& judge() { return judge_; }

    formed_clusters search(const formed_clusters& from, const plan_figures& given, std::uint64_t effort) {
        chain_search chains(judge_, parts_, objective_, given);
        auto out = from;
        const auto most = judge_.plays() + effort;
        for (std::size_t edge = 0; edge < from.size(); ++edge) {
            const auto budget = judge_.plays() + effort / from.size();
            if (parts_.clusters) {
                out[edge] = clusters_of_edge(static_cast<int>(edge), from[edge], chains, given, budget);
                continue;
            }
            for (std::size_t place = 0; place < from[edge].size(); ++place) {
                if (parts_.split || parts_.order || parts_.start || parts_.edge_stage) {
                    out[edge][place] =
                        chains.improve(static_cast<int>(edge), place, from[edge][place], from[edge].size());
                }
            }
        }
        if (!judge_.independent()) {
            out = refined(std::move(out), chains, given, most);
        }
        return out;
    }

private:
    std::vector<formed_cluster> clusters_of_edge(int edge, const std::vector<formed_cluster>& from,
                                                 chain_search& chains, const plan_figures& given,
                                                 std::uint64_t budget) {
        const auto& scene = judge_.scene();
        const auto all = judge_.everybody().clients[static_cast<std::size_t>(edge)].size();
        auto [number, size] = cluster_sizes(scene, edge, all);
        for (const auto& group : from) {
            size = scene.cluster.size > 0 ? size : std::max(size, group.clients.size());
        }
        number = std::max(number, from.size());
        cluster_search search(judge_, chains, parts_, objective_, given, edge, number, size);
        std::vector<formed_cluster> best;
        plan_figures best_figures;
        const auto first = judge_.plays();
        // In a small network starts cost little, and each may end in another place.
        constexpr std::size_t few_clients = 12;
        constexpr int many_starts = 24;
        const auto restarts = static_cast<std::uint64_t>(all <= few_clients ? std::max(scene.plan.restarts, many_starts)
                                                                            : scene.plan.restarts);
        const bool sets = all <= cluster_search::all_sets && number > 1;
        for (std::uint64_t restart = 0; restart < restarts; ++restart) {
            const auto share = first + (budget - first) * (restart + 1) / restarts;
            const auto start = [&] {
                if (restart == 0) {
                    return from;
                }
                return restart == 1 && sets ? search.best_of_sets(first + (budget - first) / 2)
                                            : search.random_start(scene.seed + restart);
            };
            auto some = search.improve(start(), share, scene.seed + restart);
            std::vector<std::vector<const plan_judge::cluster_figures*>> figures(1);
            for (std::size_t place = 0; place < some.size(); ++place) {
                figures[0].push_back(&judge_.alone(edge, place, some[place], number));
            }
            auto its = judge_.together(figures, edge);
            if (best.empty() || better(its, best_figures, objective_, given)) {
                best = std::move(some);
                best_figures = std::move(its);
            }
        }
        return best;
    }

    /// Moves of single chains that make the whole network better, where clusters share a medium: the ledger plays all of
    /// it.
    formed_clusters refined(formed_clusters from, chain_search& chains, const plan_figures& given,
                            std::uint64_t budget) {
        auto best = judge_.figures(from);
        for (bool improved = true; improved;) {
            improved = false;
            for (std::size_t edge = 0; edge < from.size(); ++edge) {
                for (std::size_t place = 0; place < from[edge].size(); ++place) {
                    const auto now = from[edge][place];
                    for (const auto& one : chains.neighbours(now, now.clients)) {
                        if (judge_.plays() >= budget) {
                            return from;
                        }
                        auto other = from;
                        other[edge][place] = one;
                        auto figures = judge_.figures(other);
                        if (better(figures, best, objective_, given)) {
                            from = std::move(other);
                            best = std::move(figures);
                            improved = true;
                        }
                    }
                }
            }
        }
        return from;
    }

    plan_judge judge_;
    planned_parts parts_;
    plan_objective objective_;
};

std::vector<int> divisors(int batch) {
    std::vector<int> out;
    for (int one = 1; one <= batch; ++one) {
        if (batch % one == 0) {
            out.push_back(one);
        }
    }
    return out;
}

/// What is tried beside the forms of chains.
struct way {
    schedule_kind schedule{};
    int micro_batches = 1;
    tuning_settings tuning;
    std::string tuning_name{}; ///< "lora 8"; empty: as given.

    bool same(const way& other) const {
        return schedule == other.schedule && micro_batches == other.micro_batches && tuning_name == other.tuning_name;
    }
};

/// Schedules, micro-batches and tuning methods that are tried, the given ones first.
std::vector<way> ways_of(const scenario& scene, const planned_parts& parts) {
    const auto& train = scene.train;
    std::vector<way> out{{train.schedule, train.micro_batches, scene.tuning, {}}};
    const auto add = [&](schedule_kind schedule, int micro) {
        const way one{schedule, micro, scene.tuning, {}};
        if (std::none_of(out.begin(), out.end(), [&](const way& other) { return other.same(one); })) {
            out.push_back(one);
        }
    };
    const auto micro = parts.micro_batches ? divisors(train.batch) : std::vector{train.micro_batches};
    for (const auto schedule : {schedule_kind::serial, schedule_kind::gpipe, schedule_kind::one_f_one_b}) {
        if (!parts.schedule && schedule != train.schedule) {
            continue;
        }
        for (const int some : schedule == schedule_kind::serial ? std::vector{1} : micro) {
            add(schedule, some);
        }
    }
    const auto schedules = out;
    for (const auto& choice : parts.tuning ? scene.plan.tunings : std::vector<tuning_choice>()) {
        const auto tuning = with_choice(scene, choice);
        for (std::size_t i = 0; i < schedules.size(); ++i) {
            if (tuning == scene.tuning) {
                out[i].tuning_name = choice.name();
                continue;
            }
            out.push_back(schedules[i]);
            out.back().tuning = tuning;
            out.back().tuning_name = choice.name();
        }
    }
    return out;
}

scenario with(const scenario& scene, const way& how) {
    auto out = scene;
    out.train.schedule = how.schedule;
    out.train.micro_batches = how.micro_batches;
    out.tuning = how.tuning;
    return out;
}

/// Best of some random plans: other orders, start points, divisions and clusters, as far as they are to be planned.
formed_clusters random_plan(plan_judge& judge, const planned_parts& parts, const formed_clusters& from,
                            const plan_objective& objective, const plan_figures& given) {
    const auto& scene = judge.scene();
    const auto depth = static_cast<int>(judge.model().depth());
    formed_clusters best;
    plan_figures best_figures;
    for (int trial = 0; trial < random_plans; ++trial) {
        auto some = from;
        for (std::size_t edge = 0; edge < some.size(); ++edge) {
            random_stream stream(scene.seed, "plan.random", std::to_string(edge), static_cast<std::uint32_t>(trial));
            if (parts.clusters) {
                const auto order = stream.permutation(judge.everybody().clients[edge].size());
                std::size_t next = 0;
                for (auto& group : some[edge]) {
                    for (auto& client : group.clients) {
                        client = order[next++];
                    }
                }
            }
            for (auto& group : some[edge]) {
                const auto first = parts.start ? 0U : 1U;
                if (parts.order || parts.start) {
                    auto order = group.clients;
                    const auto shuffled = stream.permutation(order.size() - first);
                    for (std::size_t i = 0; i < shuffled.size(); ++i) {
                        group.clients[first + i] = order[first + shuffled[i]];
                    }
                }
                if (parts.split) {
                    group.blocks.assign(group.clients.size(), 0);
                    for (int block = 0; block < depth; ++block) {
                        const auto who = static_cast<std::size_t>(stream.uniform(0.0, 1.0) *
                                                                  static_cast<double>(group.clients.size()));
                        ++group.blocks[std::min(who, group.clients.size() - 1)];
                    }
                }
            }
        }
        std::vector<std::vector<const plan_judge::cluster_figures*>> by_edge(some.size());
        for (std::size_t edge = 0; edge < some.size(); ++edge) {
            for (std::size_t place = 0; place < some[edge].size(); ++place) {
                by_edge[edge].push_back(
                    &judge.alone(static_cast<int>(edge), place, some[edge][place], some[edge].size()));
            }
        }
        auto figures = judge.together(by_edge);
        if (best.empty() || better(figures, best_figures, objective, given)) {
            best = std::move(some);
            best_figures = std::move(figures);
        }
    }
    return best;
}

formed_clusters with_blocks(formed_clusters formed, const plan_judge& judge,
                            const std::function<double(const device_model&)>& figure) {
    for (std::size_t edge = 0; edge < formed.size(); ++edge) {
        for (auto& group : formed[edge]) {
            std::vector<double> figures;
            for (const auto client : group.clients) {
                figures.push_back(figure(judge.everybody().clients[edge][client].device));
            }
            group.blocks = in_proportion(figures, static_cast<int>(judge.model().depth()));
            group.edge_blocks = 0;
        }
    }
    return formed;
}

[[noreturn]] void refuse(const chosen_plan& plan, plan_judge& judge) {
    if (!plan.planned.obstacle.empty()) {
        throw usage_error("no plan was found that can be formed; the last one: " + plan.planned.obstacle);
    }
    std::string largest;
    std::uint64_t memory = 0;
    for (const auto& clients : judge.everybody().clients) {
        for (const auto& one : clients) {
            if (one.device.memory_bytes > memory) {
                memory = one.device.memory_bytes;
                largest = one.name;
            }
        }
    }
    throw does_not_fit("no plan fits into the clients' memory: the best one lacks " +
                       quantity(plan.planned.excess_bytes, "B") + ", and the largest client, " + largest + ", has " +
                       quantity(static_cast<double>(memory), "B") +
                       "; more device.client.memory, a smaller train.batch, or optimise with edge_stage is accepted");
}

} // namespace

double chosen_plan::gap() const {
    const double value = value_of(planned, objective, given);
    return bound.value > 0.0 && std::isfinite(value) ? value / bound.value - 1.0 : 0.0;
}

bool wants_plan(const scenario& scene) { return parts_to_plan(scene).any() || scene.cluster.start == start_rule::data; }

void apply(const chosen_plan& plan, scenario& scene) {
    scene.cluster.formed = plan.formed;
    scene.cluster.planned = true;
    scene.train.schedule = plan.schedule;
    scene.train.micro_batches = plan.micro_batches;
    scene.tuning = plan.tuning;
}

chosen_plan make_plan(const scenario& scene, std::shared_ptr<const tuning_method> method,
                      const std::vector<domain_size>& sizes, const client_data& data, const network_state& state) {
    const stopwatch watch;
    chosen_plan out;
    out.parts = parts_to_plan(scene);
    out.objective = objective_of(scene);
    out.tuning_is_measured = scene.plan.measure > 0;
    const auto ways = ways_of(scene, out.parts);
    const auto& parts = out.parts;

    variant first(with(scene, ways.front()), method, sizes, data, state, parts, out.objective);
    auto& judge = first.judge();
    auto start = form_clusters(scene, judge.everybody(), state);
    if (scene.cluster.start == start_rule::data) {
        start_with_most_data(start, judge);
    }
    out.given = judge.figures(start);
    out.formed = start;
    out.planned = out.given;
    const auto take = [&](const way& how) {
        out.schedule = how.schedule;
        out.micro_batches = how.micro_batches;
        out.tuning = how.tuning;
    };
    take(ways.front());

    const auto consider = [&](formed_clusters formed, plan_figures figures, const way& how) {
        if (better(figures, out.planned, out.objective, out.given)) {
            out.formed = std::move(formed);
            out.planned = std::move(figures);
            take(how);
        }
    };
    const auto compare = [&](const std::string& name, formed_clusters formed) {
        auto figures = judge.figures(formed);
        out.compared.push_back({name, figures});
        consider(std::move(formed), std::move(figures), ways.front());
    };
    if (parts.split) {
        auto even = start;
        for (auto& edge : even) {
            for (auto& group : edge) {
                group.blocks.clear();
                group.edge_blocks = 0;
            }
        }
        compare("even split", even);
        compare("split by memory", with_blocks(start, judge, [](const device_model& device) {
                    return static_cast<double>(device.memory_bytes);
                }));
        compare("split by speed",
                with_blocks(start, judge, [](const device_model& device) { return device.rate_flop_s; }));
    }
    if (parts.clusters) {
        auto nearest = scene;
        nearest.cluster.policy = "nearest";
        nearest.cluster.formed.clear();
        compare("nearest neighbours", form_clusters(nearest, judge.everybody(), state));
    }
    if (parts.split || parts.order || parts.start || parts.clusters) {
        compare("best of 100 random plans", random_plan(judge, parts, start, out.objective, out.given));
    }
    const auto effort = static_cast<std::uint64_t>(scene.plan.effort);
    std::map<std::string, compared_plan> tunings; // the best plan of each
    for (const auto& how : ways) {
        const bool as_given = how.same(ways.front());
        std::optional<variant> own;
        if (!as_given) {
            const auto scene_of_way = with(scene, how);
            own.emplace(scene_of_way, how.tuning_name.empty() ? method : make_tuning_method(scene_of_way), sizes, data,
                        state, parts, out.objective);
        }
        auto& tried = as_given ? first : *own;
        auto found = tried.search(start, out.given, effort / ways.size());
        auto figures = tried.judge().figures(found);
        if (!how.tuning_name.empty()) {
            const auto [known, fresh] = tunings.try_emplace(how.tuning_name, compared_plan{how.tuning_name, figures});
            if (!fresh && better(figures, known->second.figures, out.objective, out.given)) {
                known->second.figures = figures;
            }
        }
        if (as_given || !how.tuning_name.empty()) { // schedules are in the bound of each method
            auto bound = bound_of(tried.judge(), parts, out.objective, out.given, start);
            if (as_given || bound.value < out.bound.value) {
                out.bound = std::move(bound);
            }
        }
        consider(std::move(found), std::move(figures), how);
        out.plays += as_given ? 0 : tried.judge().plays();
    }
    for (const auto& [name, plan] : out.tuning_is_measured ? decltype(tunings)() : tunings) {
        out.compared.push_back(plan);
    }
    out.plays += judge.plays();
    if (!out.planned.fits()) {
        refuse(out, judge);
    }
    for (std::size_t edge = 0; edge < out.formed.size(); ++edge) {
        const auto& clients = judge.everybody().clients[edge];
        for (std::size_t client = 0; client < clients.size(); ++client) {
            const bool taken = std::any_of(out.formed[edge].begin(), out.formed[edge].end(), [&](const auto& group) {
                return std::find(group.clients.begin(), group.clients.end(), client) != group.clients.end();
            });
            if (!taken) {
                out.left_out.push_back(clients[client].name);
            }
        }
    }
    out.seconds = watch.seconds();
    return out;
}

} // namespace gaisnet
