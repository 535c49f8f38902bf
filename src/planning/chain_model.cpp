#include "planning/chain_model.hpp"

#include "base/error.hpp"
#include "model/stage_spec.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace gaisnet {

namespace {

constexpr double bits_of_a_byte = 8.0;
constexpr double nothing_fits = std::numeric_limits<double>::infinity();

std::size_t index_of(int depth, int first, int end, bool start, bool head) {
    const auto side = static_cast<std::size_t>(depth + 1);
    return ((static_cast<std::size_t>(first) * side + static_cast<std::size_t>(end)) * 2 + (start ? 1 : 0)) * 2 +
           (head ? 1 : 0);
}

double bits_of(const tensor_view& message) { return bits_of_a_byte * static_cast<double>(message.bytes()); }

} // namespace

chain_model::load chain_model::load_of(const scenario& scene) {
    const auto& infer = scene.infer;
    load out{static_cast<double>(infer.requests), infer.rate, static_cast<double>(infer.batch),
             static_cast<double>(infer.in_flight)};
    if (infer.arrivals == arrival_kind::burst) {
        out.per_second = std::numeric_limits<double>::infinity();
    }
    if (infer.trace) { // the start point with most requests
        out.number = 0.0;
        for (const auto& [client, times] : *infer.trace) {
            if (static_cast<double>(times.size()) > out.number) {
                out.number = static_cast<double>(times.size());
                out.per_second = out.number / times.back();
            }
        }
    }
    out.batch = std::min(out.batch, std::max(out.number, 1.0));
    return out;
}

chain_model::chain_model(plan_judge& judge, plan_objective objective, plan_figures given)
    : judge_(judge)
    , depth_(static_cast<int>(judge.model().depth()))
    , serves_(judge.scene().service == service_kind::inference)
    , load_(load_of(judge.scene())) {
    const auto& scene = judge.scene();
    batch_ = serves_ ? 1.0 : scene.train.batch;
    throughput_ = serves_ && objective.weights.size() == 1 && objective.weights[0].first == plan_metric::goodput;
    micro_batches_ = serves_ || scene.train.schedule == schedule_kind::serial
                         ? 1.0
                         : std::min<double>(scene.train.micro_batches, batch_);
    for (const auto& [metric, weight] : objective.weights) {
        const double unit = value_of(given, metric);
        const double scaled = objective.weights.size() == 1 || !(unit > 0.0) ? weight : weight / unit;
        switch (metric) {
        case plan_metric::latency:
        case plan_metric::goodput:
        case plan_metric::memory: per_second_ += scaled; break;
        case plan_metric::energy: per_joule_ += scaled; break;
        case plan_metric::spectrum: per_hz_s_ += scaled; break;
        }
    }

    for (const auto& clients : judge.everybody().clients) {
        stages_of_.emplace_back(clients.size(), nullptr);
    }
    result_bits_ = serves_ ? bits_of(tensor_view::shape_only({1, plan_judge::fewest_classes})) : 0.0;
    const auto samples = static_cast<std::int64_t>(batch_);
    const auto codec = make_codec(scene);
    for (int first = 0; first <= depth_; ++first) { // what the hop in front of a block carries
        const stage_spec earlier(judge.shared_model(), judge.method(), judge.classes(), {true, 0, first, false});
        stage_spec spec(judge.shared_model(), judge.method(), judge.classes(), {false, first, depth_ - first, true});
        spec.codec = codec;
        forward_bits_.push_back(bits_of(
            first < depth_
                ? spec.sent({samples, judge.model().tokens() + judge.method()->carried_tokens(), judge.model().dim()})
                : spec.sent(spec.pooled_shape(samples))));
        const bool gradients = !serves_ && earlier.trainable() && scene.link.charge_gradients;
        backward_bits_.push_back(gradients ? forward_bits_.back() : 0.0);
    }
}

