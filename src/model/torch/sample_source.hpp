#pragma once

#include "base/tensor_view.hpp"
#include "model/stage_executor.hpp"

namespace gaisnet {

/// The samples of a start point, in the form of labelled_batch. Inputs never leave it: only the stage with the embedding
/// requests them.
class sample_source {
public:
    virtual ~sample_source() = default;
    virtual tensor_view inputs(const micro_batch&) = 0;
    virtual tensor_view labels(const micro_batch&) = 0;
    virtual tensor_view padding(const micro_batch&) { return {}; }
    /// The prompt of a request (micro_batch::first) for a text, int64 [1, tokens].
    virtual tensor_view prompt(const micro_batch&) { return {}; }
};

} // namespace gaisnet
