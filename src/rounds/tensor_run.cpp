#include "rounds/tensor_run.hpp"

#include "roles/fusion.hpp"

#include <algorithm>
#include <cstring>
#include <set>

namespace gaisnet {

namespace {

std::string stage_name(const deployment& deploy, const stage_seat& seat) {
    return deploy.net.nodes[seat.node].name + "@" + deploy.net.clusters[seat.cluster].name + ":" +
           std::to_string(seat.position);
}

/// A model with other shared modules: `shared`, float32 [the first elements of the model].
tensor_view with_shared(const tensor_view& model, const tensor_view& shared) {
    auto out = tensor_view::allocate(model.shape);
    std::memcpy(out.data, model.data, model.bytes());
    std::memcpy(out.data, shared.data, shared.bytes());
    return out;
}

} // namespace

std::map<std::string, executor_state> renamed(std::map<std::string, executor_state> states, const deployment& before,
                                              const deployment& after) {
    const auto key = [](const deployment& deploy, const stage_seat& seat) {
        const auto& cut = seat.spec.cut();
        return std::tuple(deploy.net.nodes[seat.node].name, cut.embedding, cut.first_block, cut.blocks, cut.head);
    };
    std::map<decltype(key(before, before.chains.front().front())), std::string> names;
    for (const auto& chain : before.chains) {
        for (const auto& seat : chain) {
            names.emplace(key(before, seat), stage_name(before, seat));
        }
    }
    std::map<std::string, executor_state> out;
    for (const auto& chain : after.chains) {
        for (const auto& seat : chain) {
            const auto name = names.find(key(after, seat));
            const auto found = name == names.end() ? states.end() : states.find(name->second);
            if (found != states.end()) {
                out.emplace(stage_name(after, seat), std::move(found->second));
            }
        }
    }
    return out;
}

tensor_run::tensor_run(const deployment& deploy, transport& network, std::vector<int> rank_of,
                       const executor_factory& make, const std::vector<tensor_view>& initial, hooks given)
    : deploy_(deploy)
    , network_(network)
    , rank_of_(std::move(rank_of))
    , hooks_(std::move(given))
    , cast_(deploy, make, [&](std::uint32_t node) { return rank_of_[node] == network.rank(); }) {
    std::vector<std::set<int>> groups(static_cast<std::size_t>(deploy.net.edges));
    std::set<int> all;
    for (std::size_t node = 0; node < deploy.net.nodes.size(); ++node) {
        all.insert(rank_of_[node]);
        if (deploy.net.nodes[node].role != node_role::cloud) {
            groups[static_cast<std::size_t>(deploy.net.nodes[node].edge)].insert(rank_of_[node]);
        }
    }
    for (std::uint32_t edge = 0; edge < groups.size(); ++edge) {
        groups_.emplace_back(groups[edge].begin(), groups[edge].end());
        set_model(edge, initial[edge]);
        network_.prepare(groups_[edge]);
    }
    if (deploy.net.cloud) { // all ranks that hold an edge's model get the average from the same sum
        cloud_group_.assign(all.begin(), all.end());
        network_.prepare(cloud_group_);
    }
    std::set<std::pair<int, int>> neighbours;
    const bool any = deploy.scene->dropout.policy == dropout_policy::repair; // two stages may become neighbours
    for (const auto& chain : deploy.chains) {
        for (std::size_t position = 1; position < chain.size(); ++position) {
            for (std::size_t other = any ? 0 : position - 1; other < position; ++other) {
                const int before = rank_of_[chain[other].node], here = rank_of_[chain[position].node];
                neighbours.insert({before, here});
                neighbours.insert({here, before});
            }
        }
    }
    network_.connect({neighbours.begin(), neighbours.end()});
}

bool tensor_run::in_group(std::uint32_t averaging) const {
    const auto& group = group_of(averaging);
    return std::binary_search(group.begin(), group.end(), network_.rank());
}

void tensor_run::play(int round, const round_decisions& decisions) {
    begin(round, decisions);
    pass_->run();
    end();
    for (const auto& turn : decisions.turns) {
        play(round, turn);
    }
}

/// The decided exchanges, with the participating ranks.
std::vector<exchange> tensor_run::exchanges_of(const round_decisions& decisions) const {
    std::vector<exchange> all;
    for (const auto& one : decisions.exchanges) {
        if (one.average_of >= 0) {
            all.push_back({{}, 0, 0, {}, group_of(static_cast<std::uint32_t>(one.average_of))});
        } else {
            all.push_back({one.route, rank_of_[one.route.from], rank_of_[one.route.to], one.shape, {}});
        }
    }
    return all;
}

const std::vector<int>& tensor_run::group_of(std::uint32_t averaging) const {
    return averaging == deploy_.net.cloud ? cloud_group_ : groups_[averaging];
}

/// The plan for the average of all edges at the cloud.
average_plan tensor_run::cloud_average() const {
    average_plan average{*deploy_.net.cloud, cloud_group_, deploy_.shared_average, {}, 0, {}, 0};
    for (std::uint32_t edge = 0; edge < deploy_.domains.size(); ++edge) {
        average.total_weight += deploy_.total_weight(edge);
        average.contributors.push_back(deploy_.net.nodes[edge].name);
        average.local_contributions += rank_of_[edge] == network_.rank() ? 1U : 0U;
    }
    return average;
}

void tensor_run::begin(int round, const round_decisions& decisions) {
    network_.expect(exchanges_of(decisions));
    round_ = {round, decisions.fates, decisions.federates};
    cast_.begin_round(round_);
    tensor_pass::settings plan;
    plan.rank_of = rank_of_;
    for (const auto& node : deploy_.net.nodes) {
        plan.names.push_back(node.name);
    }
    for (const auto& seated : cast_.executors()) {
        const auto& fate = round_.fate_of(seated.seat->cluster);
        plan.strands[seated.seat->cluster] += fate.plays && fate.present(seated.seat->node) ? 1U : 0U;
    }
    for (const auto& seated : cast_.taken()) {
        ++plan.strands[seated.seat->cluster];
    }
    plan.together = together(round);
    plan.active_clusters = static_cast<std::size_t>(deploy_.scene->runtime.active_clusters);
    plan.whole_batches = deploy_.scene->runtime.merge_micro_batches;
    plan.idle = hooks_.idle;
    plan.note = hooks_.note;
    plan.computed = hooks_.computed;
    plan.nan_when_diverged = hooks_.nan_when_diverged;
    if (hooks_.clock) {
        arrivals_ = decisions.arrivals;
        plan.pace = pacing{hooks_.clock, &arrivals_, decisions.closes};
    }
    for (const auto edge : decisions.averages) {
        if (!in_group(edge)) {
            continue;
        }
        if (edge == deploy_.net.cloud) {
            plan.averages.push_back(cloud_average());
            continue;
        }
        average_plan average{edge,
                             groups_[edge],
                             deploy_.domain_of(edge).average,
                             model(edge),
                             deploy_.total_weight(edge),
                             deploy_.contributors[edge],
                             0};
        for (std::size_t c = 0; c < deploy_.chains.size(); ++c) {
            const auto& fate = round_.fates[c];
            for (const auto& seat : deploy_.chains[c]) {
                const auto giver = fate.holder(seat, deploy_.plans[c].batches_a_round);
                const bool contributes = fate.plays && deploy_.net.clusters[c].edge == static_cast<int>(edge) &&
                                         seat.spec.trainable() && rank_of_[giver] == network_.rank();
                average.local_contributions += contributes ? 1U : 0U;
            }
        }
        plan.averages.push_back(std::move(average));
    }

    pass_ = std::make_unique<tensor_pass>(network_, std::move(plan), backlog_);
    cast_.play(*pass_, round_);
    averaged_ = decisions.averages;
    pass_->start();
}

/// Who computes together in this round: clusters of a group that nothing disturbs, as long as their batches have the same
/// size.
fusion tensor_run::together(int round) const {
    fusion out{undisturbed_groups(deploy_, round_.fates), {}};
    for (std::size_t c = 0; c < deploy_.chains.size(); ++c) {
        const auto& plan = deploy_.plans[c];
        for (std::int64_t batch = 0; batch < plan.batches_a_round && round_.fates[c].plays; ++batch) {
            const auto size = plan.batch_at((round - 1) * plan.batches_a_round + batch).of;
            ++out.members[{out.group_of[c], batch, size}];
        }
    }
    return out;
}

void tensor_run::end() {
    pass_->finish();
    late_.insert(late_.end(), pass_->late().begin(), pass_->late().end());
    for (const auto averaged : averaged_) {
        if (!in_group(averaged)) {
            continue;
        }
        if (averaged == deploy_.net.cloud) {
            for (std::uint32_t edge = 0; edge < deploy_.domains.size(); ++edge) {
                set_model(edge, with_shared(model(edge), pass_->average_of(averaged)));
            }
        } else {
            set_model(averaged, pass_->average_of(averaged));
        }
    }
    pass_.reset();
}

std::map<int, training_totals> tensor_run::take_totals() {
    std::map<int, training_totals> totals;
    for (const auto* seats : {&cast_.executors(), &cast_.taken()}) {
        for (const auto& seated : *seats) {
            if (seated.seat->spec.cut().head) {
                totals[seated.seat->cluster] += seated.executor->take_totals();
            }
        }
    }
    return totals;
}

std::vector<saved_stage> tensor_run::save() {
    std::vector<saved_stage> saved;
    for (const auto& seated : cast_.executors()) {
        if (seated.seat->spec.trainable()) {
            saved.push_back({stage_name(deploy_, *seated.seat), seated.executor->save_state()});
        }
    }
    return saved;
}

void tensor_run::restore(const std::map<std::string, executor_state>& all) {
    for (const auto& seated : cast_.executors()) {
        const auto found = all.find(stage_name(deploy_, *seated.seat));
        if (found != all.end()) {
            seated.executor->restore_state(found->second);
        }
    }
}

} // namespace gaisnet
