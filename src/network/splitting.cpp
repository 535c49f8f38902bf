#include "network/splitting.hpp"

#include "base/error.hpp"
#include "base/registry.hpp"

#include <numeric>

namespace gaisnet {

namespace {

const registration<splitter_entry> registered_even{{"even", [](const split_request& in) {
                                                        return even_split(in.depth, static_cast<int>(in.members.size()),
                                                                          in.head_at_the_last);
                                                    }}};

// A planner has given its clusters blocks already (formed_cluster::blocks); until then they are like even ones.
const registration<splitter_entry> registered_auto_split{
    {"auto", [](const split_request& in) {
         return even_split(in.depth, static_cast<int>(in.members.size()), in.head_at_the_last);
     }}};

/// Blocks of the members without the edge's own stage: as the cluster was formed, else what split.blocks says, counts or
/// a rule.
std::vector<int> blocks_of(const scenario& scene, const std::vector<node>& nodes, const cluster& group,
                           const formed_cluster& formed, const std::vector<std::uint32_t>& members,
                           bool head_at_the_last) {
    const auto depth = static_cast<int>(scene.model.depth) - formed.edge_blocks;
    const auto& lists = scene.split.blocks;
    std::vector<int> blocks;
    if (!formed.blocks.empty()) {
        blocks = formed.blocks;
    } else if (formed.edge_blocks > 0) {
        blocks = even_split(depth, static_cast<int>(members.size()), head_at_the_last && members.size() > 1);
    } else if (lists.empty()) {
        std::vector<const node*> chain;
        for (const auto member : members) {
            chain.push_back(&nodes[member]);
        }
        blocks = registry<splitter_entry>::at(scene.split.policy, "split.blocks")
                     .split({scene, depth, chain, head_at_the_last});
    } else {
        blocks = lists.size() == 1 ? lists[0] : lists.at(static_cast<std::size_t>(group.place));
    }
    const auto sum = std::accumulate(blocks.begin(), blocks.end(), 0);
    if (blocks.size() != members.size() || sum != depth) {
        throw usage_error((formed.blocks.empty() ? "split.blocks: cluster " : "network.file, blocks: cluster ") +
                          group.name + " has " + std::to_string(members.size()) + " stages and the model " +
                          std::to_string(depth) + " blocks, but " + std::to_string(blocks.size()) +
                          " counts with sum " + std::to_string(sum) + " are given");
    }
    return blocks;
}

} // namespace

std::vector<chain_stage> make_chain(const scenario& scene, const std::vector<node>& nodes, const cluster& group,
                                    const formed_cluster& formed) {
    auto members = group.clients;
    const auto edge = static_cast<std::uint32_t>(group.edge);
    switch (scene.scheme) {
    case scheme_kind::hfsl: break;
    case scheme_kind::fl: members.resize(1); break;
    case scheme_kind::sl:
    case scheme_kind::splitfed: members = {members.front(), edge}; break;
    case scheme_kind::centralised: members = {edge}; break;
    }
    if (scene.cluster.edge_stage) {
        const auto position = *scene.cluster.edge_stage;
        if (position < 2 || position > static_cast<int>(members.size()) + 1) {
            throw usage_error("cluster.edge_stage = " + std::to_string(position) + ": cluster " + group.name +
                              " accepts 2 to " + std::to_string(members.size() + 1));
        }
        members.insert(members.begin() + (position - 1), edge);
    }
    const bool labels_stay = scene.train.labels == label_route::local;
    auto blocks = blocks_of(scene, nodes, group, formed, members, !labels_stay);
    if (formed.edge_blocks > 0) {
        members.insert(members.begin() + 1, edge);
        blocks.insert(blocks.begin() + 1, formed.edge_blocks);
    }
    std::vector<chain_stage> out;
    int first_block = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const bool last = i + 1 == members.size();
        chain_stage stage{members[i], i == 0, first_block, blocks[i], last && !labels_stay};
        first_block += blocks[i];
        if (stage.embedding || stage.blocks > 0 || stage.head) {
            out.push_back(stage);
        }
    }
    if (labels_stay) {
        if (out.size() == 1) {
            out.front().head = true;
        } else {
            out.push_back({group.clients.front(), false, first_block, 0, true});
        }
    }
    return out;
}

std::vector<int> even_split(int depth, int members, bool head_at_the_last) {
    std::vector<int> blocks(static_cast<std::size_t>(members), 0);
    const int first = members >= 3 ? 1 : 0;
    const int sharing = members - first - (members >= 3 && head_at_the_last ? 1 : 0);
    for (int i = 0; i < sharing; ++i) {
        blocks[static_cast<std::size_t>(first + i)] = depth / sharing + (i < depth % sharing ? 1 : 0);
    }
    return blocks;
}

} // namespace gaisnet
