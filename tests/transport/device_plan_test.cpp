// Which rank computes where, from what the ranks report: all that can be wrong with GPUs before one of them is used.

#include "transport/device_plan.hpp"

#include "base/error.hpp"
#include "transport/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::ThrowsMessage;

gpu_info gpu(const std::string& uuid, const std::string& name = "H100") {
    return {uuid, "bus " + uuid, name, 80'000'000'000};
}

rank_report on(const std::string& host, std::vector<gpu_info> gpus) {
    rank_report report;
    report.host = host;
    report.cores = "0-7";
    report.why_none = gpus.empty() ? "no driver" : "";
    report.gpus = std::move(gpus);
    report.nccl_built = 22809;
    report.nccl_loaded = 22809;
    return report;
}

std::vector<int> indices(const device_plan& plan) {
    std::vector<int> out;
    for (const auto& rank : plan.ranks) {
        out.push_back(rank.index);
    }
    return out;
}

const auto automatic = device_choice::automatic;

TEST(device_plan, without_gpus_all_compute_on_the_cpu) {
    const auto plan = plan_devices(automatic, false, {on("a", {}), on("a", {})});
    EXPECT_FALSE(plan.cuda);
    EXPECT_THAT(indices(plan), ElementsAre(-1, -1));
    EXPECT_THAT(plan.nccl, IsEmpty());
    EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST(device_plan, cpu_is_taken_where_it_is_demanded) {
    EXPECT_FALSE(plan_devices(device_choice::cpu, false, {on("a", {gpu("x")})}).cuda);
}

TEST(device_plan, ranks_take_the_gpus_of_their_host_in_turn) {
    const std::vector<gpu_info> a{gpu("a0"), gpu("a1")}, b{gpu("b0"), gpu("b1")};
    const auto plan = plan_devices(automatic, false, {on("a", a), on("b", b), on("a", a), on("b", b)});
    EXPECT_THAT(indices(plan), ElementsAre(0, 0, 1, 1));
    EXPECT_EQ(plan.ranks[3].gpu.uuid, "b1");
    EXPECT_THAT(plan.nccl, ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(plan.warnings, IsEmpty());
}

/// A batch system may show each rank its own GPU only; their number is then 0 everywhere, but not their UUID.
TEST(device_plan, gpus_are_told_apart_by_their_uuid) {
    const auto plan = plan_devices(automatic, false, {on("a", {gpu("x")}), on("a", {gpu("y")})});
    EXPECT_THAT(indices(plan), ElementsAre(0, 0));
    EXPECT_THAT(plan.nccl, ElementsAre(0, 1));
}

/// NCCL takes ranks with one host id for neighbours, which have NVLink, and refuses two of them on one GPU.
TEST(device_plan, eight_ranks_on_four_gpus_are_two_hosts_to_nccl) {
    const std::vector<gpu_info> gpus{gpu("w"), gpu("x"), gpu("y"), gpu("z")};
    const auto plan = plan_devices(automatic, true, std::vector<rank_report>(8, on("a", gpus)));
    std::map<std::string, std::set<std::string>> gpus_of_host;
    for (int rank = 0; rank < 8; ++rank) {
        const auto settings = nccl_settings(plan, rank);
        const auto& mine = plan.ranks[static_cast<std::size_t>(rank)].gpu.uuid;
        EXPECT_TRUE(gpus_of_host[settings.at("NCCL_HOSTID")].insert(mine).second) << "two ranks of a host on one GPU";
        EXPECT_EQ(settings.at("NCCL_SOCKET_IFNAME"), "lo");
        EXPECT_EQ(settings.at("NCCL_IB_DISABLE"), "1");
        EXPECT_EQ(settings.at("NCCL_CUMEM_HOST_ENABLE"), "0");
    }
    EXPECT_THAT(gpus_of_host, SizeIs(2));
    for (const auto& [host, seen] : gpus_of_host) {
        EXPECT_THAT(seen, SizeIs(4)) << host;
    }
}

TEST(device_plan, ranks_with_a_gpu_each_leave_the_network_to_nccl) {
    const auto plan = plan_devices(automatic, true, {on("a", {gpu("x")}), on("b", {gpu("y")})});
    EXPECT_THAT(nccl_settings(plan, 0), SizeIs(1));
    EXPECT_EQ(nccl_settings(plan, 1).at("NCCL_RUNTIME_CONNECT"), "0");
}

/// Over several hosts the way between them must stay open.
TEST(device_plan, shared_gpus_of_several_hosts_keep_the_network) {
    const auto plan = plan_devices(automatic, true, {on("a", {gpu("x")}), on("a", {gpu("x")}), on("b", {gpu("y")})});
    const auto settings = nccl_settings(plan, 1);
    EXPECT_EQ(settings.at("NCCL_HOSTID"), "a-1");
    EXPECT_FALSE(settings.contains("NCCL_SOCKET_IFNAME"));
    EXPECT_FALSE(settings.contains("NCCL_IB_DISABLE"));
}

TEST(device_plan, ranks_that_share_a_gpu_are_left_to_mpi) {
    const std::vector<gpu_info> a{gpu("x"), gpu("y")};
    const auto plan = plan_devices(automatic, false, {on("a", a), on("a", a), on("a", a), on("b", {gpu("z")})});
    EXPECT_THAT(indices(plan), ElementsAre(0, 1, 0, 0));
    EXPECT_THAT(plan.nccl, ElementsAre(1, 3));
    EXPECT_EQ(plan.ranks[2].gpu_first, 0);
    EXPECT_EQ(plan.ranks[3].gpu_first, 3);
    EXPECT_THAT(plan.warnings, ElementsAre(AllOf(HasSubstr("2 of 4 ranks share a GPU"), HasSubstr("host memory"))));
}

/// NCCL knows GPUs by their bus, on which the parts of one cannot be told apart; memory they have of their own.
TEST(device_plan, parts_of_one_gpu_share_it_for_nccl_but_not_its_memory) {
    auto first = gpu("MIG-1"), second = gpu("MIG-2");
    first.bus = second.bus = "0000:1b:00";
    const auto plan = plan_devices(automatic, false, {on("a", {first}), on("a", {second})});
    EXPECT_THAT(plan.nccl, IsEmpty());
    EXPECT_THAT(plan.warnings, SizeIs(1));
    EXPECT_EQ(plan.ranks[1].gpu_first, 1);
}

TEST(device_plan, one_rank_alone_needs_no_nccl) {
    EXPECT_THAT(plan_devices(automatic, false, {on("a", {gpu("x")})}).nccl, IsEmpty());
}

TEST(device_plan, ranks_share_a_gpu_over_nccl_when_told) {
    const auto plan = plan_devices(automatic, true, {on("a", {gpu("x")}), on("a", {gpu("x")})});
    EXPECT_THAT(plan.nccl, ElementsAre(0, 1));
    EXPECT_TRUE(plan.nccl_shares_gpu);
    EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST(device_plan, device_memory_goes_over_mpi_only_when_every_mpi_takes_it) {
    auto first = on("a", {gpu("x")}), second = on("b", {gpu("y")});
    first.mpi_takes_device = true;
    EXPECT_FALSE(plan_devices(automatic, false, {first, second}).mpi_takes_device);
    second.mpi_takes_device = true;
    EXPECT_TRUE(plan_devices(automatic, false, {first, second}).mpi_takes_device);
}

TEST(device_plan, a_rank_without_a_gpu_is_named) {
    const std::vector<rank_report> mixed{on("a", {gpu("x")}), on("b", {})};
    EXPECT_THAT([&] { plan_devices(automatic, false, mixed); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("rank 0 on host a has a GPU"),
                                                 HasSubstr("none for rank 1 on host b (no driver)"),
                                                 HasSubstr("device = cpu is accepted"))));
    EXPECT_THAT([&] { plan_devices(device_choice::cuda, false, mixed); },
                ThrowsMessage<usage_error>(HasSubstr("device = cuda: no GPU for rank 1 on host b (no driver)")));
}

TEST(device_plan, of_many_ranks_without_a_gpu_some_are_named) {
    std::vector<rank_report> none(9, on("a", {}));
    EXPECT_THAT([&] { plan_devices(device_choice::cuda, false, none); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("rank 2 on host a"), HasSubstr("and 6 more"))));
}

TEST(device_plan, a_wrong_nccl_is_refused) {
    auto old = on("b", {gpu("y")});
    old.nccl_loaded = 21602;
    EXPECT_THAT(
        [&] {
            plan_devices(automatic, false, {on("a", {gpu("x")}), old});
        },
        ThrowsMessage<usage_error>(
            AllOf(HasSubstr("rank 1 on host b has loaded NCCL 2.16.2"), HasSubstr("built with NCCL 2.28.9"))));
    auto newer = on("b", {gpu("y")});
    newer.nccl_loaded = 23005;
    EXPECT_THAT(
        [&] {
            plan_devices(automatic, false, {on("a", {gpu("x")}), newer});
        },
        ThrowsMessage<usage_error>(
            AllOf(HasSubstr("NCCL is 2.28.9 on rank 0"), HasSubstr("2.30.5 on rank 1 on host b"))));
    EXPECT_NO_THROW(plan_devices(device_choice::cpu, false, {on("a", {}), old}));
}

TEST(device_plan, gpus_of_different_models_are_warned_of) {
    const auto plan = plan_devices(automatic, false, {on("a", {gpu("x", "A100")}), on("a", {gpu("y", "H100")})});
    EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("different GPUs (A100, H100)")));
}

