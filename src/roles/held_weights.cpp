#include "roles/held_weights.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

namespace gaisnet {

void held_weights::add(const deployment& deploy) {
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            const auto& who = deploy.net.nodes[seat.node];
            if (who.role != node_role::client) {
                continue;
            }
            auto& held = held_by_client_[who.name];
            for (const auto& tensor : seat.spec.frozen()) {
                const auto number = numbers_.try_emplace(tensor.name, numbers_.size()).first->second;
                held.resize(std::max(held.size(), number + 1), false);
                held[number] = true;
            }
        }
    }
}

void held_weights::tell(deployment& deploy) const {
    deploy.lacking.clear();
    std::set<std::pair<std::uint32_t, std::string>> counted; // stages of a client may share weights
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            const auto& who = deploy.net.nodes[seat.node];
            if (who.role != node_role::client) {
                continue;
            }
            const auto known = held_by_client_.find(who.name);
            for (const auto& tensor : seat.spec.frozen()) {
                const auto number = numbers_.find(tensor.name);
                const bool has = known != held_by_client_.end() && number != numbers_.end() &&
                                 number->second < known->second.size() && known->second[number->second];
                if (!has && counted.emplace(seat.node, tensor.name).second) {
                    deploy.lacking[seat.node] += tensor.elements();
                }
            }
        }
    }
}

} // namespace gaisnet
