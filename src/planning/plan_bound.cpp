#include "planning/plan_bound.hpp"

#include "base/error.hpp"
#include "model/stage_spec.hpp"
#include "network/clustering.hpp"
#include "planning/chain_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gaisnet {

namespace {

/// Work for one sample, and for one step of the optimiser.
struct work {
    double all = 0;              ///< FLOP a sample: forward, and backward.
    double loop = 0;             ///< The part of it that cannot begin before the step on the sample before,
    double head = 0;             ///< and the head's part of that.
    bool from_embedding = false; ///< The loop begins with the embedding.
    double step = 0;             ///< FLOP
    double embedding = 0;        ///< FLOP a sample, of a frozen embedding, which need not wait for modules.
    double module_bits = 0; ///< Of the first tunable part, which has to come before the loop begins, and go after it.
    double weight_bytes = 0;
};

work work_of(const plan_judge& judge) {
    const auto& scene = judge.scene();
    const auto classes = judge.classes();
    const auto depth = judge.model().depth();
    const auto& method = judge.smallest_method(); // no client tunes less
    const auto whole = whole_model(judge.shared_model(), method, classes);
    work out;
    const bool serves = scene.service == service_kind::inference;
    out.all = whole.forward_flops(1) + (serves ? 0.0 : whole.backward_flops(1));
    out.weight_bytes = 4.0 * static_cast<double>(whole.frozen_elements()) + static_cast<double>(whole.tunable_bytes());
    if (serves) {
        out.loop = out.all;
        out.head = stage_spec(judge.shared_model(), method, classes, {false, depth, 0, true}).forward_flops(1);
        return out;
    }
    out.step = whole.step_flops(scene.train.optimizer);
    std::int64_t first = 0;
    const bool embedding = !method->of_embedding(judge.model()).empty();
    while (!embedding && first < depth && method->of_block(judge.model(), first).empty()) {
        ++first;
    }
    const stage_spec loop(judge.shared_model(), method, classes, {embedding, first, depth - first, true});
    out.loop = loop.forward_flops(1) + loop.backward_flops(1);
    stage_spec head(judge.shared_model(), method, classes, {false, depth, 0, true});
    head.input_gradient = first < depth || embedding;
    out.head = head.forward_flops(1) + head.backward_flops(1);
    out.from_embedding = embedding;
    out.embedding = embedding ? 0.0 : 2.0 * judge.model().embedding_mac();
    const stage_spec part(judge.shared_model(), method, classes,
                          {embedding, first, first < depth ? 1 : 0, first == depth});
    out.module_bits = 8.0 * static_cast<double>(part.tunable_bytes());
    return out;
}

/// What the clients that may take part in a chain have at best.
struct crew {
    double fastest = 0, all_rates = 0;
    double least_joule_a_flop = std::numeric_limits<double>::infinity();
    std::size_t clients = 0;
    double delivery_s = std::numeric_limits<double>::infinity(); ///< Of the modules that have to come first,
    double upload_s = std::numeric_limits<double>::infinity();   ///< and their way back.
};

/// Seconds of `bits` over a link; 0 without the link.
double seconds_over(const network_link* link, double bits) {
    return link == nullptr || !(link->fastest_rate() > 0.0) ? 0.0
                                                            : bits / link->fastest_rate() + link->parameters.latency_s;
}

crew crew_of(plan_judge& judge, const work& some, const planned_parts& parts, std::size_t edge,
             const std::vector<std::size_t>& clients) {
    crew out;
    const auto add = [&](const device_model& device) {
        out.fastest = std::max(out.fastest, device.rate_flop_s);
        out.all_rates += device.rate_flop_s;
        out.least_joule_a_flop = std::min(out.least_joule_a_flop, device.power_w / device.rate_flop_s);
    };
    for (const auto client : clients) {
        add(judge.everybody().clients[edge][client].device);
        try {
            const auto net = judge.network_of(static_cast<int>(edge), {{client}, {}, 0}, 1);
            const auto who = net.clusters[0].clients.front(), station = static_cast<std::uint32_t>(edge);
            out.delivery_s = std::min(out.delivery_s, seconds_over(net.link_between(station, who), some.module_bits));
            out.upload_s = std::min(out.upload_s, seconds_over(net.link_between(who, station), some.module_bits));
        } catch (const usage_error&) { // out of the edge's reach
        }
    }
    if (parts.edge_stage) {
        add(judge.everybody().edges[edge].device);
        out.delivery_s = out.upload_s = 0.0;
    }
    if (!std::isfinite(out.delivery_s + out.upload_s)) {
        out.delivery_s = out.upload_s = 0.0;
    }
    out.clients = clients.size() + (parts.edge_stage ? 1 : 0);
    return out;
}

class bounds {
public:
    bounds(plan_judge& judge, const planned_parts& parts, const formed_clusters& formed)
        : judge_(judge)
        , parts_(parts)
        , formed_(formed)
        , work_(work_of(judge))
        , hops_(judge, {{{plan_metric::latency, 1.0}}, "latency"}, {}) {}

