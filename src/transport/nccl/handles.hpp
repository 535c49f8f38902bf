#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace gaisnet {

/// Sets the prefix of this thread's error messages: "rank 2 on host n1, GPU 0". Called when a rank gets its device.
void set_device_speaker(std::string who);

/// Throws runtime_failure naming the call, CUDA's reason and the prefix, unless `code` is cudaSuccess.
void check_cuda(cudaError_t code, const char* call);
/// The same for NCCL, with the message of ncclGetLastError. ncclInProgress is not a failure.
void check_nccl(ncclResult_t code, const char* call, ncclComm_t comm = nullptr);

#define GAISNET_CUDA(function, ...) ::gaisnet::check_cuda(function(__VA_ARGS__), #function)
#define GAISNET_NCCL(function, ...) ::gaisnet::check_nccl(function(__VA_ARGS__), #function)

/// Owns a stream that does not wait for the default stream, in which LibTorch computes.
class cuda_stream {
public:
    cuda_stream();
    cuda_stream(cuda_stream&& other) noexcept: stream_(std::exchange(other.stream_, nullptr)) {}
    cuda_stream& operator=(cuda_stream&& other) noexcept {
        std::swap(stream_, other.stream_);
        return *this;
    }
    ~cuda_stream();
    cudaStream_t get() const { return stream_; }

private:
    cudaStream_t stream_ = nullptr;
};

/// Owns an event without timing.
class cuda_event {
public:
    cuda_event();
    cuda_event(cuda_event&& other) noexcept: event_(std::exchange(other.event_, nullptr)) {}
    cuda_event& operator=(cuda_event&& other) noexcept {
        std::swap(event_, other.event_);
        return *this;
    }
    ~cuda_event();
    cudaEvent_t get() const { return event_; }
    /// Marks the end of the work that the stream has been given so far.
    void record(cudaStream_t);
    /// Whether that work has ended. \throws runtime_failure when something in the stream failed.
    bool reached() const;

private:
    cudaEvent_t event_ = nullptr;
};

/// Owns a communicator. While an exception is under way its peers may be gone; then it is aborted, not destroyed.
class nccl_communicator {
public:
    nccl_communicator() = default;
    /// Blocks until all `ranks` have called it with the same id. Its kernels use at most `most_blocks` of the device's
    /// multiprocessors. Communicators that are split off share its connections.
    nccl_communicator(int ranks, const ncclUniqueId&, int rank, int most_blocks);
    /// Splits off a communicator with some of its ranks, in order. All its ranks have to call it; ranks that are not
    /// members get an empty one. Operations of both run one after another on the device.
    nccl_communicator split(bool member) const;
    nccl_communicator(nccl_communicator&& other) noexcept
        : comm_(std::exchange(other.comm_, nullptr))
        , most_blocks_(other.most_blocks_) {}
    nccl_communicator& operator=(nccl_communicator&& other) noexcept {
        std::swap(comm_, other.comm_);
        std::swap(most_blocks_, other.most_blocks_);
        return *this;
    }
    ~nccl_communicator();
    ncclComm_t get() const { return comm_; }
    /// \throws runtime_failure when an operation has failed since the last call.
    void check() const;

private:
    nccl_communicator(ncclComm_t comm, int most_blocks): comm_(comm), most_blocks_(most_blocks) {}
    ncclComm_t comm_ = nullptr;
    int most_blocks_ = 0;
};

} // namespace gaisnet
