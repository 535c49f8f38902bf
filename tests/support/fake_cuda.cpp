#include "support/fake_cuda.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace {

/// True when it has run to its end.
using step = std::function<bool()>;

struct send_slot {
    const void* data = nullptr;
    std::size_t bytes = 0;
    bool taken = false;
};

/// A communicator as all its ranks see it.
struct nccl_world {
    int ranks = 0, joined = 0;
    std::map<std::pair<int, int>, std::shared_ptr<send_slot>> sends; ///< By sender and receiver; at a stream's head.
    std::set<std::pair<int, int>> connected;                         ///< By sender and receiver
    struct sum_round {
        std::vector<std::int64_t> total;
        int given = 0, taken = 0;
    };
    std::map<int, sum_round> sums; ///< By number of the call.
    struct split_round {
        std::vector<std::pair<int, int>> asked; ///< Colour and rank
        std::map<int, std::shared_ptr<nccl_world>> parts;
    };
    std::map<int, split_round> splits; ///< By number of the call.
    int most_blocks = 0;
    bool shares = false;
};

std::mutex guard; ///< Of everything here.
std::condition_variable changed;
std::map<std::string, std::shared_ptr<nccl_world>> worlds; ///< By id.
std::set<cudaStream_t> streams, held;
int devices = 1, allocations = 0, communicators = 0, ids = 0;
std::size_t memory_bytes = std::size_t{1} << 40, sent = 0, summed = 0;
bool pool_makes_streams_wait = true; ///< As CUDA's does at first.
thread_local int device = 0;
thread_local ncclResult_t next_failure = ncclSuccess, async_error = ncclSuccess;
thread_local std::string last_error;
thread_local bool in_group = false;
thread_local std::vector<step> grouped; ///< Of the group call under way; they move on side by side.
thread_local cudaStream_t grouped_stream = nullptr;

ncclResult_t take_failure() { return std::exchange(next_failure, ncclSuccess); }

} // namespace

struct CUstream_st {
    std::deque<step> steps;
};
struct CUevent_st {
    std::shared_ptr<bool> reached = std::make_shared<bool>(true);
};
struct ncclComm {
    std::shared_ptr<nccl_world> world;
    int rank = 0;
    int sums = 0;
    int splits = 0;
};

namespace {

/// Every stream as far as it goes.
void move_on() {
    for (bool again = true; again;) {
        again = false;
        for (auto* stream : streams) {
            while (!held.contains(stream) && !stream->steps.empty() && stream->steps.front()()) {
                stream->steps.pop_front();
                again = true;
            }
        }
    }
}

void give(cudaStream_t stream, step what) {
    if (in_group) {
        grouped.push_back(std::move(what));
        grouped_stream = stream;
    } else if (stream) {
        stream->steps.push_back(std::move(what));
    } else if (!what()) { // the default stream runs at once
        std::abort();
    }
}

bool connect_in_group(nccl_world& world, int from, int to) {
    if (in_group) {
        world.connected.insert({from, to});
    } else if (!world.connected.contains({from, to})) {
        last_error = "the host would wait here for its peer to connect";
        return false;
    }
    return true;
}

} // namespace

