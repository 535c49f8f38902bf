#include "transport/nccl/handles.hpp"

#include "base/error.hpp"

#include <exception>

namespace gaisnet {

namespace {

thread_local std::string speaker = "this process";

} // namespace

void set_device_speaker(std::string who) { speaker = std::move(who); }

void check_cuda(cudaError_t code, const char* call) {
    if (code != cudaSuccess) {
        throw runtime_failure(
            std::string(call) + " failed on " + speaker + ": " + cudaGetErrorString(code) + " (" +
            cudaGetErrorName(code) + ")" +
            (code == cudaErrorMemoryAllocation
                 ? "; a smaller train.batch, fewer runtime.active_clusters, or fewer ranks a GPU need "
                   "less"
                 : ""));
    }
}

void check_nccl(ncclResult_t code, const char* call, ncclComm_t comm) {
    if (code == ncclSuccess || code == ncclInProgress) {
        return;
    }
    std::string text = std::string(call) + " failed on " + speaker + ": " + ncclGetErrorString(code);
    const char* more = ncclGetLastError(comm);
    if (more && *more) {
        text += std::string("; ") + more;
    }
    throw runtime_failure(text);
}

cuda_stream::cuda_stream() { GAISNET_CUDA(cudaStreamCreateWithFlags, &stream_, cudaStreamNonBlocking); }

cuda_stream::~cuda_stream() {
    if (stream_) {
        cudaStreamDestroy(stream_); // a failure here cannot be handled
    }
}

cuda_event::cuda_event() { GAISNET_CUDA(cudaEventCreateWithFlags, &event_, cudaEventDisableTiming); }

cuda_event::~cuda_event() {
    if (event_) {
        cudaEventDestroy(event_);
    }
}

void cuda_event::record(cudaStream_t stream) { GAISNET_CUDA(cudaEventRecord, event_, stream); }

bool cuda_event::reached() const {
    const auto code = cudaEventQuery(event_);
    if (code == cudaErrorNotReady) {
        return false;
    }
    check_cuda(code, "cudaEventQuery");
    return true;
}

nccl_communicator::nccl_communicator(int ranks, const ncclUniqueId& id, int rank, int most_blocks)
    : most_blocks_(most_blocks) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.maxCTAs = most_blocks;
    config.splitShare = 1;
    GAISNET_NCCL(ncclCommInitRankConfig, &comm_, ranks, id, rank, &config);
}

nccl_communicator nccl_communicator::split(bool member) const {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.splitShare = 1;
    config.maxCTAs = most_blocks_;
    int rank = 0;
    check_nccl(ncclCommUserRank(comm_, &rank), "ncclCommUserRank", comm_);
    ncclComm_t part = nullptr;
    check_nccl(ncclCommSplit(comm_, member ? 0 : NCCL_SPLIT_NOCOLOR, rank, &part, &config), "ncclCommSplit", comm_);
    return {part, most_blocks_};
}

nccl_communicator::~nccl_communicator() {
    if (!comm_) {
        return;
    }
    if (std::uncaught_exceptions() > 0) {
        ncclCommAbort(comm_);
    } else {
        ncclCommDestroy(comm_);
    }
}

void nccl_communicator::check() const {
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError", comm_);
    check_nccl(state, "an NCCL operation", comm_);
}

} // namespace gaisnet
