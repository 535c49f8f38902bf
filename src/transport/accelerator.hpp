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

/// The GPU of a rank. Which of its implementations a program has is chosen when it is built: CUDA's, or none.
class accelerator {
public:
    virtual ~accelerator() = default;

    /// The stream in which tensors have to be computed, as CUDA's handle: sends wait for what it was given so far.
    virtual void* compute_stream() = 0;

    /// Waits until the compute stream has done all that it was given.
    virtual void synchronise() = 0;
    /// Bytes of the GPU's memory that this rank may still take: its share of what is free.
    virtual std::uint64_t free_memory() const = 0;

    /// What a transport of the host needs: memory for messages (page-locked on the host), and a way off the device.
    virtual tensor_allocator allocator() = 0;
    virtual std::unique_ptr<tensor_staging> staging() = 0;
    /// Connects the ranks of device_plan::nccl. Every rank has to call it. \param base carries the connection's id.
    virtual std::unique_ptr<device_fabric> fabric(transport& base) = 0;
    /// Device memory for frozen weights, one a GPU: the first rank of each GPU makes and fills it, the other ranks of
    /// the GPU open the same memory. Every rank has to call it, with the same size.
    /// \throws runtime_failure naming the GPU and both sizes when it is too small.
    virtual tensor_view shared_weights(std::size_t bytes, transport& base,
                                       const std::function<void(const tensor_view&)>& fill) = 0;
};

/// Fills in what this process sees of GPUs and NCCL, or why there is nothing. Starts nothing on a GPU.
void look_for_gpus(rank_report&);
/// The GPU that the plan gives to this rank; from now on it is the process's current one.
/// \throws runtime_failure when it cannot be used.
std::unique_ptr<accelerator> open_accelerator(const device_plan&, int rank);
/// Names and versions of CUDA and NCCL, empty without them.
std::map<std::string, std::string> accelerator_libraries();
/// What the program computes on, for --version: "CPU, CUDA" or why it is only the CPU.
std::string accelerator_summary();

} // namespace gaisnet
