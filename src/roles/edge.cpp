#include "roles/edge.hpp"

#include <algorithm>
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

std::int64_t edge_role::clusters() const {
    return std::count_if(deploy->net.clusters.begin(), deploy->net.clusters.end(),
                         [&](const cluster& one) { return one.edge == deploy->net.nodes[me.node].edge; });
}

void edge_role::deliver(pass& in) {
    struct parcel {
        std::vector<std::uint32_t> receivers;
        std::vector<const stage_seat*> seats; ///< Of the first receiver; those of the others need the same.
    };
    std::vector<parcel> parcels;
    std::map<std::vector<std::int64_t>, std::size_t> same; // by what is in them
    for (std::size_t c = 0; c < deploy->chains.size(); ++c) {
        if (deploy->net.clusters[c].edge != deploy->net.nodes[me.node].edge) {
            continue;
        }
        std::map<std::uint32_t, std::vector<const stage_seat*>> by_client; // a client may hold two stages
        for (const auto& seat : deploy->chains[c]) {
            if (seat.spec.trainable() && seat.node != me.node) {
                by_client[seat.node].push_back(&seat);
            }
        }
        for (auto& [client, seats] : by_client) {
            std::vector<std::int64_t> content;
            for (const auto* seat : seats) {
                for (const auto& slice : seat->slices) {
                    content.insert(content.end(), {slice.in_model, slice.elements});
                }
            }
            const auto [known, fresh] = same.try_emplace(std::move(content), parcels.size());
            if (fresh || !deploy->scene->link.multicast) {
                parcels.push_back({{client}, std::move(seats)});
            } else {
                parcels[known->second].receivers.push_back(client);
            }
        }
    }
    for (const auto& one : parcels) {
        in.send(me, one.receivers, message_kind::modules, modules_for(one.seats));
    }
}

task<> edge_role::play_round(pass& in, int round) {
    deliver(in);

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
    compute_cost merge{event_kind::aggregate, 2.0 * static_cast<double>(deploy->tunable_elements * clusters()), 0, 0};
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
