#include "transport/accelerator.hpp"

#include "base/error.hpp"
#include "transport/nccl/cuda_memory.hpp"
#include "transport/nccl/handles.hpp"
#include "transport/nccl/nccl_fabric.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace gaisnet {

namespace {

std::string uuid_text(const cudaUUID_t& uuid) {
    std::string text = "GPU-";
    for (std::size_t i = 0; i < sizeof uuid.bytes; ++i) {
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                            static_cast<unsigned char>(uuid.bytes[i]));
    }
    return text;
}

/// Copies to page-locked memory or, if MPI accepts device memory, only waits until the tensor has been computed.
class cuda_staging final : public tensor_staging {
public:
    cuda_staging(std::shared_ptr<cuda_memory> memory, bool copies): memory_(std::move(memory)), copies_(copies) {}

    std::unique_ptr<pending_transfer> stage(const tensor_view& tensor, tensor_view& staged) override {
        class computed final : public pending_transfer {
        public:
            bool done() override { return event.reached(); }
            cuda_event event;
        };
        auto pending = std::make_unique<computed>();
        pending->event.record(memory_->compute());
        if (!copies_) {
            staged = tensor;
            return pending;
        }
        staged = memory_->pinned(tensor.shape, tensor.type);
        GAISNET_CUDA(cudaStreamWaitEvent, stream_.get(), pending->event.get(), 0);
        GAISNET_CUDA(cudaMemcpyAsync, staged.data, tensor.data, tensor.bytes(), cudaMemcpyDeviceToHost, stream_.get());
        pending->event.record(stream_.get());
        return pending;
    }

private:
    std::shared_ptr<cuda_memory> memory_;
    bool copies_;
    cuda_stream stream_;
};

class cuda_accelerator final : public accelerator {
public:
    cuda_accelerator(const device_plan& plan, int rank): plan_(plan), rank_(rank) {
        const auto& mine = me();
        set_device_speaker(fmt::format("rank {} on host {}, GPU {} ({})", rank, mine.host, mine.index, mine.gpu.uuid));
        for (const auto& [name, value] : nccl_settings(plan_, rank)) {
            setenv(name.c_str(), value.c_str(), name == "NCCL_HOSTID");
        }
        GAISNET_CUDA(cudaSetDevice, mine.index);
        compute_.emplace();
        memory_ = std::make_shared<cuda_memory>(mine.index, compute_->get());
    }

    void* compute_stream() override { return compute_->get(); }

    void synchronise() override { GAISNET_CUDA(cudaStreamSynchronize, compute_->get()); }

    std::uint64_t free_memory() const override {
        std::size_t free = 0, total = 0;
        GAISNET_CUDA(cudaMemGetInfo, &free, &total);
        const auto sharers = std::count_if(plan_.ranks.begin(), plan_.ranks.end(),
                                           [this](const rank_device& one) { return one.gpu_first == me().gpu_first; });
        return free / static_cast<std::size_t>(sharers);
    }

    tensor_allocator allocator() override {
        return [memory = memory_](const tensor_shape& shape, element_type type, memory_space space) {
            if (space == memory_space::host) {
                return memory->pinned(shape, type);
            }
            return memory->exportable(shape, type);
        };
    }
    std::unique_ptr<tensor_staging> staging() override {
        return std::make_unique<cuda_staging>(memory_, !plan_.mpi_takes_device);
    }
    std::unique_ptr<device_fabric> fabric(transport& base) override {
        return std::make_unique<nccl_fabric>(base, plan_.nccl, memory_);
    }

