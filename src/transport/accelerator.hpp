#pragma once

#include "transport/device_fabric.hpp"
#include "transport/device_plan.hpp"
#include "transport/transport.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace gaisnet {

/// The GPU of a rank. The implementation is chosen when the program is built: CUDA, or none.
class accelerator {
public:
    virtual ~accelerator() = default;

    /// The stream (CUDA's handle) in which tensors must be computed: sends wait for the work that it has been given so
    /// far.
    virtual void* compute_stream() = 0;

    /// Waits until the compute stream has finished all its work.
    virtual void synchronise() = 0;
    /// GPU memory, in bytes, that this rank may still use: its share of what is free.
    virtual std::uint64_t free_memory() const = 0;

    /// For a host transport: memory for messages (page-locked on the host), and staging of device tensors.
    virtual tensor_allocator allocator() = 0;
    virtual std::unique_ptr<tensor_staging> staging() = 0;
    /// Connects the ranks of device_plan::nccl. Every rank has to call it. \param base carries the connection's id.
    virtual std::unique_ptr<device_fabric> fabric(transport& base) = 0;
    /// Device memory for frozen weights, one allocation per GPU: the first rank of each GPU allocates and fills it, and
    /// the other ranks of the GPU open it. Every rank has to call it, with the same size. \throws runtime_failure
    /// naming the GPU and both sizes when its memory is too small.
    virtual tensor_view shared_weights(std::size_t bytes, transport& base,
                                       const std::function<void(const tensor_view&)>& fill) = 0;
};

/// Fills in which GPUs and NCCL this process sees, or why there are none. Starts nothing on a GPU.
void look_for_gpus(rank_report&);
/// Opens the GPU that the plan assigns to this rank and makes it the process's current one. \throws runtime_failure
/// when it cannot be used.
std::unique_ptr<accelerator> open_accelerator(const device_plan&, int rank);
/// Names and versions of CUDA and NCCL; empty without them.
std::map<std::string, std::string> accelerator_libraries();
/// The supported devices for --version: "CPU, CUDA", or why only the CPU is supported.
std::string accelerator_summary();

} // namespace gaisnet
