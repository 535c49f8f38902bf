#include "model/torch/class_means.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

namespace gaisnet {

namespace {

at::Tensor unit_length(const at::Tensor& vectors) {
    return vectors / vectors.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
}

} // namespace

void class_means::add(const at::Tensor& features, const at::Tensor& labels) {
    sums_ = sums_.index_add(0, labels, unit_length(features));
    counts_ = counts_.index_add(0, labels, at::ones({labels.size(0)}));
}

at::Tensor class_means::nearest(const at::Tensor& features) const {
    constexpr double below_any_cosine = -2.0;
    const auto cosines = at::mm(unit_length(features), unit_length(sums_).t());
    return cosines.masked_fill(counts_.eq(0), below_any_cosine).argmax(1);
}

at::Tensor class_means::as_head() const {
    constexpr double never = -1e4; // a class without a sample
    const auto bias = at::zeros({counts_.size(0)}).masked_fill(counts_.eq(0), never);
    return at::cat({unit_length(sums_).flatten(), bias});
}

} // namespace gaisnet
