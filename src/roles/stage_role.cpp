#include "roles/stage_role.hpp"

#include <algorithm>

namespace gaisnet {

std::vector<schedule_step> make_schedule(schedule_kind kind, int micro_batches, std::size_t position,
                                         std::size_t stages) {
    std::vector<schedule_step> steps;
    const int warm_up = kind == schedule_kind::one_f_one_b
                            ? std::min(micro_batches, static_cast<int>(stages - position) - 1)
                            : micro_batches;
    for (int micro = 0; micro < warm_up; ++micro) {
        steps.push_back({true, micro});
    }
    for (int micro = warm_up; micro < micro_batches; ++micro) {
        steps.push_back({true, micro});
        steps.push_back({false, micro - warm_up});
    }
    for (int micro = micro_batches - warm_up; micro < micro_batches; ++micro) {
        steps.push_back({false, micro});
    }
    return steps;
}

std::vector<micro_batch> split_batch(const micro_batch& batch, int parts) {
    std::vector<micro_batch> micros;
    const auto count = std::min<std::int64_t>(parts, batch.count);
    for (std::int64_t i = 0; i < count; ++i) {
        const auto first = batch.count * i / count;
        const auto end = batch.count * (i + 1) / count;
        micros.push_back({batch.epoch, batch.batch, batch.first + first, end - first, batch.of});
    }
    return micros;
}

tensor_view modules_of(const tensor_view& model, const std::vector<const stage_seat*>& seats) {
    auto modules = tensor_view::allocate(delivery_of(seats).shape);
    auto* out = modules.as<float>();
    for (const auto* seat : seats) {
        for (const auto& slice : seat->slices) {
            slice.for_each_row([&](std::int64_t in_model, std::int64_t, std::int64_t elements) {
                out = std::copy_n(model.as<float>() + in_model, elements, out);
            });
        }
    }
    return modules;
}

tensor_view delivery_of(const std::vector<const stage_seat*>& seats, bool with_frozen) {
    std::int64_t elements = 0;
    for (const auto* seat : seats) {
        elements += seat->spec.tunable_elements() + (with_frozen ? seat->spec.frozen_elements() : 0);
    }
    return tensor_view::shape_only({elements});
}

void stage_role::load_modules() {
    if (domain->data && seat->spec.trainable()) {
        executor->load(modules_of(*domain, {seat}));
    }
}

/// Whether labels are sent to a stage: they go along the chain to the stage with the loss, unless that is at the start
/// point.
bool stage_role::labels_travel_to(std::size_t position) const {
    return position > 0 && position < chain().size() && deploy->scene->train.labels == label_route::chain;
}

/// Padding goes along with all tokens of samples, as far as there are blocks.
task<> stage_role::fetch_padding(pass& in, stage_request& work) {
    if (first()) {
        work.padding = executor->padding(work.micro);
    } else if (chain()[seat->position - 1].spec.all_tokens_out) {
        work.padding = co_await recv_from_upstream(in, message_kind::padding);
    }
    if (!last() && seat->spec.all_tokens_out) {
        send_downstream(in, message_kind::padding, work.padding);
    }
}

operation stage_role::recv_from_upstream(pass& in, message_kind kind) {
    return in.recv(me, upstream(), kind, seat->number);
}
operation stage_role::recv_from_downstream(pass& in, message_kind kind) {
    return in.recv(me, downstream(), kind, seat->number);
}
void stage_role::send_upstream(pass& in, message_kind kind, tensor_view tensor) {
    in.send(me, upstream(), kind, std::move(tensor), seat->number - 1);
}
void stage_role::send_downstream(pass& in, message_kind kind, tensor_view tensor) {
    in.send(me, downstream(), kind, std::move(tensor), seat->number + 1);
}

/// Before a batch, the start point tells the edge which clients are lost: one request for each stage that needs a new
/// holder.
void stage_role::announce_losses(pass& in) {
    for (const auto& one : fate_->losses) {
        if (one.before_batch == batch_) {
            in.lose(me, one.node);
        }
    }
    for (const auto& one : fate_->takeovers) {
        if (one.before_batch == batch_) {
            in.send(me, edge(), message_kind::request, deploy->request());
        }
    }
}

task<> stage_role::train_round(pass& in, const round_plan& round) {
    co_await in.enter(me);
    fate_ = &round.fate_of(seat->cluster);
    const auto whole = plan().batches_a_round;
    const auto mine = fate_->held_by(me.node, *seat, whole);
    for (batch_ = mine.first; batch_ < mine.end; ++batch_) {
        me.batch = batch_;
        const auto index = (round.round - 1) * whole + batch_;
        if (first()) {
            announce_losses(in);
            in.begin_batch(me);
        }
        co_await train_batch(in, plan().batch_at(index), deploy->learning_rate(seat->cluster, index),
                             batch_ + 1 == whole && !fate_->stops_before);
    }
    if (first()) {
        announce_losses(in);
    }
    if (fate_->stops_before) {
        if (first()) {
            in.abandon(me);
        }
    } else if (seat->spec.trainable() && fate_->holder(*seat, whole) == me.node) {
        in.contribute(me,
                      {edge(), seat->contribution, &seat->slices, executor->unload(), plan().samples, seat->cluster});
    }
    in.leave(me);
}

task<> stage_role::take_over(pass& in, const round_plan& round) {
    if (seat->spec.trainable()) {
        co_await in.recv(me, edge(), message_kind::modules, seat->number);
        load_modules();
    }
    co_await train_round(in, round);
}

compute_cost stage_role::cost_of(const stage_request& work) const {
    const auto& spec = seat->spec;
    const auto speed = measured(seat->measured.forward);
    if (work.operation == stage_operation::infer) {
        const auto count = work.micro.count;
        return {event_kind::forward, spec.forward_flops(count), 0, spec.inference_bytes(count), speed};
    }
    return {.kind = event_kind::forward,
            .flops = spec.step_flops(work.text),
            .workspace_bytes = spec.step_bytes(work.text),
            .rate_flop_s = speed,
            .caches_bytes = spec.cached_bytes(work.text),
            .drops_bytes = work.text.last ? spec.cached_so_far(work.text) : 0};
}

task<> stage_role::infer(pass& in, const inference_plan& session) {
    co_await in.enter(me);
    fate_ = &session.undisturbed;
    const auto& line = session.lines[seat->cluster];
    for (auto left = session.requests_of(seat->cluster); left > 0;) {
        ++me.batch;
        stage_request work{.operation = line.texts.empty() ? stage_operation::infer : stage_operation::generate};
        if (first()) {
            work.micro = co_await in.take_batch(me);
        }
        if (seat->spec.pads()) {
            co_await fetch_padding(in, work);
        }
        if (!first()) {
            work.input = co_await recv_from_upstream(in, message_kind::forward);
        }
        work.micro = in.batch_of(me);
        if (!line.texts.empty()) {
            work.text = line.step(work.micro.first, work.micro.token);
            if (const auto last_token = told.find(work.micro.first); last_token != told.end()) {
                work.input = std::move(last_token->second);
                told.erase(last_token);
            }
        }
        const auto answered = line.answers(work.micro.first, work.micro.token) ? work.micro.count : 0;
        const auto cost = cost_of(work);
        auto output = co_await in.compute(me, cost, *executor, std::move(work));
        if (last()) {
            in.send(me, chain().front().node, message_kind::result, std::move(output), chain().front().number);
        } else {
            send_downstream(in, message_kind::forward, std::move(output));
        }
        left -= answered;
    }
    in.leave(me);
}

task<> stage_role::train_batch(pass& in, micro_batch batch, double learning_rate, bool last_of_round) {
    const auto micros = split_batch(batch, in.micro_batches(deploy->scene->train.micro_batches));
    const auto schedule =
        make_schedule(deploy->scene->train.schedule, static_cast<int>(micros.size()), seat->position, chain().size());
    for (const auto& step : schedule) {
        const auto& micro = micros[static_cast<std::size_t>(step.micro)];
        if (step.forward) {
            co_await forward(in, micro);
        } else if (seat->spec.runs_backward()) {
            co_await backward(in, micro);
        }
    }
    // A cluster works on one batch at a time. A stage that receives no gradient learns from its neighbour that the
    // batch is done. This signal is part of the schedule and costs nothing.
    if (!last() && !seat->spec.runs_backward() && !last_of_round) {
        co_await recv_from_downstream(in, message_kind::control);
    }
    if (!first() && !chain()[seat->position - 1].spec.runs_backward() && !last_of_round) {
        send_upstream(in, message_kind::control, {});
    }
    if (seat->spec.trainable()) {
        compute_cost cost{event_kind::step, seat->spec.step_flops(deploy->scene->train.optimizer), 0, 0,
                          measured(seat->measured.step)};
        stage_request work{.operation = stage_operation::step, .micro = batch, .learning_rate = learning_rate};
        co_await in.compute(me, cost, *executor, std::move(work));
    }
}

task<> stage_role::forward(pass& in, micro_batch micro) {
    stage_request work{.operation = stage_operation::forward, .micro = micro};
    if (labels_travel_to(seat->position)) {
        work.labels = co_await recv_from_upstream(in, message_kind::label);
    } else if (last() || labels_travel_to(1)) {
        work.labels = executor->labels(micro);
    }
    if (labels_travel_to(seat->position + 1)) {
        send_downstream(in, message_kind::label, work.labels);
    }
    if (seat->spec.pads()) {
        co_await fetch_padding(in, work);
    }
    if (!first()) {
        work.input = co_await recv_from_upstream(in, message_kind::forward);
    }
    const auto& spec = seat->spec;
    compute_cost cost{event_kind::forward,
                      spec.forward_flops(micro.count),
                      spec.retained_bytes(micro.count),
                      spec.workspace_bytes(micro.count),
                      measured(seat->measured.forward),
                      spec.input_gradient};
    auto output = co_await in.compute(me, cost, *executor, std::move(work));
    if (!last()) {
        send_downstream(in, message_kind::forward, std::move(output));
    }
}

task<> stage_role::backward(pass& in, micro_batch micro) {
    stage_request work{.operation = stage_operation::backward, .micro = micro};
    if (!last()) {
        work.input = co_await recv_from_downstream(in, message_kind::gradient);
    }
    const auto& spec = seat->spec;
    compute_cost cost{event_kind::backward, spec.backward_flops(micro.count), spec.retained_bytes(micro.count),
                      spec.workspace_bytes(micro.count), measured(seat->measured.backward)};
    auto gradient = co_await in.compute(me, cost, *executor, std::move(work));
    if (spec.input_gradient) {
        send_upstream(in, message_kind::gradient, std::move(gradient));
    }
}

} // namespace gaisnet
