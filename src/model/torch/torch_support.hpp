#pragma once

// What differs between LibTorch 1.13 and 2.x, and how tensors meet tensor_view. Every other file uses only what both
// versions have.

#include "base/tensor_view.hpp"
#include "model/tuning_method.hpp"

#include <ATen/TensorOperators.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A torch tensor over the same memory, on the current GPU if it is device memory; it keeps the owner alive and must not
/// be written to.
at::Tensor to_torch(const tensor_view&);
/// A view of a tensor's memory (made contiguous first if it is not).
tensor_view to_view(const at::Tensor&);

/// The same on a device. The host does not wait for the copy: it goes through page-locked memory.
at::Tensor on_device(const tensor_view&, at::Device);

/// From now on this thread computes in that stream of the current GPU (accelerator::compute_stream).
void compute_in_stream(void* stream);

/// Trainable tensors of these shapes, all zero.
std::vector<at::Tensor> make_parameters(const std::vector<tunable_spec>&, at::Device = at::kCPU);
/// Sets their values from one after another, float32 [elements].
void load_parameters(std::vector<at::Tensor>&, const tensor_view& values);

/// Threads of torch's kernels and of BLAS; never derived from the number of ranks, because gradients depend on it.
void set_torch_threads(int threads);

/// Whether float32 products may use TF32. Off, they are float32 on every device.
void allow_tf32(bool allowed);
/// True when this LibTorch computes on GPUs.
bool torch_has_cuda();

/// Runs `work`. \throws runtime_failure in place of LibTorch's own errors: one line, and what helps when a GPU's memory
/// is not enough.
void with_clear_errors(const std::function<void()>& work);

std::string torch_version();

/// GFLOP/s of a 512 x 512 single-precision matrix product; tells reference BLAS from a fast one.
double measure_gemm_gflops();

/// Bytes of tensor memory that this thread allocates and frees while the object lives.
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

/// softmax(q k' / sqrt(d)) v for [n, heads, tokens, d], in one kernel that keeps no probabilities; undefined where this
/// LibTorch has none.
at::Tensor fused_attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values);
/// A step of SGD with momentum or of AdamW on all parameters in one kernel (definitions: model/optimizer.hpp); the
/// moments are changed in place. False, and nothing happens, where this LibTorch has none.
struct fused_step {
    at::TensorList parameters, gradients, first_moments, second_moments; ///< SGD has no second ones.
    double learning_rate, weight_decay, momentum;                        ///< AdamW: betas and eps are PyTorch's.
    std::int64_t steps;                                                  ///< This one included
};
bool fused_sgd(const fused_step&);
bool fused_adamw(const fused_step&);

/// Runs the backward pass from `output` with the gradient `gradient` (undefined for a scalar).
void run_backward(const at::Tensor& output, const at::Tensor& gradient);

} // namespace gaisnet
