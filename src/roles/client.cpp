#include "roles/client.hpp"

#include <algorithm>

namespace gaisnet {

bool client_role::trainable() const {
    return std::any_of(stages.begin(), stages.end(), [](const auto& stage) { return stage.seat->spec.trainable(); });
}

void client_role::load() {
    for (auto& stage : stages) {
        stage.load_modules();
    }
}

task<> client_role::play_round(pass& in, const round_plan& plan) {
    std::vector<task<>> work;
    if (trainable() || deploy->brought_to(me.node, plan.round) > 0) {
        work.push_back(take_modules(in));
    }
    if (senses()) {
        work.push_back(sense_samples(in, plan));
    }
    co_await when_all(std::move(work));
    work.clear();
    for (auto& stage : stages) {
        stage.me.cause = me.cause;
        work.push_back(stage.train_round(in, plan));
    }
    for (auto& stage : taken) {
        stage.me.cause = me.cause;
        work.push_back(stage.take_over(in, plan));
    }
    co_await when_all(std::move(work));
}

/// The later of two causes is recorded: the modules have arrived, or the samples have been sensed.
task<> client_role::take_modules(pass& in) {
    actor receiver{me.node, me.cluster};
    const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
    co_await in.recv(receiver, edge, message_kind::modules);
    load();
    me.cause = receiver.cause;
}

task<> client_role::sense_samples(pass& in, const round_plan& plan) {
    actor sensor{me.node, me.cluster};
    if (const auto samples = plan.sensed_by(me.cluster); samples > 0) {
        co_await in.sense(sensor, samples);
        me.cause = sensor.cause;
    }
}

task<> client_role::send_samples(pass& in) {
    const auto samples = deploy->plans[me.cluster].own;
    co_await in.sense(me, samples);
    const auto bytes = static_cast<std::uint64_t>(samples) * deploy->sample_bytes();
    const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
    in.send(me, edge, message_kind::samples, tensor_view::shape_only({static_cast<std::int64_t>((bytes + 3) / 4)}));
}

task<> client_role::serve(pass& in, const inference_plan& session) {
    std::vector<task<>> work;
    if (senses()) {
        work.push_back(sense_requests(in, session));
        work.push_back(collect_results(in, session));
    }
    work.push_back(work_on_requests(in, session));
    co_await when_all(std::move(work));
}

task<> client_role::sense_requests(pass& in, const inference_plan& session) const {
    actor who{me.node, me.cluster};
    const auto requests = session.requests_of(me.cluster);
    for (std::int64_t request = 0; request < requests; ++request) {
        co_await in.arrival(who);
        if (request == 0 && !session.founded) { // this request founds the cluster
            in.send(who, static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge), message_kind::request,
                    deploy->request());
        }
        co_await in.sense(who, 1);
        in.offer(who);
    }
}

task<> client_role::collect_results(pass& in, const inference_plan& session) {
    actor who{me.node, me.cluster};
    const auto& chain = deploy->chains[me.cluster];
    const auto& line = session.lines[me.cluster];
    for (auto left = session.requests_of(me.cluster); left > 0;) {
        auto result = co_await in.recv(who, chain.back().node, message_kind::result, chain.front().number);
        ++who.batch;
        const auto batch = in.batch_of(who);
        const bool answered = line.answers(batch.first, batch.token);
        if (line.texts.empty()) {
            answers.push_back(std::move(result));
        } else if (result.data != nullptr) {
            texts[batch.first].push_back(*result.as<std::int64_t>());
        }
        if (!answered) {
            stages.front().told[batch.first] = std::move(result);
        }
        in.answer(who);
        left -= answered ? batch.count : 0;
    }
}

task<> client_role::work_on_requests(pass& in, const inference_plan& session) {
    const bool served = session.requests_of(me.cluster) > 0;
    for (const auto& wanted : wanted_in(*deploy, session, me.cluster)) {
        if (wanted.node == me.node && served) {
            const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
            co_await in.recv(me, edge, message_kind::modules);
            load();
        }
    }
    std::vector<task<>> work;
    for (auto& stage : stages) {
        stage.me.cause = me.cause;
        work.push_back(stage.infer(in, session));
    }
    co_await when_all(std::move(work));
}

} // namespace gaisnet
