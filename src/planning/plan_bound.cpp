#include "planning/plan_bound.hpp"

#include "model/stage_spec.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gaisnet {

namespace {

/// Work for one sample, and for one step of the optimiser.
struct work {
    double all = 0;  ///< FLOP a sample: forward, and backward.
    double loop = 0; ///< The part of it that cannot begin before the step on the sample before.
    double step = 0; ///< FLOP
    double module_bytes = 0, weight_bytes = 0;
};

work work_of(const plan_judge& judge) {
    const auto& scene = judge.scene();
    constexpr std::int64_t classes = 2;
    const auto depth = judge.model().depth();
    const auto whole = whole_model(judge.shared_model(), judge.method(), classes);
    work out;
    const bool serves = scene.service == service_kind::inference;
    out.all = whole.forward_flops(1) + (serves ? 0.0 : whole.backward_flops(1));
    out.module_bytes = static_cast<double>(whole.tunable_bytes());
    out.weight_bytes = 4.0 * static_cast<double>(whole.frozen_elements()) + out.module_bytes;
    if (serves) {
        out.loop = out.all;
        return out;
    }
    out.step = whole.step_flops(scene.train.optimizer);
    std::int64_t first = 0;
    const bool embedding = !judge.method()->of_embedding(judge.model()).empty();
    while (!embedding && first < depth && judge.method()->of_block(judge.model(), first).empty()) {
        ++first;
    }
    const stage_spec loop(judge.shared_model(), judge.method(), classes, {embedding, first, depth - first, true});
    out.loop = loop.forward_flops(1) + loop.backward_flops(1);
    return out;
}

/// What the clients that may take part in a chain have at best.
struct crew {
    double fastest = 0, all_rates = 0;
    double least_joule_a_flop = std::numeric_limits<double>::infinity();
    std::size_t clients = 0;
};

crew crew_of(const plan_judge& judge, const planned_parts& parts, std::size_t edge,
             const std::vector<std::size_t>& clients) {
    crew out;
    const auto add = [&](const device_model& device) {
        out.fastest = std::max(out.fastest, device.rate_flop_s);
        out.all_rates += device.rate_flop_s;
        out.least_joule_a_flop = std::min(out.least_joule_a_flop, device.power_w / device.rate_flop_s);
    };
    for (const auto client : clients) {
        add(judge.everybody().clients[edge][client].device);
    }
    if (parts.edge_stage) {
        add(judge.everybody().edges[edge].device);
    }
    out.clients = clients.size() + (parts.edge_stage ? 1 : 0);
    return out;
}

double batches_of(const scenario& scene, std::int64_t samples) {
    const auto& train = scene.train;
    return train.steps > 0 ? train.steps
                           : static_cast<double>(train.epochs) * std::ceil(static_cast<double>(samples) / train.batch);
}

double samples_of_round(const scenario& scene, std::int64_t samples) {
    return scene.train.steps > 0 ? std::min<double>(scene.train.steps * scene.train.batch,
                                                    static_cast<double>(samples) * scene.train.steps)
                                 : static_cast<double>(scene.train.epochs) * static_cast<double>(samples);
}

class bounds {
public:
    bounds(plan_judge& judge, const planned_parts& parts, const formed_clusters& formed)
        : judge_(judge)
        , parts_(parts)
        , formed_(formed)
        , work_(work_of(judge)) {}

