#pragma once

#include "base/tensor_view.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

/// Samples [first, first + count) of batch `batch` of epoch `epoch` of a start point; the whole batch has `of` samples.
struct micro_batch {
    std::int64_t epoch = 0;
    std::int64_t batch = 0;
    std::int64_t first = 0;
    std::int64_t count = 0;
    std::int64_t of = 0;
};

enum class stage_operation : std::uint8_t { forward, backward, step, infer };

/// A piece of work for a stage. Requests of one stage come in a fixed order; those of different stages are independent,
/// so that an executor may gather several before it computes.
struct stage_request {
    stage_operation operation{};
    micro_batch micro;
    tensor_view input;  ///< forward, infer: tokens [n, tokens, dim] or CLS [n, dim]; backward: gradient of the output.
    tensor_view labels; ///< forward of the stage with the head: int64 [n].
    double learning_rate = 0; ///< step
};

/// Loss and hits on the training samples that passed a head.
struct training_totals {
    double loss_sum = 0; ///< Sum over samples of the cross entropy.
    std::int64_t correct = 0, samples = 0;

    training_totals& operator+=(const training_totals& other) {
        loss_sum += other.loss_sum;
        correct += other.correct;
        samples += other.samples;
        return *this;
    }
};

/// What a stage keeps over rounds beside the edge's model: the state of its optimiser, float32 by name.
struct executor_state {
    std::map<std::string, tensor_view> tensors;
    std::int64_t steps = 0;
    static auto parts(auto& self) { return std::tie(self.tensors, self.steps); }
};

/// What a node can do with its part of the model. In the ledger pass an executor knows shapes only; in the tensor pass
/// it computes.
class stage_executor {
public:
    virtual ~stage_executor() = default;
    /// Takes over the values of its tunables: float32 [elements], in the order of stage_spec::tunables().
    virtual void load(const tensor_view& modules) = 0;
    virtual tensor_view unload() = 0;
    /// Labels int64 [n] of the start point's own samples.
    virtual tensor_view labels(const micro_batch&) = 0;
    /// forward: the output (empty for the head); backward: the gradient of the input (empty if nobody wants it); infer:
    /// the output without anything kept for a backward, of the head logits float32 [n, classes] in host memory.
    virtual tensor_view run(const stage_request&) = 0;

    /// Totals since the last call.
    virtual training_totals take_totals() { return {}; }
    virtual executor_state save_state() { return {}; }
    /// \throws usage_error for a tensor that does not fit.
    virtual void restore_state(const executor_state&) {}
};

} // namespace gaisnet
