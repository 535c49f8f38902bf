#pragma once

#include "base/tensor_view.hpp"

#include "transport/nccl/handles.hpp"

#include <cuda_runtime_api.h>

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace gaisnet {

/// Memory of one device and page-locked memory of its host. Tensors may be let go by any thread, after all work that
/// uses them was given to the compute stream, or has ended; they may outlive this object, but not the stream.
class cuda_memory {
public:
    /// \param index the device. Memory that is let go stays with the device's pool, since asking the driver is slow.
    /// \param compute the stream in which tensors are computed.
    cuda_memory(int index, cudaStream_t compute);

    cudaStream_t compute() const { return compute_; }

    /// Uninitialised device memory, usable in `stream` at once.
    tensor_view device(std::vector<std::int64_t> shape, element_type, cudaStream_t stream) const;
    /// Uninitialised device memory that MPI may write to at once: it knows no streams, and may want to export the memory
    /// to other processes, which a pool's memory is not for. Blocks that were let go are used again.
    tensor_view exportable(std::vector<std::int64_t> shape, element_type) const;
    /// Uninitialised page-locked host memory. Blocks that were let go are used again, when copies that read them have
    /// ended: the host never waits for that.
    tensor_view pinned(std::vector<std::int64_t> shape, element_type) const;

private:
    struct block {
        void* memory = nullptr;
        std::shared_ptr<cuda_event> last_use; ///< The end of what the device was given when it was let go.
    };
    /// Blocks that nobody holds, by size, a power of two.
    struct block_pool {
        explicit block_pool(cudaError_t (*let_go)(void*)): release(let_go) {}
        ~block_pool();
        /// The block that was let go first, if there is one; or only if its last use has ended.
        std::optional<block> take(std::size_t size, bool only_unused);
        void give(std::size_t size, block);

        cudaError_t (*release)(void*);
        std::mutex guard;
        std::map<std::size_t, std::deque<block>> free;
    };
    tensor_view from_pool(const std::shared_ptr<block_pool>&, block, std::size_t size, std::vector<std::int64_t> shape,
                          element_type) const;

    int index_;
    cudaStream_t compute_;
    std::shared_ptr<block_pool> pinned_, exportable_;
};

} // namespace gaisnet
