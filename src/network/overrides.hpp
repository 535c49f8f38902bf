#pragma once

#include "scenario/network.hpp"

#include <map>
#include <string>
#include <utility>

namespace gaisnet {

/// What network.file says about single nodes and links, by name.
class override_index {
public:
    explicit override_index(const network_overrides& all) {
        for (const auto& said : all.nodes) {
            nodes_[said.name] = &said;
        }
        for (const auto& said : all.links) {
            links_[{said.from, said.to}] = &said;
        }
    }
    /// Null: nothing is said.
    const node_override* node(const std::string& name) const {
        const auto found = nodes_.find(name);
        return found == nodes_.end() ? nullptr : found->second;
    }
    const link_override* link(const std::string& from, const std::string& to) const {
        const auto found = links_.find({from, to});
        return found == links_.end() ? nullptr : found->second;
    }
    const auto& nodes() const { return nodes_; }
    const auto& links() const { return links_; }

private:
    std::map<std::string, const node_override*> nodes_;
    std::map<std::pair<std::string, std::string>, const link_override*> links_;
};

} // namespace gaisnet
