#include "roles/client.hpp"

#include <algorithm>

namespace gaisnet {

tensor_view slice_of(const tensor_view& whole, std::int64_t first, std::int64_t elements) {
    auto part = whole;
    part.shape = {elements};
    if (part.data) {
        part.data += static_cast<std::size_t>(first) * element_bytes(part.type);
    }
    return part;
}

bool client_role::trainable() const {
    return std::any_of(stages.begin(), stages.end(), [](const auto& stage) { return stage.seat->spec.trainable(); });
}

void client_role::load(const tensor_view& modules) {
    std::int64_t first = 0;
    for (auto& stage : stages) {
        const auto elements = stage.seat->spec.tunable_elements();
        if (elements > 0) {
            stage.executor->load(slice_of(modules, first, elements));
        }
        first += elements;
    }
}

task<> client_role::play_round(pass& in, const round_plan& plan) {
    if (trainable()) {
        const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
        const auto modules = co_await in.recv(me, edge, message_kind::modules);
        load(modules);
    }
    if (senses()) {
        co_await in.sense(me, stages.front().plan().sensed_for(plan.round));
    }
    std::vector<task<>> work;
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

} // namespace gaisnet
