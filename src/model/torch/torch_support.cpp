#include "model/torch/torch_support.hpp"

#include "base/error.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Allocator.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace gaisnet {

at::Tensor to_torch(const tensor_view& view) {
    const auto type = view.type == element_type::float32 ? at::kFloat
                      : view.type == element_type::int64 ? at::kLong
                                                         : at::kByte;
    const auto device = view.memory == memory_space::device ? at::kCUDA : at::kCPU;
    return at::from_blob(
        view.data, at::IntArrayRef(view.shape.data(), view.shape.size()),
        [owner = view.owner](void*) mutable { owner.reset(); }, at::TensorOptions().dtype(type).device(device));
}

at::Tensor on_device(const tensor_view& view, at::Device device) {
    auto tensor = to_torch(view);
    if (!device.is_cuda() || !tensor.is_cpu()) {
        return tensor.to(device);
    }
    // A copy from pageable memory would make the host wait. Page-locked memory (cuda_memory::pinned) is reused only
    // after all work that the device has been given so far; LibTorch does the same with its own.
    return (tensor.is_pinned() ? tensor : tensor.pin_memory()).to(device, /*non_blocking=*/true);
}

at::Tensor on_device(std::span<const tensor_view> parts, at::Device device) {
    if (parts.size() == 1) {
        return on_device(parts.front(), device);
    }
    tensor_view all = parts.front();
    std::vector<at::Tensor> copied;
    std::vector<std::shared_ptr<void>> owners;
    const auto* end = all.data;
    bool together = true;
    all.shape.front() = 0;
    for (const auto& part : parts) {
        together = together && part.data == end && part.memory == all.memory;
        end = part.data + part.bytes();
        all.shape.front() += part.shape.front();
        owners.push_back(part.owner);
    }
    if (together) {
        all.owner = std::make_shared<decltype(owners)>(std::move(owners));
        return on_device(all, device);
    }
    for (const auto& part : parts) {
        copied.push_back(to_torch(part));
    }
    const bool on_host = std::all_of(parts.begin(), parts.end(),
                                     [](const tensor_view& part) { return part.memory == memory_space::host; });
    if (on_host) {
        return on_device(to_view(at::cat(copied)), device);
    }
    for (auto& part : copied) {
        part = part.to(device);
    }
    return at::cat(copied);
}

tensor_view to_view(const at::Tensor& tensor) {
    auto kept = std::make_shared<at::Tensor>(tensor.detach().contiguous());
    tensor_view view;
    view.type = kept->scalar_type() == at::kLong   ? element_type::int64
                : kept->scalar_type() == at::kByte ? element_type::uint8
                                                   : element_type::float32;
    view.memory = kept->is_cpu() ? memory_space::host : memory_space::device;
    view.shape = tensor_shape(kept->sizes().begin(), kept->sizes().end());
    view.data = static_cast<std::byte*>(kept->data_ptr());
    view.owner = std::move(kept);
    return view;
}

std::vector<at::Tensor> make_parameters(const std::vector<tunable_spec>& tunables, at::Device device) {
    std::vector<at::Tensor> parameters;
    for (const auto& tunable : tunables) {
        parameters.push_back(at::zeros(tunable.tensor.shape, device).requires_grad_(true));
    }
    return parameters;
}

void load_parameters(std::vector<at::Tensor>& parameters, const tensor_view& values) {
    const c10::NoGradGuard no_grad;
    const auto flat = to_torch(values);
    std::int64_t first = 0;
    for (auto& parameter : parameters) {
        parameter.copy_(flat.narrow(0, first, parameter.numel()).view(parameter.sizes()));
        first += parameter.numel();
    }
}

void set_torch_threads(int threads) { at::set_num_threads(threads); }

void allow_tf32(bool allowed) {
    at::globalContext().setAllowTF32CuBLAS(allowed);
    at::globalContext().setAllowTF32CuDNN(allowed);
}

bool torch_has_cuda() { return at::hasCUDA(); }

void with_clear_errors(const std::function<void()>& work) {
    try {
        work();
    } catch (const c10::OutOfMemoryError& problem) {
        const std::string text = problem.what_without_backtrace();
        throw runtime_failure("the GPU's memory is not enough: " + text.substr(0, text.find('\n')) +
                              " A smaller train.batch, more micro-batches with train.schedule = 1f1b, fewer "
                              "runtime.active_clusters, or fewer ranks a GPU need less");
    } catch (const c10::Error& problem) {
        const std::string text = problem.what_without_backtrace();
        throw runtime_failure("LibTorch: " + text.substr(0, text.find('\n')));
    }
}

std::string torch_version() { return TORCH_VERSION; }

double measure_gemm_gflops(bool in_bfloat16) {
    const std::int64_t n = 512;
    const auto type = in_bfloat16 ? at::kBFloat16 : at::kFloat;
    const auto a = at::ones({n, n}, type);
    const auto b = at::ones({n, n}, type);
    auto c = at::mm(a, b);
    double best = 0.0;
    for (int i = 0; i < 3; ++i) {
        const auto start = std::chrono::steady_clock::now();
        at::mm_out(c, a, b);
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        best = std::max(best, 2.0 * static_cast<double>(n * n * n) / elapsed.count() / 1e9);
    }
    return best;
}

namespace {

class reporter final : public c10::MemoryReportingInfoBase {
public:
    // The totals are std::int64_t in 1.13 and std::size_t in 2.x, so one of the two functions overrides.
    virtual void reportMemoryUsage(void*, std::int64_t bytes, std::int64_t, std::int64_t, c10::Device) { count(bytes); }
    virtual void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) { count(bytes); }
    bool memoryProfilingEnabled() const override { return true; }

    std::int64_t current = 0, peak = 0;

private:
    void count(std::int64_t bytes) {
        current += bytes;
        peak = std::max(peak, current);
    }
};

} // namespace

struct allocation_meter::state {
    std::shared_ptr<reporter> counts = std::make_shared<reporter>();
    c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, counts};
};

allocation_meter::allocation_meter(): state_(std::make_unique<state>()) {}
allocation_meter::~allocation_meter() = default;
std::int64_t allocation_meter::current() const { return state_->counts->current; }
std::int64_t allocation_meter::peak() const { return state_->counts->peak; }

void run_backward(const at::Tensor& output, const at::Tensor& gradient) {
    std::vector<at::Tensor> gradients;
    if (gradient.defined()) {
        gradients.push_back(gradient);
    }
    torch::autograd::backward({output}, gradients);
}

} // namespace gaisnet