namespace gaisnet::fake_cuda {

void set_devices(int count) { devices = count; }
void set_memory(std::size_t bytes) { memory_bytes = bytes; }
void fail_next(ncclResult_t code, const std::string& text) {
    next_failure = code;
    last_error = text;
}
void set_async_error(ncclResult_t code) { async_error = code; }
int living_allocations() { return allocations; }
int living_communicators() { return communicators; }
void hold(cudaStream_t stream) {
    const std::lock_guard lock(guard);
    held.insert(stream);
}
void go_on(cudaStream_t stream) {
    const std::lock_guard lock(guard);
    held.erase(stream);
}
bool memory_may_make_streams_wait() { return pool_makes_streams_wait; }
int largest_communicator_blocks() {
    int most = 0;
    for (const auto& [id, world] : worlds) {
        most = std::max(most, world->most_blocks);
    }
    return most;
}
std::size_t bytes_sent() { return sent; }
std::size_t bytes_summed() { return summed; }

} // namespace gaisnet::fake_cuda

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
    *count = devices;
    return devices > 0 ? cudaSuccess : cudaErrorInsufficientDriver;
}
cudaError_t cudaSetDevice(int index) {
    device = index;
    return index >= 0 && index < devices ? cudaSuccess : cudaErrorInvalidDevice;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
    *properties = {};
    std::strcpy(properties->name, "double");
    properties->uuid.bytes[0] = static_cast<char>(0xab);
    properties->uuid.bytes[15] = static_cast<char>(index);
    properties->pciBusID = index;
    properties->totalGlobalMem = memory_bytes;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
const char* cudaGetErrorString(cudaError_t) { return "an error of the double"; }
const char* cudaGetErrorName(cudaError_t) { return "cudaErrorDouble"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = *total = memory_bytes;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
    *pool = nullptr;
    return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void* value) {
    const std::lock_guard lock(guard);
    if (attribute == cudaMemPoolReuseAllowInternalDependencies) {
        pool_makes_streams_wait = *static_cast<int*>(value) != 0;
    }
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    const std::lock_guard lock(guard);
    *memory = std::malloc(bytes);
    ++allocations;
    return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
    const std::lock_guard lock(guard);
    std::free(memory);
    --allocations;
    return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeAsync(void* memory, cudaStream_t) { return cudaFree(memory); }
cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }
cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t* handle, void* memory) {
    std::memcpy(handle, &memory, sizeof memory);
    return cudaSuccess;
}
cudaError_t cudaIpcOpenMemHandle(void** memory, cudaIpcMemHandle_t handle, unsigned) {
    std::memcpy(memory, &handle, sizeof *memory);
    return cudaSuccess;
}
cudaError_t cudaIpcCloseMemHandle(void*) { return cudaSuccess; }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    const std::lock_guard lock(guard);
    *stream = new CUstream_st;
    streams.insert(*stream);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const std::lock_guard lock(guard);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    std::unique_lock lock(guard);
    for (move_on(); stream && !stream->steps.empty(); move_on()) {
        changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    const std::lock_guard lock(guard);
    give(stream, [reached = event->reached] { return *reached; });
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new CUevent_st;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const std::lock_guard lock(guard);
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const std::lock_guard lock(guard);
    event->reached = std::make_shared<bool>(false); // who waits for the event as it was keeps the old one
    give(stream, [reached = event->reached] { return *reached = true; });
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    std::unique_lock lock(guard);
    for (move_on(); !*event->reached; move_on()) {
        changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    const std::lock_guard lock(guard);
    move_on();
    return *event->reached ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
    const std::lock_guard lock(guard);
    give(stream, [=] {
        std::memcpy(to, from, bytes);
        return true;
    });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
    const std::lock_guard lock(guard);
    give(stream, [=] {
        std::memset(memory, value, bytes);
        return true;
    });
    return cudaSuccess;
}

ncclResult_t ncclGetVersion(int* version) {
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t) { return "an NCCL error of the double"; }
const char* ncclGetLastError(ncclComm_t) { return last_error.c_str(); }
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
    const std::lock_guard lock(guard);
    std::memset(id, 0, sizeof *id);
    std::strcpy(id->internal, std::to_string(++ids).c_str());
    return take_failure();
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
    std::unique_lock lock(guard);
    auto& world = worlds[id.internal];
    if (!world) {
        world = std::make_shared<nccl_world>();
        world->ranks = ranks;
        world->most_blocks = config->maxCTAs;
        world->shares = config->splitShare == 1;
    }
    *comm = new ncclComm{world, rank};
    ++communicators;
    ++world->joined;
    changed.notify_all();
    changed.wait(lock, [joining = world] { return joining->joined == joining->ranks; });
    return take_failure();
}
ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
    *rank = comm->rank;
    return ncclSuccess;
}
ncclResult_t ncclCommSplit(ncclComm_t comm, int colour, int key, ncclComm_t* part, ncclConfig_t* config) {
    std::unique_lock lock(guard);
    if (!comm->world->shares || config->splitShare != 1 || key != comm->rank) {
        return ncclInvalidArgument;
    }
    auto& round = comm->world->splits[comm->splits++];
    round.asked.emplace_back(colour, key);
    changed.notify_all();
    changed.wait(lock, [&] { return static_cast<int>(round.asked.size()) == comm->world->ranks; });
    *part = nullptr;
    if (colour == NCCL_SPLIT_NOCOLOR) {
        return take_failure();
    }
    auto& world = round.parts[colour];
    if (!world) {
        world = std::make_shared<nccl_world>();
    }
    int place = 0, size = 0;
    for (const auto& [other, rank] : round.asked) {
        size += other == colour ? 1 : 0;
        place += other == colour && rank < key ? 1 : 0;
    }
    world->ranks = size;
    *part = new ncclComm{world, place};
    ++communicators;
    return take_failure();
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    const std::lock_guard lock(guard);
    delete comm;
    --communicators;
    return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) { return ncclCommDestroy(comm); }
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* state) {
    *state = async_error;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
    in_group = true;
    return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
    const std::lock_guard lock(guard);
    in_group = false;
    give(grouped_stream, [steps = std::exchange(grouped, {})]() mutable {
        std::erase_if(steps, [](step& one) { return one(); });
        return steps.empty();
    });
    return ncclSuccess;
}