    double of(plan_metric metric) const {
        switch (metric) {
        case plan_metric::latency: return serves() ? latency_of_requests() : latency();
        case plan_metric::energy: return energy();
        case plan_metric::memory: return memory();
        case plan_metric::goodput: return serves() ? 1.0 / requests_a_second() : 1.0 / goodput();
        case plan_metric::spectrum: break;
        }
        return 0.0;
    }

private:
    bool serves() const { return judge_.scene().service == service_kind::inference; }
    /// Batches, and samples with each epoch, of a round.
    double batches_in(std::int64_t samples) const {
        return static_cast<double>(plan_batches(judge_.scene().train, samples).batches_a_round);
    }
    double trained_in(std::int64_t samples) const {
        return static_cast<double>(plan_batches(judge_.scene().train, samples).samples_in_round(1));
    }
    bool pipelined() const {
        return judge_.scene().train.schedule != schedule_kind::serial || parts_.schedule || parts_.micro_batches;
    }
    /// Seconds that a round takes at least, if `start` is the start point.
    double round_s(const crew& some, std::size_t edge, const std::vector<std::size_t>& clients, std::size_t start,
                   std::int64_t samples) const {
        const auto& scene = judge_.scene();
        const double trained = trained_in(samples);
        const double steps = batches_in(samples) * work_.step;
        const double throughput = (trained * work_.all + steps) / some.all_rates;
        const double tuned = (trained * (work_.all - work_.embedding) + steps) / some.all_rates;
        // Of a pipeline only one micro-batch of each batch has to pass all stages in turn.
        const double micro_batches = !pipelined()           ? 1.0
                                     : parts_.micro_batches ? scene.train.batch
                                                            : std::min(scene.train.micro_batches, scene.train.batch);
        const double loop = trained / micro_batches * work_.loop / some.fastest;
        const double hops = pipelined() ? 0.0 : with_hops(some, edge, clients, start, trained);
        const double before = std::max(scene.sense.time * static_cast<double>(samples), some.delivery_s);
        return std::max(throughput, before + std::max({tuned, loop, hops}) + some.upload_s);
    }
    /// Either the start point does all but the head; or others do all, and every batch is sent to them; or the blocks are
    /// divided, and every batch goes there and back between two that follow each other. 0: not known.
    double with_hops(const crew& some, std::size_t edge, const std::vector<std::size_t>& clients, std::size_t start,
                     double trained) const {
        constexpr std::size_t many = 12; // pairs of clients are looked at
        const auto& scene = judge_.scene();
        if (parts_.edge_stage || scene.link.d2d.radio || clients.size() > many) {
            return 0.0;
        }
        const double batches = trained / scene.train.batch; // a batch that is not full counts by its samples
        const double own =
            trained * (work_.loop - work_.head) / judge_.everybody().clients[edge][start].device.rate_flop_s;
        const double loop = trained * work_.loop / some.fastest;
        // What is in the loop is added; what may run ahead only takes its own time.
        const auto beside = [&](double there, double back, bool in_loop) {
            return in_loop ? loop + batches * (there + back) : std::max(loop, batches * there);
        };
        double elsewhere = std::numeric_limits<double>::infinity();
        for (const auto other : clients) {
            if (other != start) {
                const auto none = hops_.over(static_cast<int>(edge), start, other, 0);
                const auto half = hops_.over(static_cast<int>(edge), start, other, 1);
                elsewhere = std::min({elsewhere, beside(none.there, none.back, work_.from_embedding),
                                      beside(half.there, half.back, half.back > 0.0)});
            }
        }
        return std::min(own, elsewhere);
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
                take(crew_of(judge_, work_, parts_, edge, clients), edge, clients, starts, place);
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
        for_each_cluster(
            [&](const crew& some, std::size_t edge, const auto& clients, const auto& starts, std::size_t place) {
                double here = std::numeric_limits<double>::infinity();
                for (const auto start : starts) {
                    here = std::min(here, round_s(some, edge, clients, start,
                                                  judge_.samples(static_cast<int>(edge), {{start}, {}, 0}, place)));
                }
                slowest = std::max(slowest, here);
                fastest = std::min(fastest, here);
            });
        return parts_.clusters ? fastest : slowest; // a plan may form fewer clusters
    }
    /// Seconds that a request takes at least, in an empty network: the start point does all of it; or all but the head; or
    /// smashed data goes to others, and the result comes back.
    double alone_s(const crew& some, std::size_t edge, const std::vector<std::size_t>& clients,
                   std::size_t start) const {
        constexpr std::size_t many = 12; // pairs of clients are looked at
        const auto& device = judge_.everybody().clients[edge][start].device;
        const auto& link = judge_.scene().link.d2d;
        if (parts_.edge_stage || link.radio || link.trace || clients.size() > many) {
            return device.sense_time_s + work_.all / some.fastest;
        }
        double out = work_.all / device.rate_flop_s;
        const auto place = static_cast<int>(edge), depth = static_cast<int>(judge_.model().depth());
        double back = std::numeric_limits<double>::infinity(), there = back, head = back;
        for (const auto other : clients) {
            if (other != start) {
                there = std::min({there, hops_.over(place, start, other, 0).there,
                                  depth > 1 ? hops_.over(place, start, other, 1).there : there});
                head = std::min(head, hops_.over(place, start, other, depth).there);
                back = std::min(back, hops_.result_over(place, other, start));
            }
        }
        out = std::min({out, there + work_.all / some.fastest + back,
                        (work_.all - work_.head) / device.rate_flop_s + head + back});
        return device.sense_time_s + out;
    }
    /// Of a cluster's requests, as if all its clients together were one device, which takes them in turn. Equal requests
    /// are answered by no set of devices sooner, the first one, the second one, and so on.
    struct session {
        double requests = 0, mean_s = 0, last_s = 0; ///< last_s: until all are answered.
    };
    session session_of(const crew& some, std::size_t edge, const std::vector<std::size_t>& clients, std::size_t start,
                       std::size_t place) const {
        const auto times = judge_.requests(static_cast<int>(edge), start, place);
        const double least = alone_s(some, edge, clients, start);
        session out;
        double free = 0.0;
        for (const double time : times) {
            free = std::max(free, time) + work_.all / some.all_rates;
            const double took = std::max(free - time, least);
            out.mean_s += took / static_cast<double>(times.size());
            out.last_s = std::max(out.last_s, time + took);
        }
        out.requests = static_cast<double>(times.size());
        return out;
    }
    /// Calls `take(session)` for each cluster, with the best figures of all its start points.
    template <typename Take>
    void for_each_session(const Take& take) const {
        for_each_cluster(
            [&](const crew& some, std::size_t edge, const auto& clients, const auto& starts, std::size_t place) {
                session best{0.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
                for (const auto start : starts) {
                    const auto one = session_of(some, edge, clients, start, place);
                    best = {std::max(best.requests, one.requests), std::min(best.mean_s, one.mean_s),
                            std::min(best.last_s, one.last_s)};
                }
                take(best);
            });
    }
    double latency_of_requests() const {
        double sum = 0.0, all = 0.0;
        for_each_session([&](const session& one) {
            sum += one.requests * one.mean_s;
            all += one.requests;
        });
        return all > 0.0 ? sum / all : 0.0;
    }
    double requests_a_second() const {
        double all = 0.0, end = 0.0;
        for_each_session([&](const session& one) {
            all += one.requests;
            end = std::max(end, one.last_s);
        });
        return end > 0.0 ? all / end : std::numeric_limits<double>::infinity();
    }
    double energy() const {
        double sum = 0.0, least = std::numeric_limits<double>::infinity();
        for_each_cluster([&](const crew& some, std::size_t edge, const auto&, const auto& starts, std::size_t place) {
            const auto samples = fewest_samples(edge, starts, place);
            const double flops =
                serves() ? work_.all : trained_in(samples) * work_.all + batches_in(samples) * work_.step;
            const double here = flops * some.least_joule_a_flop;
            sum += here;
            least = std::min(least, here);
        });
        return parts_.clusters || serves() ? least : sum; // of a request: in the cluster that needs least
    }
    double memory() const {
        double most = 0.0;
        for_each_cluster([&](const crew& some, std::size_t, const auto&, const auto&, std::size_t) {
            most = std::max(most, work_.weight_bytes / static_cast<double>(some.clients));
        });
        return parts_.clusters || parts_.edge_stage ? 0.0 : most;
    }
    /// Useful samples a second at most: a sum over clusters of each one's own bound, and what all clients together can
    /// compute.
    double goodput() const {
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
            const auto all = crew_of(judge_, work_, parts_, edge, members);
            std::vector<double> each; // useful samples a second of a cluster with this start point
            double best_a_flop = 0.0;
            for (std::size_t place = 0; place < formed_[edge].size(); ++place) {
                const auto& own = formed_[edge][place].clients;
                const auto& starts = parts_.clusters ? members : parts_.start ? own : std::vector{own.front()};
                const auto some = crew_of(judge_, work_, parts_, edge, parts_.clusters ? members : own);
                double best = 0.0;
                for (const auto start : starts) {
                    const formed_cluster alone{{start}, {}, 0};
                    const auto samples = judge_.samples(static_cast<int>(edge), alone, place);
                    const double useful = judge_.useful(static_cast<int>(edge), alone, place);
                    const double rate = useful / round_s(some, edge, parts_.clusters ? members : own, start, samples);
                    best_a_flop = std::max(
                        best_a_flop, useful / (trained_in(samples) * work_.all + batches_in(samples) * work_.step));
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
            // As many clusters as there may be, with the best start points.
            const auto number =
                parts_.clusters ? std::max(formed_[edge].size(),
                                           cluster_sizes(judge_.scene(), static_cast<int>(edge), members.size()).first)
                                : each.size();
            std::sort(each.rbegin(), each.rend());
            each.resize(std::min(number, each.size()));
            double sum = 0.0;
            for (const double rate : each) {
                sum += rate;
            }
            of_all += std::min(sum, best_a_flop * all.all_rates);
        }
        return of_all;
    }

    plan_judge& judge_;
    planned_parts parts_;
    const formed_clusters& formed_;
    work work_;
    mutable chain_model hops_;
};

} // namespace

plan_bound bound_of(plan_judge& judge, const planned_parts& parts, const plan_objective& objective,
                    const plan_figures& given, const formed_clusters& formed) {
    plan_bound out;
    const bool serves = judge.scene().service == service_kind::inference;
    if (!serves && (judge.scene().round.wait != wait_kind::all || judge.scene().mobility.kind != mobility_kind::none)) {
        out.words = "rounds are closed before all have finished, or clients move";
        return out;
    }
    if (serves && judge.scene().model.tells_next_tokens()) {
        out.words = "texts pass the chain once for each token";
        return out;
    }
    auto some = parts;
    for (const auto& edge : formed) { // the edge may hold blocks already
        some.edge_stage = some.edge_stage || std::any_of(edge.begin(), edge.end(),
                                                         [](const auto& group) { return group.edge_blocks > 0; });
    }
    const bounds all(judge, some, formed);
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
    out.words = serves ? "work at the fastest client, at most one hop and the result, and waiting as if a cluster's "
                         "clients were one device"
                       : "work at the fastest clients, the first modules to the nearest one and back, at most one hop";
    return out;
}

} // namespace gaisnet
