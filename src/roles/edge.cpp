#include "roles/edge.hpp"

#include <algorithm>
#include <map>

namespace gaisnet {

void edge_role::deliver(pass& in, const round_plan& plan) {
    struct parcel {
        std::vector<std::uint32_t> receivers;
        std::vector<const stage_seat*> seats; ///< Seats of the first receiver; the others need the same modules.
        std::int64_t frozen = 0;              ///< Elements of weights that only this client lacks.
    };
    std::vector<parcel> parcels;
    std::map<std::vector<std::int64_t>, std::size_t> same; // by the tensors in them
    for (std::size_t c = 0; c < deploy->chains.size(); ++c) {
        if (deploy->net.clusters[c].edge != deploy->net.nodes[me.node].edge || !plan.fates[c].plays) {
            continue;
        }
        std::map<std::uint32_t, std::vector<const stage_seat*>> by_client; // a client may hold two stages
        for (const auto& seat : deploy->chains[c]) {
            if (seat.node == me.node || !plan.fates[c].present(seat.node)) {
                continue;
            }
            if (seat.spec.trainable()) {
                by_client[seat.node].push_back(&seat);
            } else if (deploy->brought_to(seat.node, plan.round) > 0) {
                by_client[seat.node];
            }
        }
        for (auto& [client, seats] : by_client) {
            if (const auto frozen = deploy->brought_to(client, plan.round); frozen > 0) {
                parcels.push_back({{client}, std::move(seats), frozen});
                continue;
            }
            std::vector<std::int64_t> content;
            for (const auto* seat : seats) {
                for (const auto& slice : seat->slices) {
                    content.insert(content.end(), {slice.in_model, slice.elements});
                }
            }
            const auto [known, fresh] = same.try_emplace(std::move(content), parcels.size());
            if (fresh || !deploy->scene->link.multicast) {
                parcels.push_back({{client}, std::move(seats), 0});
            } else {
                parcels[known->second].receivers.push_back(client);
            }
        }
    }
    for (const auto& one : parcels) {
        auto content = delivery_of(one.seats);
        content.shape.front() += one.frozen;
        in.send(me, one.receivers, message_kind::modules, content);
    }
}

task<> edge_role::train(pass& in, stage_role& stage, const round_plan& plan) {
    if (stage.seat->spec.trainable()) {
        stage.load_modules();
    }
    if (deploy->scene->scheme == scheme_kind::centralised && plan.round == 1) {
        for (const auto& group : deploy->net.clusters) {
            if (group.edge == deploy->net.nodes[me.node].edge) {
                co_await in.recv(stage.me, group.clients.front(), message_kind::samples);
            }
        }
    }
    co_await stage.train_round(in, plan);
}

task<> edge_role::found(pass& in, int cluster, const inference_plan& session) const {
    actor who{me.node, cluster};
    co_await in.recv(who, deploy->chains[cluster].front().node, message_kind::request);
    for (const auto& wanted : wanted_in(*deploy, session, cluster)) {
        in.send(who, wanted.node, message_kind::modules, delivery_of(wanted.seats, session.whole_stages));
    }
}

task<> edge_role::infer(pass& in, stage_role& stage, const inference_plan& session) {
    if (stage.seat->spec.trainable()) {
        stage.load_modules();
    }
    co_await stage.infer(in, session);
}

task<> edge_role::repair(pass& in, int cluster, const round_plan& plan) const {
    actor who{me.node, cluster};
    const auto& chain = deploy->chains[cluster];
    for (const auto& one : plan.fate_of(cluster).takeovers) {
        if (one.before_batch != client_loss::absent) {
            co_await in.recv(who, chain.front().node, message_kind::request);
        }
        if (const auto& seat = chain[one.stage]; seat.spec.trainable()) {
            in.send(who, one.heir, message_kind::modules, delivery_of({&seat}), seat.number);
        }
    }
}

task<> edge_role::federate(pass& in) {
    const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
    const auto& domain = deploy->domain_of(edge);
    auto mine = model;
    mine.shape = {domain.shared_elements};
    in.contribute(me, {*deploy->net.cloud, edge, &domain.shared, std::move(mine), deploy->total_weight(edge),
                       static_cast<int>(edge)});
    co_await in.recv(me, *deploy->net.cloud, message_kind::modules); // tensor_run merges it into the model
}

task<> edge_role::play(pass& in, const round_plan& plan) {
    co_await play_round(in, plan);
    if (plan.federates) {
        co_await federate(in);
    }
}

task<> edge_role::play_round(pass& in, const round_plan& plan) {
    deliver(in, plan);
    const auto edge = static_cast<std::uint32_t>(deploy->net.nodes[me.node].edge);
    auto average = co_await in.average(me, edge);
    if (!average.model.shape.empty()) { // otherwise no cluster has finished in time, and the model stays unchanged
        model = std::move(average.model);
        const auto cost = deploy->cost_of_average(edge, average.parties);
        compute_cost merge{event_kind::aggregate, cost.flops(), 0, cost.workspace_bytes()};
        co_await in.charge(me, merge);
    }
    if (const auto& train = deploy->scene->train; train.charge_evaluation && train.evaluates(plan.round)) {
        double flops = 0.0;
        const auto& net = deploy->net;
        const auto own = std::find_if(net.clusters.begin(), net.clusters.end(),
                                      [&](const cluster& one) { return one.edge == static_cast<int>(edge); });
        for (const auto& seat : deploy->chains[own - net.clusters.begin()]) {
            flops += seat.spec.forward_flops(deploy->domain_of(edge).size.validation_samples);
        }
        compute_cost check{event_kind::evaluate, flops, 0, 0};
        co_await in.charge(me, check);
    }
}

} // namespace gaisnet