TEST(device_plan, versions_of_nccl_are_read_as_it_counts) {
    EXPECT_EQ(nccl_version_text(22809), "2.28.9");
    EXPECT_EQ(nccl_version_text(2708), "2.7.8"); // before 2.9
    EXPECT_EQ(nccl_version_text(0), "0.0.0");
}

TEST(device_plan, every_rank_gets_every_report) {
    auto world = loopback_world(3);
    std::vector<std::vector<rank_report>> got(3);
    {
        std::vector<std::jthread> threads;
        for (std::size_t rank = 0; rank < 3; ++rank) {
            threads.emplace_back([&, rank] {
                auto mine = on("host" + std::to_string(rank), {});
                mine.gpus.resize(rank, gpu("x" + std::to_string(rank)));
                mine.mpi_takes_device = rank == 1;
                got[rank] = exchange_reports(*world[rank], mine);
            });
        }
    }
    for (const auto& reports : got) {
        ASSERT_THAT(reports, SizeIs(3));
        for (std::size_t rank = 0; rank < 3; ++rank) {
            EXPECT_EQ(reports[rank].host, "host" + std::to_string(rank));
            EXPECT_THAT(reports[rank].gpus, SizeIs(rank));
            EXPECT_EQ(reports[rank].mpi_takes_device, rank == 1);
            EXPECT_EQ(reports[rank].nccl_loaded, 22809);
            EXPECT_EQ(reports[rank].cores, "0-7");
        }
        EXPECT_EQ(reports[2].gpus[1].uuid, "x2");
        EXPECT_EQ(reports[2].gpus[1].memory_bytes, 80'000'000'000U);
    }
}

} // namespace
} // namespace gaisnet
