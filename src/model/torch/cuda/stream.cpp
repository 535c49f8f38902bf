#include "model/torch/torch_support.hpp"

#include <c10/cuda/CUDAStream.h>

namespace gaisnet {

void compute_in_stream(void* stream) {
    c10::cuda::setCurrentCUDAStream(
        c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(stream), c10::cuda::current_device()));
}

} // namespace gaisnet
