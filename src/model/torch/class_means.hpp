#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <cstdint>

namespace gaisnet {

/// Tells classes apart by the nearest mean of their features, with the cosine as measure: what features are worth
/// without training a head.
class class_means {
public:
    class_means(std::int64_t classes, std::int64_t dim)
        : sums_(at::zeros({classes, dim}))
        , counts_(at::zeros({classes})) {}

    /// \param features float32 [n, dim] \param labels int64 [n]
    void add(const at::Tensor& features, const at::Tensor& labels);
    /// Classes int64 [n] of features [n, dim]; a class that was never added is never the nearest.
    at::Tensor nearest(const at::Tensor& features) const;
    /// The same as a head: float32 values of head.weight [classes, dim] and head.bias [classes], concatenated. Its
    /// largest logit is that of the nearest mean.
    at::Tensor as_head() const;

private:
    at::Tensor sums_, counts_; ///< Of features of unit length, by class.
};

} // namespace gaisnet