ncclResult_t ncclSend(const void* data, std::size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
    const std::lock_guard lock(guard);
    if (next_failure != ncclSuccess) {
        return take_failure();
    }
    if (!connect_in_group(*comm->world, comm->rank, peer)) {
        return ncclInternalError;
    }
    sent += count;
    give(stream, [world = comm->world, me = comm->rank, peer,
                  mine = std::make_shared<send_slot>(send_slot{data, count}), shown = false]() mutable {
        auto& slot = world->sends[{me, peer}];
        if (!shown && !slot) {
            slot = mine;
            shown = true;
        }
        return mine->taken;
    });
    return ncclSuccess;
}
ncclResult_t ncclRecv(void* data, std::size_t count, ncclDataType_t, int peer, ncclComm_t comm, cudaStream_t stream) {
    const std::lock_guard lock(guard);
    if (next_failure != ncclSuccess) {
        return take_failure();
    }
    if (!connect_in_group(*comm->world, peer, comm->rank)) {
        return ncclInternalError;
    }
    give(stream, [world = comm->world, me = comm->rank, peer, data, count] {
        const auto found = world->sends.find({peer, me});
        if (found == world->sends.end() || !found->second) {
            return false;
        }
        if (found->second->bytes != count) {
            std::abort();
        }
        std::memcpy(data, found->second->data, count);
        found->second->taken = true;
        world->sends.erase(found);
        return true;
    });
    return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t comm, cudaStream_t stream) {
    const std::lock_guard lock(guard);
    if (type != ncclInt64 || operation != ncclSum) {
        return ncclInvalidArgument;
    }
    if (next_failure != ncclSuccess) {
        return take_failure();
    }
    summed += count * 8;
    give(stream, [world = comm->world, call = comm->sums++, from, to, count, given = false]() mutable {
        auto& round = world->sums[call];
        if (!given) {
            given = true;
            round.total.resize(count, 0);
            for (std::size_t i = 0; i < count; ++i) {
                round.total[i] += static_cast<const std::int64_t*>(from)[i];
            }
            ++round.given;
        }
        if (round.given < world->ranks) {
            return false;
        }
        std::memcpy(to, round.total.data(), count * 8);
        if (++round.taken == world->ranks) {
            world->sums.erase(call);
        }
        return true;
    });
    return ncclSuccess;
}

} // extern "C"
