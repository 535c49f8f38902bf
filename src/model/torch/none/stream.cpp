// For programs without GPUs.

#include "model/torch/torch_support.hpp"

#include "base/error.hpp"

namespace gaisnet {

void compute_in_stream(void*) { throw runtime_failure("the program was built without CUDA"); }

} // namespace gaisnet
