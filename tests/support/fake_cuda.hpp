#pragma once

// A double of the parts of CUDA and NCCL that the NCCL transport uses, so that its code runs on machines without a GPU.
// Ranks are threads, each with its own current device; device memory is host memory. Streams other than the default one
// are queues that only move on when somebody asks an event or waits for a stream. NCCL buffers nothing: a send ends when
// it and its receive are at the heads of their streams. A pair of ranks that has not been connected in a group call is
// an error here: NCCL would make the connection while the host waits for its peer.

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <string>

namespace gaisnet::fake_cuda {

/// GPUs that every thread sees from now on; 0: as on a machine without a driver.
void set_devices(int count);
/// Bytes of device memory, all of it free.
void set_memory(std::size_t bytes);
/// The next NCCL operation of this thread fails in this way.
void fail_next(ncclResult_t, const std::string& last_error);
/// Communicators of this thread report this as their asynchronous state.
void set_async_error(ncclResult_t);
/// Tensors and communicators that were made and not let go.
int living_allocations();
int living_communicators();
/// The stream does nothing more until it may go on: as when a long computation is under way.
void hold(cudaStream_t);
void go_on(cudaStream_t);
/// Whether the device's memory pool may hand out memory that a stream must first be waited for.
bool memory_may_make_streams_wait();
/// The largest maxCTAs of all communicators so far.
int largest_communicator_blocks();
/// Bytes that ncclSend and ncclAllReduce of all threads were given.
std::size_t bytes_sent();
std::size_t bytes_summed();

} // namespace gaisnet::fake_cuda
