#pragma once

#include "model/stage_spec.hpp"
#include "network/topology.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace gaisnet {

/// The part of the model that a stage of a chain holds.
stage_cut cut_of(const chain_stage&);
std::vector<stage_cut> cuts_of(const cluster&);

/// The tuning method at clients of each size (node::tuning_size).
class sized_methods {
public:
    /// \param of_edge that of edges
    explicit sized_methods(std::shared_ptr<const tuning_method> of_edge): of_edge_(std::move(of_edge)) {}
    /// The methods of a chain's stages, by the nodes that hold them.
    std::vector<std::shared_ptr<const tuning_method>> of_chain(const topology&, const cluster&);

private:
    std::shared_ptr<const tuning_method> of_edge_;
    std::map<std::int64_t, std::shared_ptr<const tuning_method>> known_;
};

} // namespace gaisnet
