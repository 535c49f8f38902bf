#pragma once

#include "base/tensor_view.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

/// Samples [first, first + count) of batch `batch` in epoch `epoch` of a start point; the batch has `of` samples in
/// all.
struct micro_batch {
    std::int64_t epoch = 0;
    std::int64_t batch = 0;
    std::int64_t first = 0;
    std::int64_t count = 0;
    std::int64_t of = 0;
    std::int64_t token = 0; ///< Of a text that is generated: which one is told, from 0. `first` is then the request.
};

/// A pass of a text that is generated: its new tokens, behind others whose keys and values are kept.
struct token_step {
    std::int64_t tokens = 0, past = 0; ///< Without prompts of the tuning method.
    bool last = false;                 ///< Nothing is kept any more.
};

enum class stage_operation : std::uint8_t { forward, backward, step, infer, generate };

/// A unit of work for a stage. Requests of one stage come in a fixed order; those of different stages are independent,
/// so an executor may collect several before it computes.
struct stage_request {
    stage_operation operation{};
    micro_batch micro{};
    tensor_view input{};      ///< forward, infer: see stage_spec::input_shape(); backward: gradient of the output.
    tensor_view labels{};     ///< forward of the stage with the head: see labelled_batch.
    double learning_rate = 0; ///< step
    tensor_view padding{};    ///< forward, infer, where stage_spec::pads(): of each sample, int64 [n].
    token_step text{};        ///< generate
};

/// Loss and number of correct predictions that a head made in training: one a sample, or one a token.
struct training_totals {
    double loss_sum = 0; ///< Cross entropy, summed over predictions.
    std::int64_t correct = 0, predictions = 0;

    training_totals& operator+=(const training_totals& other) {
        loss_sum += other.loss_sum;
        correct += other.correct;
        predictions += other.predictions;
        return *this;
    }
};

/// State that a stage keeps over rounds, in addition to the edge's model: that of its optimiser, float32 by name.
struct executor_state {
    std::map<std::string, tensor_view> tensors;
    std::int64_t steps = 0;
    static auto parts(auto& self) { return std::tie(self.tensors, self.steps); }
};

class stage_executor;

/// A request of one of several stages that compute together.
struct joint_request {
    stage_executor* stage = nullptr;
    const stage_request* work = nullptr;
    tensor_view output{}; ///< Its result.
};

/// Executes one stage of the model. In the ledger pass it knows only shapes; in the tensor pass it computes.
class stage_executor {
public:
    virtual ~stage_executor() = default;
    /// Sets the values of its tunables: float32 [elements], in the order of stage_spec::tunables().
    virtual void load(const tensor_view& modules) = 0;
    virtual tensor_view unload() = 0;
    /// Labels of the start point's own samples: int64 [n], or [n, tokens] to tell next ones. And their padding, int64 [n].
    virtual tensor_view labels(const micro_batch&) = 0;
    virtual tensor_view padding(const micro_batch&) = 0;
    /// forward: returns the output (empty for the head). backward: returns the gradient of the input (empty if it is
    /// not needed). infer: returns the output and keeps nothing for a backward; for the head, logits float32 [n,
    /// classes], or [n, tokens, vocabulary], in host memory. generate: returns the output, or for the output layer the token, int64 [1]; the input of
    /// the embedding is the token that was told last, and of the first pass nothing: the prompt is the start point's.
    virtual tensor_view run(const stage_request&) = 0;

    /// Stages with the same peers, which are those of several clusters at the same place of the model, may compute
    /// together. Null: it has none.
    virtual const void* peers() const { return nullptr; }
    /// Runs requests of peers, which differ in their samples and learning rates only, as one. Each gets its output.
    virtual void run_together(std::span<joint_request> all) {
        for (auto& one : all) {
            one.output = one.stage->run(*one.work);
        }
    }

    /// Returns the totals since the last call.
    virtual training_totals take_totals() { return {}; }
    virtual executor_state save_state() { return {}; }
    /// \throws usage_error for a tensor that does not fit.
    virtual void restore_state(const executor_state&) {}
};

} // namespace gaisnet