/// The stages of clients with a method, by index_of().
std::vector<chain_model::stage_costs>
chain_model::costs_with(const std::shared_ptr<const tuning_method>& method) const {
    const auto& scene = judge_.scene();
    const auto samples = static_cast<std::int64_t>(batch_);
    const auto micro = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(batch_ / micro_batches_)));
    const auto codec = make_codec(scene);
    const auto side = static_cast<std::size_t>(depth_ + 1);
    std::vector<stage_costs> all(side * side * 4);
    for (int first = 0; first <= depth_; ++first) {
        const stage_spec earlier(judge_.shared_model(), method, judge_.classes(), {true, 0, first, false});
        for (int end = first; end <= depth_; ++end) {
            for (const bool start : {false, true}) {
                for (const bool head : {false, true}) {
                    if ((start && first > 0) || (head && end < depth_)) {
                        continue;
                    }
                    stage_spec spec(judge_.shared_model(), method, judge_.classes(), {start, first, end - first, head});
                    spec.input_gradient = !start && earlier.trainable();
                    spec.all_tokens_out = end < depth_;
                    spec.codec = codec;
                    auto& out = all[index_of(depth_, first, end, start, head)];
                    const auto tunable = static_cast<double>(spec.tunable_elements());
                    out.flops = spec.forward_flops(samples);
                    out.memory = 4.0 * (static_cast<double>(spec.frozen_elements()) + tunable);
                    if (serves_) {
                        out.memory += static_cast<double>(spec.inference_bytes(static_cast<std::int64_t>(load_.batch)));
                    } else {
                        out.flops += spec.backward_flops(samples) +
                                     (spec.trainable() ? spec.step_flops(scene.train.optimizer) : 0.0);
                        const double states = scene.train.optimizer == optimizer_kind::adamw ? 3.0 : 2.0;
                        out.memory += 4.0 * states * tunable + static_cast<double>(spec.retained_bytes(samples)) +
                                      static_cast<double>(spec.workspace_bytes(micro));
                    }
                }
            }
        }
    }
    return all;
}

const chain_model::stage_costs& chain_model::stage(int edge, std::size_t client, int first, int end, bool start,
                                                   bool head) {
    auto*& stages = stages_of_[static_cast<std::size_t>(edge)][client];
    if (stages == nullptr) {
        const auto& method = judge_.method_of(edge, client);
        auto& known = stages_[method.get()];
        if (known.empty()) {
            known = costs_with(method);
        }
        stages = &known;
    }
    return (*stages)[index_of(depth_, first, end, start, head)];
}

chain_model::cost chain_model::stage_cost(int edge, std::size_t client, int first, int end, bool start, bool head) {
    const auto& device = judge_.everybody().clients[static_cast<std::size_t>(edge)][client].device;
    const double seconds = stage(edge, client, first, end, start, head).flops / device.rate_flop_s;
    return {seconds, seconds * device.power_w, 0.0};
}

bool chain_model::fits(int edge, std::size_t client, int first, int end, bool start, bool head) {
    const auto& device = judge_.everybody().clients[static_cast<std::size_t>(edge)][client].device;
    return stage(edge, client, first, end, start, head).memory <= static_cast<double>(device.memory_bytes);
}

const chain_model::hop& chain_model::link(int edge, std::size_t from, std::size_t to, std::size_t sharers) {
    const auto [place, fresh] = links_.try_emplace({edge, from, to, sharers});
    if (fresh) {
        try {
            const auto net = judge_.network_of(edge, {{from, to}, {}, 0}, sharers);
            const auto& group = net.clusters[0];
            if (const auto* found = net.link_between(group.clients[0], group.clients[1])) {
                const auto& one = found->parameters;
                const auto& sender = net.nodes[one.from].device;
                const auto& receiver = net.nodes[one.to].device;
                place->second = {1.0 / found->rate_bit_s, one.latency_s,
                                 sender.radio.send_w(one.radiated_w) + receiver.radio.receive_w, one.bandwidth_hz,
                                 found->rate_bit_s > 0.0};
            }
        } catch (const usage_error&) { // out of reach
        }
    }
    return place->second;
}

chain_model::cost chain_model::between(const hop& way, double bits) const {
    if (bits <= 0.0) {
        return {};
    }
    if (!way.reached) {
        return {nothing_fits, nothing_fits, nothing_fits};
    }
    const double busy = bits * way.seconds_a_bit;
    return {busy + way.latency_s, busy * way.joule_a_second, busy * way.bandwidth_hz, way.latency_s};
}

chain_model::cost chain_model::hop_cost(int edge, std::size_t from, std::size_t to, int boundary, std::size_t sharers) {
    const auto forward = between(link(edge, from, to, sharers), forward_bits_[static_cast<std::size_t>(boundary)]);
    const auto bits = backward_bits_[static_cast<std::size_t>(boundary)];
    const auto backward = bits > 0.0 ? between(link(edge, to, from, sharers), bits) : cost{};
    return {forward.seconds + backward.seconds, forward.joule + backward.joule, forward.hz_s + backward.hz_s,
            forward.on_the_way + backward.on_the_way};
}

