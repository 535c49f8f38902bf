#include "transport/nccl/cuda_memory.hpp"

#include "transport/nccl/handles.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace gaisnet {

namespace {

/// Where LibTorch computes unless it is told otherwise.
constexpr cudaStream_t default_stream = nullptr;
constexpr std::size_t smallest_pinned = 4096;

} // namespace

cuda_memory::cuda_memory(int index): index_(index) {
    cudaMemPool_t pool = nullptr;
    GAISNET_CUDA(cudaDeviceGetDefaultMemPool, &pool, index);
    auto keep = std::numeric_limits<std::uint64_t>::max();
    GAISNET_CUDA(cudaMemPoolSetAttribute, pool, cudaMemPoolAttrReleaseThreshold, &keep);
}

tensor_view cuda_memory::device(std::vector<std::int64_t> shape, element_type type, cudaStream_t stream) const {
    auto view = tensor_view::shape_only(std::move(shape), type);
    view.memory = memory_space::device;
    void* memory = nullptr;
    GAISNET_CUDA(cudaMallocAsync, &memory, std::max<std::size_t>(view.bytes(), 1), stream);
    view.data = static_cast<std::byte*>(memory);
    // Behind the work that reads it. The thread may be one of LibTorch's, with another current device.
    view.owner = std::shared_ptr<void>(memory, [index = index_](void* let_go) {
        cudaSetDevice(index);
        cudaFreeAsync(let_go, default_stream);
    });
    return view;
}

cuda_memory::pinned_pool::~pinned_pool() {
    for (const auto& [size, blocks] : free) {
        for (auto* block : blocks) {
            cudaFreeHost(block);
        }
    }
}

tensor_view cuda_memory::pinned(std::vector<std::int64_t> shape, element_type type) const {
    auto view = tensor_view::shape_only(std::move(shape), type);
    const auto size = std::bit_ceil(std::max(view.bytes(), smallest_pinned));
    void* memory = nullptr;
    {
        const std::lock_guard lock(pinned_->guard);
        if (auto& blocks = pinned_->free[size]; !blocks.empty()) {
            memory = blocks.back();
            blocks.pop_back();
        }
    }
    if (!memory) {
        GAISNET_CUDA(cudaHostAlloc, &memory, size, cudaHostAllocDefault);
    }
    view.data = static_cast<std::byte*>(memory);
    view.owner = std::shared_ptr<void>(memory, [pool = pinned_, size](void* let_go) {
        const std::lock_guard lock(pool->guard);
        pool->free[size].push_back(let_go);
    });
    return view;
}

} // namespace gaisnet
