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

/// Memory of one device, and page-locked memory of its host. Any thread may release a tensor, after all work that uses
/// it has been given to the compute stream or has ended. Tensors may outlive this object, but not the stream.
class cuda_memory {
public:
    /// \param index the device. Released memory stays in the device's pool, since asking the driver is slow. \param
    /// compute the stream in which tensors are computed.
    cuda_memory(int index, cudaStream_t compute);

    cudaStream_t compute() const { return compute_; }

    /// Uninitialised device memory that `stream` can use at once.
    tensor_view device(const tensor_shape& shape, element_type, cudaStream_t stream) const;
    /// Uninitialised device memory that MPI can write to at once. MPI knows no streams and may export the memory to
    /// other processes, which a pool's memory does not allow. Released blocks are reused.
    tensor_view exportable(const tensor_shape& shape, element_type) const;
    /// Uninitialised page-locked host memory. Released blocks are reused when the copies that read them have ended; the
    /// host never waits for that.
    tensor_view pinned(const tensor_shape& shape, element_type) const;

private:
    struct block {
        void* memory = nullptr;
        std::shared_ptr<cuda_event> last_use; ///< End of the work that the device had been given when it was released.
    };
    /// Released blocks by size, a power of two.
    struct block_pool {
        explicit block_pool(cudaError_t (*let_go)(void*)): release(let_go) {}
        ~block_pool();
        /// The block that was released first, if any. \param only_unused only if its last use has ended.
        std::optional<block> take(std::size_t size, bool only_unused);
        void give(std::size_t size, block);

        cudaError_t (*release)(void*);
        std::mutex guard;
        std::map<std::size_t, std::deque<block>> free;
    };
    tensor_view from_pool(const std::shared_ptr<block_pool>&, block, std::size_t size, const tensor_shape& shape,
                          element_type) const;

    int index_;
    cudaStream_t compute_;
    std::shared_ptr<block_pool> pinned_, exportable_;
};

} // namespace gaisnet
