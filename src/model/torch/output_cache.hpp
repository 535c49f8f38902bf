#pragma once

#include "model/stage_executor.hpp"

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Caches outputs of frozen parts by sample: a start point uses the same samples in every epoch.
class output_cache {
public:
    /// Numbers of a micro-batch's samples; a sample has the same number in every epoch.
    using sample_numbers = std::function<std::vector<std::size_t>(const micro_batch&)>;

    explicit output_cache(sample_numbers numbers): numbers_(std::move(numbers)) {}

    /// The outputs [n, ...] of a micro-batch; undefined if any of them is missing.
    at::Tensor find(const micro_batch&);
    void keep(const micro_batch&, const at::Tensor& outputs);

private:
    sample_numbers numbers_;
    std::unordered_map<std::size_t, at::Tensor> kept_; ///< Indexed by sample; without the first dimension.
};

} // namespace gaisnet
