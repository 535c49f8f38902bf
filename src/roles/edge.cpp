#include "roles/edge.hpp"

#include <cstring>
#include <map>

namespace gaisnet {

tensor_view edge_role::modules_for(const std::vector<const stage_seat*>& seats) const {
    std::int64_t elements = 0;
    for (const auto* seat : seats) {
        elements += seat->spec.tunable_elements();
    }
    if (!model.data) {
        return tensor_view::shape_only({elements});
    }
    auto modules = tensor_view::allocate({elements});
    auto* out = modules.as<float>();
    for (const auto* seat : seats) {
        for (const auto& slice : seat->slices) {
            std::memcpy(out, model.as<float>() + slice.in_model, static_cast<std::size_t>(slice.elements) * 4);
            out += slice.elements;
        }
    }
    return modules;
}

task<> edge_role::play_round(pass& in, int round) {
    std::int64_t clusters = 0;
    for (std::size_t c = 0; c < deploy->chains.size(); ++c) {
        if (deploy->net.clusters[c].edge != deploy->net.nodes[me.node].edge) {
            continue;
        }
        ++clusters;
        std::map<std::uint32_t, std::vector<const stage_seat*>> by_client; // a client may hold two stages
        for (const auto& seat : deploy->chains[c]) {
            if (seat.spec.trainable() && seat.node != me.node) {
                by_client[seat.node].push_back(&seat);
            }
        }
        for (const auto& [client, seats] : by_client) {
            in.send(me, client, message_kind::modules, modules_for(seats));
        }
    }

    std::vector<task<>> work;
    for (auto& stage : stages) {
        if (stage.seat->spec.trainable()) {
            stage.executor->load(modules_for({stage.seat}));
        }
        stage.me.cause = me.cause;
        work.push_back(stage.train_round(in, round));
    }
    co_await when_all(std::move(work));

    const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
    model = co_await in.average(me, edge);
    // One multiplication and one addition for every value of every cluster.
    compute_cost merge{event_kind::aggregate, 2.0 * static_cast<double>(deploy->tunable_elements * clusters), 0, 0};
    co_await in.charge(me, merge);
    if (deploy->scene->train.charge_evaluation) {
        double flops = 0.0;
        for (const auto& seat : deploy->chains.front()) {
            flops += seat.spec.forward_flops(deploy->validation_samples);
        }
        compute_cost check{event_kind::evaluate, flops, 0, 0};
        co_await in.charge(me, check);
    }
}

} // namespace gaisnet
