#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <cstdint>

namespace gaisnet {

/// Classifies features by the nearest class mean (cosine similarity): the quality of features without training a head.
class class_means {
public:
    class_means(std::int64_t classes, std::int64_t dim)
        : sums_(at::zeros({classes, dim}))
        , counts_(at::zeros({classes})) {}

    /// \param features float32 [n, dim] \param labels int64 [n]
    void add(const at::Tensor& features, const at::Tensor& labels);
    /// Classes int64 [n] of features [n, dim]; a class without samples is never chosen.
    at::Tensor nearest(const at::Tensor& features) const;
    /// The classifier as a head: head.weight [classes, dim] and head.bias [classes], float32, concatenated. Its largest
    /// logit belongs to the nearest mean.
    at::Tensor as_head() const;

private:
    at::Tensor sums_, counts_; ///< Sums of normalised features, and counts, by class.
};

} // namespace gaisnet
