#include "transport/nccl/cuda_memory.hpp"

#include "transport/nccl/handles.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace gaisnet {

namespace {

constexpr std::size_t smallest_block = 4096;

std::size_t block_size(std::size_t bytes) { return std::bit_ceil(std::max(bytes, smallest_block)); }

} // namespace

cuda_memory::cuda_memory(int index, cudaStream_t compute)
    : index_(index)
    , compute_(compute)
    , pinned_(std::make_shared<block_pool>(cudaFreeHost))
    , exportable_(std::make_shared<block_pool>(cudaFree)) {
    cudaMemPool_t pool = nullptr;
    GAISNET_CUDA(cudaDeviceGetDefaultMemPool, &pool, index);
    auto keep = std::numeric_limits<std::uint64_t>::max();
    GAISNET_CUDA(cudaMemPoolSetAttribute, pool, cudaMemPoolAttrReleaseThreshold, &keep);
    // Otherwise a receive could get memory that the compute stream still uses, and would silently wait for it.
    int never = 0;
    GAISNET_CUDA(cudaMemPoolSetAttribute, pool, cudaMemPoolReuseAllowInternalDependencies, &never);
}

tensor_view cuda_memory::device(const tensor_shape& shape, element_type type, cudaStream_t stream) const {
    auto view = tensor_view::shape_only(shape, type);
    view.memory = memory_space::device;
    void* memory = nullptr;
    GAISNET_CUDA(cudaMallocAsync, &memory, std::max<std::size_t>(view.bytes(), 1), stream);
    view.data = static_cast<std::byte*>(memory);
    // Freed after the work that reads it. The thread may be one of LibTorch's, with another current device.
    view.owner = std::shared_ptr<void>(memory, [index = index_, compute = compute_](void* let_go) {
        cudaSetDevice(index);
        cudaFreeAsync(let_go, compute);
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

std::optional<cuda_memory::block> cuda_memory::block_pool::take(std::size_t size, bool only_unused) {
    const std::lock_guard lock(guard);
    auto& blocks = free[size];
    if (blocks.empty() || (only_unused && !blocks.front().last_use->reached())) {
        return std::nullopt;
    }
    auto one = std::move(blocks.front());
    blocks.pop_front();
    return one;
}

void cuda_memory::block_pool::give(std::size_t size, block one) {
    const std::lock_guard lock(guard);
    free[size].push_back(std::move(one));
}

tensor_view cuda_memory::from_pool(const std::shared_ptr<block_pool>& pool, block from, std::size_t size,
                                   const tensor_shape& shape, element_type type) const {
    auto view = tensor_view::shape_only(shape, type);
    view.data = static_cast<std::byte*>(from.memory);
    // Creates the event here, because releasing must not fail.
    auto end = from.last_use ? std::move(from.last_use) : std::make_shared<cuda_event>();
    view.owner = std::shared_ptr<void>(
        from.memory, [pool, size, index = index_, compute = compute_, end = std::move(end)](void* let_go) {
            cudaSetDevice(index);
            cudaEventRecord(end->get(), compute);
            pool->give(size, {let_go, end});
        });
    return view;
}

tensor_view cuda_memory::exportable(const tensor_shape& shape, element_type type) const {
    const auto size = block_size(tensor_view::shape_only(shape, type).bytes());
    block mine;
    if (auto used = exportable_->take(size, false)) {
        GAISNET_CUDA(cudaEventSynchronize, used->last_use->get());
        mine = std::move(*used);
    } else {
        GAISNET_CUDA(cudaMalloc, &mine.memory, size);
    }
    auto view = from_pool(exportable_, std::move(mine), size, shape, type);
    view.memory = memory_space::device;
    return view;
}

tensor_view cuda_memory::pinned(const tensor_shape& shape, element_type type) const {
    const auto size = block_size(tensor_view::shape_only(shape, type).bytes());
    block mine;
    if (auto used = pinned_->take(size, true)) {
        mine = std::move(*used);
    } else {
        GAISNET_CUDA(cudaHostAlloc, &mine.memory, size, cudaHostAllocDefault);
    }
    return from_pool(pinned_, std::move(mine), size, shape, type);
}

} // namespace gaisnet