chain_model::cost chain_model::result_cost(int edge, std::size_t from, std::size_t to, std::size_t sharers) {
    return result_bits_ > 0.0 ? between(link(edge, from, to, sharers), result_bits_) : cost{};
}

double chain_model::result_over(int edge, std::size_t from, std::size_t to) {
    return result_cost(edge, from, to, 1).seconds;
}

/// A request's cost with what it waits. \param sum of a request alone. \param slowest seconds of the part that the next
/// request has to wait for.
chain_model::cost chain_model::waited(cost sum, double slowest, double stages) const {
    const double in_flight = load_.in_flight > 0.0 ? load_.in_flight : stages;
    const double working = sum.seconds - sum.on_the_way;
    /// Seconds between two answers, if `batch` requests go together.
    const auto turn = [&](double batch) { return std::max(slowest, (working + sum.on_the_way / batch) / in_flight); };
    // As many as it takes to keep up; what passes through a part in turn gains nothing by going together.
    const double gap = 1.0 / load_.per_second, room = in_flight * gap - working;
    const double batch = slowest < gap && room > 0.0
                             ? std::clamp(std::floor(sum.on_the_way / room) + 1.0, 1.0, load_.batch)
                             : load_.batch;
    const double seconds = turn(batch), busy = seconds / gap;
    if (throughput_) {
        sum.seconds = std::max(seconds, gap);
        return sum;
    }
    const double most = std::sqrt(load_.number); // in a session that ends no queue grows for ever
    const double queue = gap <= 0.0 ? 0.0 : busy < 1.0 ? std::min(0.5 * busy / (1.0 - busy), most) : most;
    const double excess = 0.5 * load_.number * std::max(0.0, seconds - gap);
    sum.seconds = sum.on_the_way + batch * working + queue * batch * seconds + excess;
    return sum;
}

chain_model::hop_seconds chain_model::over(int edge, std::size_t from, std::size_t to, int boundary) {
    const auto seconds = [](const hop& way, double bits) {
        return bits <= 0.0 ? 0.0 : way.reached ? bits * way.seconds_a_bit + way.latency_s : nothing_fits;
    };
    return {seconds(link(edge, from, to, 1), forward_bits_[static_cast<std::size_t>(boundary)]),
            seconds(link(edge, to, from, 1), backward_bits_[static_cast<std::size_t>(boundary)])};
}

double chain_model::weigh(const cost& one) const {
    return (per_second_ > 0.0 ? per_second_ * one.seconds : 0.0) + (per_joule_ > 0.0 ? per_joule_ * one.joule : 0.0) +
           (per_hz_s_ > 0.0 ? per_hz_s_ * one.hz_s : 0.0);
}

/// The cheapest division of which no stage or hop takes longer than `slowest`.
chain_model::proposal chain_model::best(int edge, std::span<const std::size_t> order, std::size_t sharers,
                                        double slowest) {
    const auto clients = order.size();
    const auto side = static_cast<std::size_t>(depth_ + 1);
    // By [client][blocks placed]: what it costs that this client is the last one so far, and from where that came.
    struct state {
        double value = nothing_fits;
        std::size_t before = 0;
        int boundary = 0;
    };
    std::vector<state> table(clients * side);
    const auto at = [&](std::size_t client, int placed) -> state& {
        return table[client * side + static_cast<std::size_t>(placed)];
    };
    const auto part = [&](const cost& one) {
        return one.seconds - (serves_ ? one.on_the_way : 0.0) <= slowest ? weigh(one) : nothing_fits;
    };
    proposal out{{}, {}, nothing_fits};
    /// Takes the chain that ends with the head at a client that holds the blocks from `boundary` on.
    const auto finish = [&](std::size_t client, std::size_t before, int boundary, double value) {
        if (!(value < out.value)) {
            return;
        }
        out = {{order[client]}, {depth_ - boundary}, value};
        for (int placed = boundary; client != 0;) {
            client = before;
            const auto& here = at(client, placed);
            out.clients.push_back(order[client]);
            out.blocks.push_back(client == 0 ? placed : placed - here.boundary);
            placed = here.boundary;
            before = here.before;
        }
        std::reverse(out.clients.begin(), out.clients.end());
        std::reverse(out.blocks.begin(), out.blocks.end());
    };
    for (int end = 0; end <= depth_; ++end) {
        if (fits(edge, order[0], 0, end, true, false)) {
            at(0, end).value = part(stage_cost(edge, order[0], 0, end, true, false));
        }
    }
    /// With its result on the way back.
    const auto returned = [&](std::size_t client) { return part(result_cost(edge, order[client], order[0], sharers)); };
    if (fits(edge, order[0], 0, depth_, true, true)) {
        finish(0, 0, 0, part(stage_cost(edge, order[0], 0, depth_, true, true)));
    }
    for (std::size_t client = 1; client < clients; ++client) {
        for (std::size_t before = 0; before < client; ++before) {
            for (int boundary = 0; boundary <= depth_; ++boundary) {
                double value = at(before, boundary).value;
                if (value < nothing_fits) {
                    value += part(hop_cost(edge, order[before], order[client], boundary, sharers));
                }
                if (!(value < nothing_fits)) {
                    continue;
                }
                for (int end = boundary + 1; end <= depth_ && fits(edge, order[client], boundary, end, false, false);
                     ++end) {
                    const double more = value + part(stage_cost(edge, order[client], boundary, end, false, false));
                    if (more < at(client, end).value) {
                        at(client, end) = {more, before, boundary};
                    }
                }
                if (fits(edge, order[client], boundary, depth_, false, true)) {
                    finish(client, before, boundary,
                           value + part(stage_cost(edge, order[client], boundary, depth_, false, true)) +
                               returned(client));
                }
            }
        }
    }
    return out;
}

