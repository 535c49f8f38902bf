// NCCL on real GPUs, under mpirun with any number of ranks. Ranks that share a GPU use MPI, as in the program; with
// GAISNET_NCCL_SHARE_GPU=on they use NCCL as well. Skips, and says why, where a rank sees no GPU.

#include "base/error.hpp"
#include "base/random.hpp"
#include "support/mpi_main.hpp"
#include "transport/accelerator.hpp"
#include "transport/conformance.hpp"
#include "transport/device_transport.hpp"
#include "transport/mpi/mpi_transport.hpp"
#include "transport/nccl/cuda_memory.hpp"
#include "transport/nccl/handles.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

namespace gaisnet {
namespace {

/// A rank's transport as the program makes it.
struct rank_of_gpus {
    explicit rank_of_gpus(bool nccl) {
        auto mpi = std::make_unique<mpi_transport>(lab::mpi());
        rank_report report;
        look_for_gpus(report);
        report.host = lab::mpi().host();
        report.mpi_takes_device = mpi_session::takes_device_memory();
        const auto* share = std::getenv("GAISNET_NCCL_SHARE_GPU");
        const auto reports = exchange_reports(*mpi, report);
        for (const auto& one : reports) {
            if (one.gpus.empty()) {
                lab::skip_all(("no GPU on host " + one.host + ": " + one.why_none).c_str());
            }
        }
        plan = plan_devices(device_choice::cuda, share && std::string(share) == "on", reports);
        if (!nccl) {
            plan.nccl.clear();
        }
        gpu = open_accelerator(plan, lab::mpi().rank());
        mpi->use_memory(gpu->allocator());
        auto fabric = plan.nccl.empty() ? nullptr : gpu->fabric(*mpi);
        network = std::make_unique<device_transport>(std::move(mpi), gpu->staging(), std::move(fabric));
        memory = std::make_unique<cuda_memory>(plan.ranks[static_cast<std::size_t>(lab::mpi().rank())].index,
                                               static_cast<cudaStream_t>(gpu->compute_stream()));
    }
    conformance::subject subject() {
        return {*network, [this](tensor_view host) { return to_device(std::move(host)); },
                [this](tensor_view device) { return to_host(std::move(device)); }};
    }
    tensor_view to_device(tensor_view host) const {
        if (host.empty()) {
            return host;
        }
        auto copy = memory->device(host.shape, host.type, memory->compute());
        // In the stream that sends wait for; a copy from pageable memory in another one may end after it.
        GAISNET_CUDA(cudaMemcpyAsync, copy.data, host.data, host.bytes(), cudaMemcpyHostToDevice, memory->compute());
        GAISNET_CUDA(cudaStreamSynchronize, memory->compute());
        return copy;
    }
    static tensor_view to_host(tensor_view device) {
        if (device.memory == memory_space::host) {
            return device;
        }
        auto copy = tensor_view::allocate(device.shape, device.type);
        GAISNET_CUDA(cudaMemcpy, copy.data, device.data, device.bytes(), cudaMemcpyDeviceToHost);
        return copy;
    }

    device_plan plan;
    std::unique_ptr<accelerator> gpu;
    std::unique_ptr<device_transport> network;
    std::unique_ptr<cuda_memory> memory;
};

std::uint64_t carried_by_nccl(const transport& network) {
    for (const auto& one : network.counters()) {
        if (one.transport == "nccl") {
            return one.messages;
        }
    }
    return 0;
}

TEST(nccl, conforms) {
    rank_of_gpus rank(true);
    conformance::everything(rank.subject());
    const auto& members = rank.plan.nccl;
    const bool member = std::binary_search(members.begin(), members.end(), lab::mpi().rank());
    EXPECT_EQ(carried_by_nccl(*rank.network) > 0, member);
    if (lab::mpi().rank() == 0) {
        std::printf("%s%zu of %zu ranks are connected by NCCL\n", describe_devices(rank.plan).c_str(), members.size(),
                    rank.plan.ranks.size());
    }
}

TEST(nccl, device_tensors_over_mpi_conform) {
    rank_of_gpus rank(false);
    conformance::everything(rank.subject());
}

/// An average's integers: the sum over NCCL is the sum over MPI, in every bit.
TEST(nccl, sums_are_those_of_mpi) {
    rank_of_gpus rank(true);
    auto& network = *rank.network;
    if (rank.plan.nccl.size() != rank.plan.ranks.size() || rank.plan.ranks.size() == 1) {
        GTEST_SKIP() << "needs two ranks or more, all of them connected by NCCL";
    }
    mpi_transport mpi(lab::mpi());
    const auto everyone = conformance::all_ranks(network);
    network.prepare(everyone);
    mpi.prepare(everyone);
    network.expect({conformance::planned_sum(everyone)});
    random_stream stream(3, "test", "sum", 0, static_cast<std::uint32_t>(network.rank()));
    const auto over_nccl = conformance::values(9'000'001, 0);
    for (auto& value : *over_nccl) {
        value = static_cast<std::int64_t>(stream.bits()) * 1'000'003 - (std::int64_t{1} << 50);
    }
    const auto over_mpi = std::make_shared<std::vector<std::int64_t>>(*over_nccl);
    conformance::wait_for(*network.sum(over_nccl, everyone));
    conformance::wait_for(*mpi.sum(over_mpi, everyone));
    EXPECT_EQ(*over_nccl, *over_mpi);
    conformance::finish(network);
}

TEST(nccl, ranks_of_a_gpu_share_the_frozen_weights) {
    rank_of_gpus rank(true);
    const auto& me = rank.plan.ranks[static_cast<std::size_t>(lab::mpi().rank())];
    const auto weights = rank.gpu->shared_weights(1 << 20, *rank.network, [&](const tensor_view& memory) {
        const auto values = conformance::pattern(1 << 20, static_cast<std::uint32_t>(lab::mpi().rank()));
        GAISNET_CUDA(cudaMemcpy, memory.data, values.data, values.bytes(), cudaMemcpyHostToDevice);
    });
    EXPECT_TRUE(conformance::holds_pattern(rank_of_gpus::to_host(weights), static_cast<std::uint32_t>(me.gpu_first)));
    rank.network->barrier();
}

} // namespace
} // namespace gaisnet
