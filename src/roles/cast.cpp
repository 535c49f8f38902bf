#include "roles/cast.hpp"

#include <algorithm>
#include <map>

namespace gaisnet {

cast::cast(const deployment& deploy, const executor_factory& make, const std::function<bool(std::uint32_t node)>& plays)
    : deploy_(deploy)
    , make_(make) {
    for (std::uint32_t edge = 0; edge < deploy.domains.size(); ++edge) {
        models_.push_back(tensor_view::shape_only({deploy.domain_of(edge).elements}));
    }
    std::map<std::uint32_t, std::vector<stage_role>> stages;
    for (std::size_t c = 0; c < deploy.chains.size(); ++c) {
        for (const auto& seat : deploy.chains[c]) {
            if (!plays(seat.node)) {
                continue;
            }
            // In split learning the edge continues with the optimiser state of the previous cluster.
            const bool of_edge = deploy.net.nodes[seat.node].role == node_role::edge;
            const bool shared = deploy.scene->scheme == scheme_kind::sl && of_edge && !stages[seat.node].empty() &&
                                deploy.scene->service == service_kind::fine_tuning;
            if (!shared) {
                owned_.push_back(make_(seat));
                seated_.push_back({&seat, owned_.back().get()});
            } else {
                seated_.push_back({&seat, stages[seat.node].front().executor});
            }
            stages[seat.node].emplace_back(deploy, seat, *seated_.back().executor, model_of(seat));
        }
    }
    for (std::uint32_t node = 0; node < deploy.net.nodes.size(); ++node) {
        if (!plays(node)) {
            continue;
        }
        const auto& member = deploy.net.nodes[node];
        const actor me{node, member.cluster, -1, 0};
        if (member.role == node_role::cloud) {
            cloud_ = cloud_role{&deploy, me};
        } else if (member.role == node_role::edge) {
            edges_.push_back({&deploy, me, std::move(stages[node]), {}, models_[node]});
        } else if (member.cluster >= 0) { // the others do nothing
            clients_.push_back({&deploy, me, std::move(stages[node]), {}, {}});
        }
    }
}

const tensor_view& cast::model_of(const stage_seat& seat) const { return models_[deploy_.net.nodes[seat.node].edge]; }

void cast::set_model(std::uint32_t edge, const tensor_view& model) {
    models_[edge] = model;
    for (auto& role : edges_) {
        if (role.me.node == edge) {
            role.model = model;
        }
    }
}

void cast::play(pass& in, const round_plan& plan, int edge) {
    const auto wanted = [&](int owner) { return edge < 0 || owner == edge; };
    for (auto& one : edges_) {
        const auto node = one.me.node;
        if (!wanted(static_cast<int>(node))) {
            continue;
        }
        in.spawn(node, edge < 0 ? one.play(in, plan) : one.play_round(in, plan));
        for (auto& stage : one.stages) {
            if (plan.fate_of(stage.seat->cluster).plays) {
                in.spawn(node, one.train(in, stage, plan));
            }
        }
        for (auto& stage : one.taken) {
            in.spawn(node, stage.take_over(in, plan));
        }
        for (std::size_t c = 0; c < plan.fates.size(); ++c) {
            const bool own = deploy_.net.clusters[c].edge == static_cast<int>(node);
            if (own && plan.fates[c].plays && !plan.fates[c].takeovers.empty()) {
                in.spawn(node, one.repair(in, static_cast<int>(c), plan));
            }
        }
    }
    if (cloud_ && edge < 0 && plan.federates) {
        in.spawn(cloud_->me.node, cloud_->federate(in));
    }
    for (auto& client : clients_) {
        const auto& who = deploy_.net.nodes[client.me.node];
        const auto& fate = plan.fate_of(who.cluster);
        if (wanted(who.edge) && fate.plays && fate.present(client.me.node)) {
            in.spawn(client.me.node, client.play_round(in, plan));
        }
        if (deploy_.scene->scheme == scheme_kind::centralised && plan.round == 1 && wanted(who.edge) &&
            who.member == 0) {
            in.spawn(client.me.node, client.send_samples(in));
        }
    }
}

void cast::serve(pass& in, const inference_plan& session) {
    const auto asks = [&](int cluster) { return cluster >= 0 && session.requests_of(cluster) > 0; };
    for (auto& one : edges_) {
        for (std::size_t c = 0; c < session.lines.size() && !session.founded; ++c) {
            if (deploy_.net.clusters[c].edge == static_cast<int>(one.me.node) && asks(static_cast<int>(c))) {
                in.spawn(one.me.node, one.found(in, static_cast<int>(c), session));
            }
        }
        for (auto& stage : one.stages) {
            if (asks(stage.seat->cluster)) {
                in.spawn(one.me.node, one.infer(in, stage, session));
            }
        }
    }
    for (auto& client : clients_) {
        client.answers.clear();
        client.texts.clear();
        if (asks(client.me.cluster)) {
            in.spawn(client.me.node, client.serve(in, session));
        }
    }
}

void cast::begin_round(const round_plan& plan) {
    const auto forget = [](auto& role) {
        role.me.cause = -1;
        role.me.held_bytes = 0;
        role.me.batch = -1;
    };
    const auto forget_all = [&](auto& roles) {
        for (auto& role : roles) {
            forget(role);
            std::for_each(role.stages.begin(), role.stages.end(), forget);
            role.taken.clear();
        }
    };
    forget_all(edges_);
    forget_all(clients_);
    if (cloud_) {
        forget(*cloud_);
    }
    taken_.clear();
    owned_by_heirs_.clear();
    heirs_.clear();
    for (std::size_t c = 0; c < plan.fates.size(); ++c) {
        for (const auto& one : plan.fates[c].takeovers) {
            const auto seat_in = [&](auto& roles) {
                const auto heir = std::find_if(roles.begin(), roles.end(),
                                               [&](const auto& role) { return role.me.node == one.heir; });
                if (heir == roles.end() || !plan.fates[c].plays) {
                    return;
                }
                auto& seat = heirs_.emplace_back(deploy_.chains[c][one.stage]);
                seat.node = one.heir;
                owned_by_heirs_.push_back(make_(seat));
                taken_.push_back({&seat, owned_by_heirs_.back().get()});
                heir->taken.emplace_back(deploy_, seat, *owned_by_heirs_.back(), model_of(seat));
            };
            seat_in(edges_);
            seat_in(clients_);
        }
    }
}

} // namespace gaisnet