std::vector<chain_model::proposal> chain_model::split(int edge, std::span<const std::size_t> order,
                                                      std::size_t sharers) {
    std::vector<proposal> out;
    const auto add = [&](proposal one) {
        const auto is_same = [&](const proposal& other) {
            return other.blocks == one.blocks && other.clients == one.clients;
        };
        if (!one.blocks.empty() && std::none_of(out.begin(), out.end(), is_same)) {
            one.value = value(edge, one.clients, one.blocks, sharers);
            out.push_back(std::move(one));
        }
    };
    add(best(edge, order, sharers, nothing_fits));
    if (micro_batches_ > 1.0 || (serves_ && load_.in_flight != 1.0)) {
        // Bounds on the slowest part: what some client takes for some number of blocks.
        std::vector<double> bounds;
        for (const auto client : order) {
            for (int blocks = 1; blocks <= depth_; ++blocks) {
                bounds.push_back(stage_cost(edge, client, depth_ - blocks, depth_, false, false).seconds * 1.0001);
            }
        }
        std::sort(bounds.begin(), bounds.end());
        constexpr std::size_t most_bounds = 12;
        const auto stride = std::max<std::size_t>(1, bounds.size() / most_bounds);
        for (std::size_t i = 0; i < bounds.size(); i += stride) {
            add(best(edge, order, sharers, bounds[i]));
        }
    }
    std::stable_sort(out.begin(), out.end(), [](const proposal& a, const proposal& b) { return a.value < b.value; });
    return out;
}

double chain_model::value(int edge, std::span<const std::size_t> clients, std::span<const int> blocks,
                          std::size_t sharers) {
    cost sum;
    double slowest = 0.0;
    const auto add = [&](const cost& one) {
        sum.seconds += one.seconds;
        sum.joule += one.joule;
        sum.hz_s += one.hz_s;
        sum.on_the_way += one.on_the_way;
        slowest = std::max(slowest, serves_ ? one.seconds - one.on_the_way : one.seconds);
    };
    double stages = 0.0;
    std::size_t before = 0;
    int placed = 0;
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const bool last = i + 1 == clients.size();
        if (i > 0 && blocks[i] == 0 && !last) {
            continue;
        }
        if (i > 0) {
            add(hop_cost(edge, clients[before], clients[i], placed, sharers));
        }
        add(stage_cost(edge, clients[i], placed, placed + blocks[i], i == 0, last));
        stages += 1.0;
        placed += blocks[i];
        before = i;
    }
    if (serves_) {
        if (before > 0) {
            add(result_cost(edge, clients[before], clients[0], sharers));
        }
        return sum.seconds < nothing_fits ? weigh(waited(sum, slowest, stages)) : nothing_fits;
    }
    if (micro_batches_ > 1.0) {
        sum.seconds = sum.seconds / micro_batches_ + slowest * (micro_batches_ - 1.0) / micro_batches_;
    }
    return weigh(sum);
}

} // namespace gaisnet
