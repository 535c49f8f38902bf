#include "roles/cast.hpp"

#include <algorithm>
#include <map>

namespace gaisnet {

cast::cast(const deployment& deploy, const executor_factory& make,
           const std::function<bool(std::uint32_t node)>& plays) {
    std::map<std::uint32_t, std::vector<stage_role>> stages;
    for (std::size_t c = 0; c < deploy.chains.size(); ++c) {
        for (const auto& seat : deploy.chains[c]) {
            if (!plays(seat.node)) {
                continue;
            }
            owned_.push_back(make(seat));
            seated_.push_back({&seat, owned_.back().get()});
            stages[seat.node].push_back(
                {&deploy, &seat, owned_.back().get(), actor{seat.node, static_cast<int>(c), -1, 0}});
        }
    }
    for (std::uint32_t node = 0; node < deploy.net.nodes.size(); ++node) {
        if (!plays(node)) {
            continue;
        }
        const auto& member = deploy.net.nodes[node];
        const actor me{node, member.cluster, -1, 0};
        if (member.role == node_role::edge) {
            edges_.push_back(
                {&deploy, me, std::move(stages[node]), tensor_view::shape_only({deploy.tunable_elements})});
        } else {
            clients_.push_back({&deploy, me, std::move(stages[node])});
        }
    }
}

void cast::begin_round() {
    const auto forget = [](auto& role) {
        role.me.cause = -1;
        role.me.held_bytes = 0;
    };
    const auto forget_all = [&](auto& roles) {
        for (auto& role : roles) {
            forget(role);
            std::for_each(role.stages.begin(), role.stages.end(), forget);
        }
    };
    forget_all(edges_);
    forget_all(clients_);
}

} // namespace gaisnet
