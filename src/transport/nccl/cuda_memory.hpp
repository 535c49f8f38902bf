#pragma once

#include "base/tensor_view.hpp"

#include <cuda_runtime_api.h>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace gaisnet {

/// Memory of one device and page-locked memory of its host. Tensors may be let go by any thread, after all work that
/// uses them was given to the default stream, and may outlive this object.
class cuda_memory {
public:
    /// \param index the device. Memory that is let go stays with the device's pool, since asking the driver is slow.
    explicit cuda_memory(int index);

    /// Uninitialised device memory, usable in `stream` at once.
    tensor_view device(std::vector<std::int64_t> shape, element_type, cudaStream_t stream) const;
    /// Uninitialised page-locked host memory. Blocks that were let go are used again.
    tensor_view pinned(std::vector<std::int64_t> shape, element_type) const;

private:
    /// Page-locked blocks by size, a power of two.
    struct pinned_pool {
        ~pinned_pool();
        std::mutex guard;
        std::map<std::size_t, std::vector<void*>> free;
    };
    int index_;
    std::shared_ptr<pinned_pool> pinned_ = std::make_shared<pinned_pool>();
};

} // namespace gaisnet
