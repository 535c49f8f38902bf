// For programs without GPUs: CMake uses this file when it finds no CUDA toolkit, no NCCL, or no LibTorch with CUDA.

#include "transport/accelerator.hpp"

#include "base/error.hpp"

namespace gaisnet {

void look_for_gpus(rank_report& report) { report.why_none = "the program was built without CUDA"; }

std::unique_ptr<accelerator> open_accelerator(const device_plan&, int) {
    throw runtime_failure("the program was built without CUDA");
}

std::map<std::string, std::string> accelerator_libraries() { return {}; }

std::string accelerator_summary() { return "CPU (built without CUDA)"; }

} // namespace gaisnet
