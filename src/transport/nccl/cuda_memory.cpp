#include "transport/nccl/cuda_memory.hpp"

#include "transport/nccl/handles.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace gaisnet {

namespace {

/// Where LibTorch computes unless it is told otherwise.
constexpr cudaStream_t default_stream = nullptr;
constexpr std::size_t smallest_block = 4096;

} // namespace

cuda_memory::cuda_memory(int index)
    : index_(index)
    , pinned_(std::make_shared<block_pool>(cudaFreeHost))
    , exportable_(std::make_shared<block_pool>(cudaFree)) {
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

cuda_memory::block_pool::~block_pool() {
    for (const auto& [size, blocks] : free) {
        for (const auto& one : blocks) {
            release(one.memory);
        }
    }
}

std::optional<cuda_memory::block> cuda_memory::block_pool::take(std::size_t size) {
    const std::lock_guard lock(guard);
    auto& blocks = free[size];
    if (blocks.empty()) {
        return std::nullopt;
    }
    auto one = std::move(blocks.back());
    blocks.pop_back();
    return one;
}

void cuda_memory::block_pool::give(std::size_t size, block one) {
    const std::lock_guard lock(guard);
    free[size].push_back(std::move(one));
}

tensor_view cuda_memory::exportable(std::vector<std::int64_t> shape, element_type type) const {
    auto view = tensor_view::shape_only(std::move(shape), type);
    view.memory = memory_space::device;
    const auto size = std::bit_ceil(std::max(view.bytes(), smallest_block));
    void* memory = nullptr;
    if (auto used = exportable_->take(size)) {
        GAISNET_CUDA(cudaEventSynchronize, used->last_use->get());
        memory = used->memory;
    } else {
        GAISNET_CUDA(cudaMalloc, &memory, size);
    }
    view.data = static_cast<std::byte*>(memory);
    // The event is made here, because letting go must not fail.
    view.owner = std::shared_ptr<void>(
        memory, [pool = exportable_, size, index = index_, end = std::make_shared<cuda_event>()](void* let_go) {
            cudaSetDevice(index);
            cudaEventRecord(end->get(), default_stream);
            pool->give(size, {let_go, end});
        });
    return view;
}

tensor_view cuda_memory::pinned(std::vector<std::int64_t> shape, element_type type) const {
    auto view = tensor_view::shape_only(std::move(shape), type);
    const auto size = std::bit_ceil(std::max(view.bytes(), smallest_block));
    void* memory = nullptr;
    if (auto used = pinned_->take(size)) {
        memory = used->memory;
    } else {
        GAISNET_CUDA(cudaHostAlloc, &memory, size, cudaHostAllocDefault);
    }
    view.data = static_cast<std::byte*>(memory);
    view.owner = std::shared_ptr<void>(memory, [pool = pinned_, size](void* let_go) {
        pool->give(size, {let_go, nullptr});
    });
    return view;
}

} // namespace gaisnet
