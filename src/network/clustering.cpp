#include "network/clustering.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"

namespace gaisnet {

namespace {

using groups = std::vector<std::vector<std::size_t>>;

/// As network.* or network.file say.
groups as_given(const clustering_request& in) {
    groups out(static_cast<std::size_t>(in.scene.network.clusters));
    for (std::size_t i = 0; i < in.clients.size(); ++i) {
        out[static_cast<std::size_t>(in.clients[i].home->cluster)].push_back(i);
    }
    return out;
}

const registration<clustering_entry> registered_given{{"given", as_given}};

} // namespace

groups make_clusters(const clustering_request& in) {
    const auto& policy = in.scene.cluster.policy;
    auto out = registry<clustering_entry>::at(policy, "cluster.policy").group(in);
    const auto refuse = [&](const std::string& why) {
        throw usage_error("cluster.policy = " + policy + ", edge " + std::to_string(in.edge) + ": " + why);
    };
    if (out.size() != static_cast<std::size_t>(in.scene.network.clusters)) {
        refuse("it makes " + std::to_string(out.size()) + " clusters, and network.clusters is " +
               std::to_string(in.scene.network.clusters));
    }
    std::vector<bool> taken(in.clients.size(), false);
    for (const auto& group : out) {
        if (group.empty()) {
            refuse("it leaves a cluster empty");
        }
        for (const auto client : group) {
            if (taken.at(client)) {
                refuse("it takes " + in.clients[client].home->name + " twice");
            }
            taken[client] = true;
        }
    }
    return out;
}

} // namespace gaisnet
