#pragma once

#include "model/average_rule.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gaisnet {

class stage_spec;

/// What is summed in place of one tunable tensor, or of several that are averaged together.
struct summed_tensors {
    std::uint32_t first = 0;   ///< The tensor, by its index in the model's list of tunables.
    std::uint32_t tensors = 1; ///< Their number; they follow each other.
    std::int64_t in_model = 0; ///< Where they begin in the model, and
    std::int64_t in_sum = 0;   ///< where that begins which is summed.
    std::int64_t elements = 0; ///< Of the sum.
    std::int64_t values = 0;   ///< Of the first tensor in the edge's model,
    std::int64_t largest = 1;  ///< and its size in the dimension in which it shrinks; see average_rule.
    std::int64_t first_weight = 0;
    std::int64_t weights = 1; ///< Element e of the sum has weight number (e / width) % weights.
    std::int64_t width = 0;
    std::shared_ptr<const joint_average> joint = {}; ///< Null: the tensor itself is summed.

    /// Size of a contribution in that dimension. \param its_values elements of its first tensor
    std::int64_t size_of(std::int64_t its_values) const { return its_values * largest / values; }
};

/// What an edge, or the cloud, sums to average its model.
struct average_layout {
    std::vector<summed_tensors> parts; ///< In the order of the tunables.
    std::int64_t values = 0;           ///< Elements of the model,
    std::int64_t elements = 0;         ///< of the sum,
    std::int64_t weights = 0;          ///< and weights that are summed beside them.

    /// Tensors of equal sizes, each summed element by element.
    static average_layout of(const std::vector<std::int64_t>& tensor_elements);
};

/// The layout for a model's tunables, by the rules of its tuning method. \param whole the unsplit model
average_layout make_average_layout(const stage_spec& whole);
/// Its part for the first tensors of the model, which all edges share. \param tensors their number
average_layout first_tensors(const average_layout&, std::size_t tensors);

/// What an average costs who computes it. Each value that is summed takes a multiplication and an addition.
class averaging_cost {
public:
    explicit averaging_cost(const average_layout& layout): layout_(&layout), sizes_(layout.parts.size(), 0) {}

    /// A contribution has a tensor. \param tensor its index among the tunables \param values its elements
    void add(std::uint32_t tensor, std::int64_t values);
    double flops() const;
    /// Bytes that are needed in passing.
    std::uint64_t workspace_bytes() const;

private:
    const average_layout* layout_;
    std::vector<std::int64_t> sizes_; ///< Of tensors that are averaged together, added up over contributions.
    double flops_ = 0;
};

} // namespace gaisnet
