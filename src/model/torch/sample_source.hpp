#pragma once

#include "base/tensor_view.hpp"
#include "model/stage_executor.hpp"

namespace gaisnet {

/// The samples of a start point. They never leave it: only the stage with the embedding requests images.
class sample_source {
public:
    virtual ~sample_source() = default;
    virtual tensor_view images(const micro_batch&) = 0; ///< float32 [n, 3, image, image], normalised
    virtual tensor_view labels(const micro_batch&) = 0; ///< int64 [n]
};

} // namespace gaisnet
