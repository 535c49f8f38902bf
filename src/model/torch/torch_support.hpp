#pragma once

// Hides the differences between LibTorch 1.13 and 2.x, and converts between tensors and tensor_view. All other files
// use only what both versions have.

#include "base/tensor_view.hpp"
#include "model/tuning_method.hpp"

#include <ATen/TensorOperators.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// A torch tensor that shares the view's memory, on the current GPU if that is device memory. It keeps the owner alive
/// and must not be written to.
at::Tensor to_torch(const tensor_view&);
/// A view of a tensor's memory (made contiguous first if it is not).
tensor_view to_view(const at::Tensor&);

/// The same on a device. The copy goes through page-locked memory, so the host does not wait.
at::Tensor on_device(const tensor_view&, at::Device);
/// Tensors with equal shapes behind the first dimension, one behind the other. Nothing is copied where they lie like that
/// in memory already, as slices of one tensor do.
at::Tensor on_device(std::span<const tensor_view>, at::Device);

/// From now on this thread computes in this stream of the current GPU (see accelerator::compute_stream).
void compute_in_stream(void* stream);

/// Trainable tensors of these shapes, all zero.
std::vector<at::Tensor> make_parameters(const std::vector<tunable_spec>&, at::Device = at::kCPU);
/// Sets their values from a concatenation, float32 [elements].
void load_parameters(std::vector<at::Tensor>&, const tensor_view& values);

/// Sets the number of threads of torch and BLAS. It never depends on the number of ranks, because gradients depend on
/// it.
void set_torch_threads(int threads);

/// Whether float32 products may use TF32. If not, they have full precision on every device.
void allow_tf32(bool allowed);
/// True when this LibTorch computes on GPUs.
bool torch_has_cuda();

/// Runs `work` and replaces LibTorch's errors. \throws runtime_failure with one line and, when a GPU's memory is too
/// small, with a hint.
void with_clear_errors(const std::function<void()>& work);

std::string torch_version();

/// GFLOP/s of a 512 x 512 matrix product on the CPU; tells reference BLAS from a fast one.
double measure_gemm_gflops(bool in_bfloat16 = false);

/// Measures the tensor memory that this thread allocates and frees while the object lives, in bytes.
class allocation_meter {
public:
    allocation_meter();
    ~allocation_meter();
    allocation_meter(const allocation_meter&) = delete;
    allocation_meter& operator=(const allocation_meter&) = delete;
    std::int64_t current() const; ///< Allocated since the start and not freed.
    std::int64_t peak() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// softmax(q k' / sqrt(d)) v for [n, heads, tokens, d], in one kernel that stores no probabilities; undefined if this
/// LibTorch has no such kernel. \param causal masks later tokens, of as many keys as tokens. \param padding keys at the
/// end of each sample to which no token attends, int64 [n]; undefined: none
at::Tensor fused_attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                           bool causal = false, const at::Tensor& padding = {});
/// Whether that kernel may be used on CPUs: a sample has to get the same bits with gradients and without, alone and in any
/// batch.
bool computes_attention_on_cpus();
/// x W' + b by a product for each sample of x [n, tokens, in]. Float32 on the CPU, without gradients.
/// \param weight [out, in] \param bias undefined: none
at::Tensor affine_of_each(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);
/// One step of SGD with momentum or AdamW on all parameters in one kernel (definitions: model/optimizer.hpp); updates
/// the moments in place. Returns false and does nothing if this LibTorch has no such kernel.
struct fused_step {
    at::TensorList parameters, gradients, first_moments, second_moments; ///< SGD has no second moments.
    double learning_rate, weight_decay, momentum;                        ///< AdamW uses PyTorch's betas and eps.
    std::int64_t steps;                                                  ///< Including this one.
};
bool fused_sgd(const fused_step&);
bool fused_adamw(const fused_step&);

/// Runs the backward pass from `output` with the gradient `gradient` (undefined for a scalar).
void run_backward(const at::Tensor& output, const at::Tensor& gradient);

} // namespace gaisnet