    tensor_view shared_weights(std::size_t bytes, transport& base,
                               const std::function<void(const tensor_view&)>& fill) override {
        auto view = tensor_view::shape_only({static_cast<std::int64_t>((bytes + 3) / 4)});
        view.memory = memory_space::device;
        cudaIpcMemHandle_t handle{};
        void* memory = nullptr;
        if (owns_weights()) {
            memory = allocate(view.bytes());
            view.owner = std::shared_ptr<void>(memory, [](void* let_go) { cudaFree(let_go); });
            view.data = static_cast<std::byte*>(memory);
            fill(view);
            GAISNET_CUDA(cudaDeviceSynchronize);
            if (shares_weights()) {
                GAISNET_CUDA(cudaIpcGetMemHandle, &handle, memory);
            }
        }
        const auto handles = exchange_handles(handle, base);
        if (!owns_weights()) {
            handle = handles[static_cast<std::size_t>(me().gpu_first)];
            GAISNET_CUDA(cudaIpcOpenMemHandle, &memory, handle, cudaIpcMemLazyEnablePeerAccess);
            view.owner = std::shared_ptr<void>(memory, [](void* let_go) { cudaIpcCloseMemHandle(let_go); });
            view.data = static_cast<std::byte*>(memory);
        }
        // Freeing device memory waits for all work on the device, and after an error that may be a receive whose peer
        // never sends. So the weights live as long as this object, and a failed run ends without destroying it.
        weights_.push_back(view.owner);
        base.barrier(); // the owner must not exit before the others have opened it
        return view;
    }

private:
    const rank_device& me() const { return plan_.ranks[static_cast<std::size_t>(rank_)]; }
    bool owns_weights() const { return me().gpu_first == rank_; }
    bool shares_weights() const {
        for (std::size_t rank = 0; rank < plan_.ranks.size(); ++rank) {
            if (static_cast<int>(rank) != rank_ && plan_.ranks[rank].gpu_first == rank_) {
                return true;
            }
        }
        return false;
    }

    void* allocate(std::size_t bytes) const {
        std::size_t free = 0, total = 0;
        GAISNET_CUDA(cudaMemGetInfo, &free, &total);
        if (bytes > free) {
            constexpr double gigabyte = 1e9;
            throw runtime_failure(fmt::format(
                "rank {} on host {}: the frozen weights need {:.2f} GB, but of the {:.2f} GB of GPU {} ({}) only "
                "{:.2f} GB are free; fewer ranks or other programs on it, or a smaller model, need less",
                rank_, me().host, static_cast<double>(bytes) / gigabyte, static_cast<double>(total) / gigabyte,
                me().index, me().gpu.name, static_cast<double>(free) / gigabyte));
        }
        // Smaller allocations are parts of a block, and other processes would receive the whole block.
        constexpr std::size_t block = std::size_t{2} << 20;
        void* memory = nullptr;
        GAISNET_CUDA(cudaMalloc, &memory, (bytes + block - 1) / block * block);
        return memory;
    }

    static std::vector<cudaIpcMemHandle_t> exchange_handles(const cudaIpcMemHandle_t& mine, transport& base) {
        std::vector<std::byte> bytes(sizeof mine);
        std::memcpy(bytes.data(), &mine, sizeof mine);
        std::vector<std::byte> all;
        for (const auto& part : base.gather(bytes, 0)) {
            all.insert(all.end(), part.begin(), part.end());
        }
        base.broadcast(all, 0);
        std::vector<cudaIpcMemHandle_t> handles(static_cast<std::size_t>(base.ranks()));
        std::memcpy(handles.data(), all.data(), all.size());
        return handles;
    }

    device_plan plan_;
    int rank_;
    std::optional<cuda_stream> compute_; ///< Made on this rank's device.
    std::shared_ptr<cuda_memory> memory_;
    std::vector<std::shared_ptr<void>> weights_;
};

} // namespace

void look_for_gpus(rank_report& report) {
    report.nccl_built = NCCL_VERSION_CODE;
    ncclGetVersion(&report.nccl_loaded);
    int count = 0;
    const auto code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count == 0) {
        static_cast<void>(cudaGetLastError()); // otherwise the next call would report it
        report.why_none = code == cudaSuccess ? "CUDA sees no device" : cudaGetErrorString(code);
        return;
    }
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties{};
        GAISNET_CUDA(cudaGetDeviceProperties, &properties, index);
        const auto bus =
            fmt::format("{:04x}:{:02x}:{:02x}", properties.pciDomainID, properties.pciBusID, properties.pciDeviceID);
        report.gpus.push_back({uuid_text(properties.uuid), bus, properties.name, properties.totalGlobalMem});
    }
}

std::unique_ptr<accelerator> open_accelerator(const device_plan& plan, int rank) {
    return std::make_unique<cuda_accelerator>(plan, rank);
}

std::map<std::string, std::string> accelerator_libraries() {
    int runtime = 0, driver = 0, nccl = 0;
    GAISNET_CUDA(cudaRuntimeGetVersion, &runtime);
    GAISNET_CUDA(cudaDriverGetVersion, &driver);
    GAISNET_NCCL(ncclGetVersion, &nccl);
    const auto text = [](int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); };
    return {{"CUDA", text(runtime)},
            {"CUDA driver", driver == 0 ? "none" : "for CUDA " + text(driver)},
            {"NCCL", nccl_version_text(nccl)}};
}

std::string accelerator_summary() { return "CPU, CUDA"; }

} // namespace gaisnet
