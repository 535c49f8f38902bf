#include "roles/chain_stages.hpp"

namespace gaisnet {

stage_cut cut_of(const chain_stage& stage) { return {stage.embedding, stage.first_block, stage.blocks, stage.head}; }

std::vector<stage_cut> cuts_of(const cluster& group) {
    std::vector<stage_cut> cuts;
    for (const auto& stage : group.chain) {
        cuts.push_back(cut_of(stage));
    }
    return cuts;
}

std::vector<std::shared_ptr<const tuning_method>> sized_methods::of_chain(const topology& net, const cluster& group) {
    std::vector<std::shared_ptr<const tuning_method>> methods;
    for (const auto& stage : group.chain) {
        const auto size = net.nodes[stage.node].tuning_size;
        auto& method = known_[size];
        method = method ? method : sized(of_edge_, size);
        methods.push_back(method);
    }
    return methods;
}

} // namespace gaisnet