    double of(plan_metric metric) const {
        switch (metric) {
        case plan_metric::latency: return latency();
        case plan_metric::energy: return energy();
        case plan_metric::memory: return memory();
        case plan_metric::goodput: return 1.0 / goodput();
        case plan_metric::spectrum: break;
        }
        return 0.0;
    }

private:
    bool serves() const { return judge_.scene().service == service_kind::inference; }
    bool pipelined() const {
        return judge_.scene().train.schedule != schedule_kind::serial || parts_.schedule || parts_.micro_batches;
    }
    /// Seconds that a round of `samples` samples takes at least.
    double round_s(const crew& some, std::int64_t samples) const {
        const auto& scene = judge_.scene();
        if (serves()) {
            return work_.all / some.fastest;
        }
        const double trained = samples_of_round(scene, samples);
        const double throughput = (trained * work_.all + batches_of(scene, samples) * work_.step) / some.all_rates;
        return std::max(throughput, pipelined() ? 0.0 : trained * work_.loop / some.fastest);
    }
    std::vector<std::size_t> everybody(std::size_t edge) const {
        std::vector<std::size_t> all(judge_.everybody().clients[edge].size());
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i] = i;
        }
        return all;
    }
    /// Calls `take(crew, clients that may be the start point, place)` for each cluster.
    template <typename Take>
    void for_each_cluster(const Take& take) const {
        for (std::size_t edge = 0; edge < formed_.size(); ++edge) {
            for (std::size_t place = 0; place < formed_[edge].size(); ++place) {
                const auto clients = parts_.clusters ? everybody(edge) : formed_[edge][place].clients;
                const auto starts = parts_.start ? clients : std::vector{clients.front()};
                take(crew_of(judge_, parts_, edge, clients), edge, starts, place);
            }
        }
    }
    std::int64_t fewest_samples(std::size_t edge, const std::vector<std::size_t>& starts, std::size_t place) const {
        auto least = std::numeric_limits<std::int64_t>::max();
        for (const auto start : starts) {
            least = std::min(least, judge_.samples(static_cast<int>(edge), {{start}, {}, 0}, place));
        }
        return least;
    }
    double latency() const {
        double slowest = 0.0, fastest = std::numeric_limits<double>::infinity();
        for_each_cluster([&](const crew& some, std::size_t edge, const auto& starts, std::size_t place) {
            const double here = round_s(some, fewest_samples(edge, starts, place));
            slowest = std::max(slowest, here);
            fastest = std::min(fastest, here);
        });
        return serves() || parts_.clusters ? fastest : slowest; // a plan may form fewer clusters
    }
    double energy() const {
        double sum = 0.0, least = std::numeric_limits<double>::infinity();
        for_each_cluster([&](const crew& some, std::size_t edge, const auto& starts, std::size_t place) {
            const auto samples = fewest_samples(edge, starts, place);
            const auto& scene = judge_.scene();
            const double flops =
                serves() ? work_.all * static_cast<double>(scene.infer.requests)
                         : samples_of_round(scene, samples) * work_.all + batches_of(scene, samples) * work_.step;
            const double here = flops * some.least_joule_a_flop;
            sum += here;
            least = std::min(least, here);
        });
        return parts_.clusters ? least : sum;
    }
    double memory() const {
        double most = 0.0;
        for_each_cluster([&](const crew& some, std::size_t, const auto&, std::size_t) {
            most = std::max(most, work_.weight_bytes / static_cast<double>(some.clients));
        });
        return parts_.clusters || parts_.edge_stage ? 0.0 : most;
    }
    /// Useful samples a second at most: a sum over clusters of each one's own bound, and what all clients together can
    /// compute.
    double goodput() const {
        if (serves()) {
            return std::numeric_limits<double>::infinity();
        }
        double of_all = 0.0;
        for (std::size_t edge = 0; edge < formed_.size(); ++edge) {
            std::vector<std::size_t> members;
            if (parts_.clusters) {
                members = everybody(edge);
            } else {
                for (const auto& group : formed_[edge]) {
                    members.insert(members.end(), group.clients.begin(), group.clients.end());
                }
            }
            const auto all = crew_of(judge_, parts_, edge, members);
            std::vector<double> each; // useful samples a second of a cluster with this start point
            double best_a_flop = 0.0;
            for (std::size_t place = 0; place < formed_[edge].size(); ++place) {
                const auto& own = formed_[edge][place].clients;
                const auto& starts = parts_.clusters ? members : parts_.start ? own : std::vector{own.front()};
                const auto some = crew_of(judge_, parts_, edge, parts_.clusters ? members : own);
                double best = 0.0;
                for (const auto start : starts) {
                    const formed_cluster alone{{start}, {}, 0};
                    const auto samples = judge_.samples(static_cast<int>(edge), alone, place);
                    const double useful = judge_.useful(static_cast<int>(edge), alone, place);
                    const double rate = useful / round_s(some, samples);
                    const auto& scene = judge_.scene();
                    best_a_flop = std::max(best_a_flop, useful / (samples_of_round(scene, samples) * work_.all +
                                                                  batches_of(scene, samples) * work_.step));
                    if (parts_.clusters) {
                        each.push_back(rate);
                    }
                    best = std::max(best, rate);
                }
                if (parts_.clusters) {
                    break; // all clients were start points
                }
                each.push_back(best);
            }
            double sum = 0.0;
            for (const double rate : each) {
                sum += rate;
            }
            of_all += std::min(sum, best_a_flop * all.all_rates);
        }
        return of_all;
    }

    plan_judge& judge_;
    const planned_parts& parts_;
    const formed_clusters& formed_;
    work work_;
};

} // namespace

plan_bound bound_of(plan_judge& judge, const planned_parts& parts, const plan_objective& objective,
                    const plan_figures& given, const formed_clusters& formed) {
    const bounds all(judge, parts, formed);
    plan_bound out;
    if (objective.weights.size() == 1) {
        out.value = all.of(objective.weights.front().first);
    } else {
        for (const auto& [metric, weight] : objective.weights) {
            const double unit = value_of(given, metric);
            out.value += weight * all.of(metric) / (unit > 0.0 ? unit : 1.0);
        }
    }
    if (!std::isfinite(out.value)) {
        out.value = 0.0;
    }
    out.words = "computing alone, at the fastest clients: no hops, no delivery, no waiting";
    return out;
}

} // namespace gaisnet
