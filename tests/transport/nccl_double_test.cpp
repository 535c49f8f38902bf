// The NCCL transport over doubles of CUDA and NCCL (support/fake_cuda.hpp), one thread a rank: its code runs everywhere,
// with and without a GPU.

#include "base/error.hpp"
#include "support/fake_cuda.hpp"
#include "transport/accelerator.hpp"
#include "transport/conformance.hpp"
#include "transport/device_transport.hpp"
#include "transport/loopback.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <exception>

namespace gaisnet {
namespace {

device_plan plan_of(int ranks, const std::vector<std::vector<int>>& gpus, bool share, bool mpi_takes_device = false) {
    fake_cuda::set_devices(ranks);
    std::vector<rank_report> reports;
    for (int rank = 0; rank < ranks; ++rank) {
        rank_report report;
        look_for_gpus(report);
        report.host = "here";
        report.mpi_takes_device = mpi_takes_device;
        if (!gpus.empty()) { // only these are visible
            std::vector<gpu_info> seen;
            for (const auto index : gpus[static_cast<std::size_t>(rank)]) {
                seen.push_back(report.gpus[static_cast<std::size_t>(index)]);
            }
            report.gpus = seen;
        }
        reports.push_back(report);
    }
    return plan_devices(device_choice::cuda, share, reports);
}

tensor_view on_device(tensor_view view) {
    view.memory = memory_space::device;
    return view;
}

/// Runs `body` on a thread for each rank. \throws what the first rank threw that failed.
void on_ranks(const device_plan& plan, const std::function<void(transport&, accelerator&)>& body) {
    const int ranks = static_cast<int>(plan.ranks.size());
    auto world = loopback_world(ranks);
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(ranks));
    {
        std::vector<std::jthread> threads;
        for (int rank = 0; rank < ranks; ++rank) {
            threads.emplace_back([&, rank] {
                try {
                    auto base = std::move(world[static_cast<std::size_t>(rank)]);
                    auto gpu = open_accelerator(plan, rank);
                    auto fabric = plan.nccl.empty() ? nullptr : gpu->fabric(*base);
                    device_transport network(std::move(base), gpu->staging(), std::move(fabric));
                    body(network, *gpu);
                } catch (...) {
                    failures[static_cast<std::size_t>(rank)] = std::current_exception();
                }
            });
        }
    }
    for (const auto& failure : failures) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
}

std::uint64_t carried_by(const transport& network, const std::string& name) {
    for (const auto& one : network.counters()) {
        if (one.transport == name) {
            return one.messages;
        }
    }
    return 0;
}

TEST(nccl, conforms_with_one_to_four_ranks) {
    for (int ranks = 1; ranks <= 4; ++ranks) {
        const auto before = fake_cuda::bytes_sent();
        on_ranks(plan_of(ranks, {}, false), [&](transport& network, accelerator&) {
            conformance::everything({network, on_device});
            EXPECT_EQ(carried_by(network, "nccl") > 100, ranks > 1);
        });
        EXPECT_EQ(fake_cuda::bytes_sent() > before, ranks > 1);
        EXPECT_EQ(fake_cuda::living_communicators(), 0);
    }
    EXPECT_EQ(fake_cuda::living_allocations(), 0);
}

TEST(nccl, conforms_when_some_ranks_share_a_gpu) {
    for (const bool mpi_takes_device : {false, true}) {
        const auto plan = plan_of(4, {{0}, {1}, {2}, {2}}, false, mpi_takes_device);
        EXPECT_EQ(plan.nccl, (std::vector<int>{0, 1}));
        on_ranks(plan, [&](transport& network, accelerator&) {
            conformance::everything({network, on_device});
            EXPECT_EQ(carried_by(network, "nccl") > 0, network.rank() < 2);
        });
    }
}

TEST(nccl, conforms_when_all_share_a_gpu_and_nccl_is_told_to_take_it) {
    const auto plan = plan_of(3, {{0}, {0}, {0}}, true);
    EXPECT_EQ(plan.nccl, (std::vector<int>{0, 1, 2}));
    on_ranks(plan, [](transport& network, accelerator&) {
        conformance::everything({network, on_device});
        EXPECT_GT(carried_by(network, "nccl"), 0U);
    });
}

TEST(nccl, sums_in_chunks_are_those_of_one_piece) {
    on_ranks(plan_of(2, {}, false), [](transport& network, accelerator&) {
        const std::vector<int> both{0, 1};
        network.prepare(both);
        network.expect({conformance::planned_sum(both)});
        const auto buffer = conformance::values((std::size_t{4} << 20) * 2 + 17, network.rank() == 0 ? 5 : -7);
        conformance::wait_for(*network.sum(buffer, both));
        EXPECT_THAT(*buffer, testing::Each(-2));
        conformance::finish(network);
    });
}

/// Activations that are still being computed wait in a lane of their own.
TEST(nccl, a_gradient_arrives_while_activations_wait_to_leave) {
    on_ranks(plan_of(2, {}, false), [](transport& network, accelerator& gpu) {
        network.connect({{0, 1}, {1, 0}});
        const auto activations = conformance::planned(message_kind::forward, 0, 1, 0, 1, {2});
        const auto gradient = conformance::planned(message_kind::gradient, 1, 0, 1, 0, {3});
        network.expect({activations, gradient});
        const auto next = [&] {
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
            while (std::chrono::steady_clock::now() < end) {
                if (auto got = network.poll()) {
                    return got->route.kind;
                }
            }
            return message_kind::control;
        };
        const auto computing = static_cast<cudaStream_t>(gpu.compute_stream());
        if (network.rank() == 0) {
            fake_cuda::hold(computing);
            network.send(1, {activations.route, on_device(tensor_view::allocate({2}))});
            EXPECT_EQ(next(), message_kind::gradient);
            fake_cuda::go_on(computing);
        } else {
            network.send(0, {gradient.route, on_device(tensor_view::allocate({3}))});
            EXPECT_EQ(next(), message_kind::forward);
        }
        conformance::finish(network);
    });
}

TEST(nccl, averages_of_parts_are_split_off_one_communicator) {
    const auto plan = plan_of(4, {}, false);
    on_ranks(plan, [](transport& network, accelerator&) {
        const std::vector<std::vector<int>> groups{{0, 1}, {1, 2, 3}, {0, 1, 2, 3}, {0, 3}};
        for (const auto& group : groups) {
            network.prepare(group);
        }
        network.barrier();
        std::vector<exchange> planned;
        for (const auto& group : groups) {
            planned.push_back(conformance::planned_sum(group));
        }
        network.expect(planned);
        for (const auto& group : groups) {
            if (std::find(group.begin(), group.end(), network.rank()) != group.end()) {
                const auto buffer = conformance::values(5, network.rank() + 1);
                conformance::wait_for(*network.sum(buffer, group));
                std::int64_t expected = 0;
                for (const int member : group) {
                    expected += member + 1;
                }
                EXPECT_THAT(*buffer, testing::Each(expected));
            }
        }
        conformance::finish(network);
        network.barrier();
        // Two lanes and one for sums on each of four ranks; the groups of 2, 3 and 2 ranks; none more for all.
        EXPECT_EQ(fake_cuda::living_communicators(), 4 * 3 + 2 + 3 + 2);
        network.barrier();
    });
    EXPECT_EQ(fake_cuda::living_communicators(), 0);
    EXPECT_LE(fake_cuda::largest_communicator_blocks(), 4);
}

TEST(nccl, memory_never_makes_a_receive_wait_for_computing) {
    on_ranks(plan_of(1, {}, false), [](transport&, accelerator&) {});
    EXPECT_FALSE(fake_cuda::memory_may_make_streams_wait());
}

/// A copy to the device may still read a host block that was let go.
TEST(nccl, a_pinned_block_is_used_again_when_the_device_is_done_with_it) {
    on_ranks(plan_of(1, {}, false), [](transport&, accelerator& gpu) {
        const auto allocate = gpu.allocator();
        auto first = allocate({1000}, element_type::float32, memory_space::host);
        const auto* memory = first.data;
        const auto computing = static_cast<cudaStream_t>(gpu.compute_stream());
        fake_cuda::hold(computing);
        first = {};
        auto second = allocate({1000}, element_type::float32, memory_space::host);
        EXPECT_NE(second.data, memory) << "the compute stream has not come to its end";
        fake_cuda::go_on(computing);
        EXPECT_EQ(allocate({1000}, element_type::float32, memory_space::host).data, memory);
    });
}

TEST(nccl, a_block_for_mpi_is_used_again_after_its_last_use) {
    on_ranks(plan_of(1, {}, false), [](transport&, accelerator& gpu) {
        const auto allocate = gpu.allocator();
        auto first = allocate({1000}, element_type::float32, memory_space::device);
        EXPECT_EQ(first.memory, memory_space::device);
        const auto* memory = first.data;
        auto second = allocate({1000}, element_type::float32, memory_space::device);
        EXPECT_NE(second.data, memory);
        first = {};
        const auto third = allocate({900}, element_type::float32, memory_space::device); // of the same power of two
        EXPECT_EQ(third.data, memory);
        const auto host = allocate({1000}, element_type::float32, memory_space::host);
        EXPECT_EQ(host.memory, memory_space::host);
    });
}

TEST(nccl, ranks_of_a_gpu_share_the_frozen_weights) {
    const auto before = fake_cuda::living_allocations();
    on_ranks(plan_of(3, {{0}, {1}, {1}}, false), [&](transport& network, accelerator& gpu) {
        int filled = 0;
        const auto weights = gpu.shared_weights(64, network, [&](const tensor_view& memory) {
            ++filled;
            std::fill_n(memory.as<float>(), 16, static_cast<float>(network.rank()));
        });
        EXPECT_EQ(filled, network.rank() < 2 ? 1 : 0);
        EXPECT_EQ(weights.bytes(), 64U);
        EXPECT_EQ(weights.as<float>()[15], network.rank() == 0 ? 0.0F : 1.0F);
        network.barrier();
        EXPECT_EQ(fake_cuda::living_allocations() - before, 2);
        network.barrier();
    });
}

TEST(nccl, weights_that_do_not_fit_are_refused_with_both_sizes) {
    fake_cuda::set_memory(1'500'000'000);
    try {
        on_ranks(plan_of(1, {}, false), [](transport& network, accelerator& gpu) {
            gpu.shared_weights(std::size_t{3} << 30, network, [](const tensor_view&) {});
        });
        FAIL() << "3 GiB fit into 1.5 GB";
    } catch (const error& problem) {
        EXPECT_THAT(problem.what(), testing::HasSubstr("3.22 GB"));
        EXPECT_THAT(problem.what(), testing::HasSubstr("1.50 GB"));
        EXPECT_THAT(problem.what(), testing::HasSubstr("rank 0 on host here"));
    }
    fake_cuda::set_memory(std::size_t{1} << 40);
}

TEST(nccl, a_failure_names_call_reason_rank_host_and_device) {
    try {
        on_ranks(plan_of(2, {}, false), [](transport& network, accelerator&) {
            network.connect({{0, 1}});
            network.expect({conformance::planned(message_kind::forward, 0, 1, 0, 1, {2})});
            if (network.rank() == 0) {
                fake_cuda::fail_next(ncclSystemError, "Net: no route to 10.0.0.7");
                network.send(1, {{0, 1, message_kind::forward}, on_device(tensor_view::allocate({2}))});
            }
        });
        FAIL() << "a failed call was taken for good";
    } catch (const error& problem) {
        EXPECT_THAT(problem.what(),
                    testing::AllOf(testing::HasSubstr("ncclSend"), testing::HasSubstr("an NCCL error of the double"),
                                   testing::HasSubstr("no route to 10.0.0.7"),
                                   testing::HasSubstr("rank 0 on host here, GPU 0 "),
                                   testing::HasSubstr("(GPU-ab000000-0000-0000-0000-000000000000)")));
    }
}

/// NCCL would connect while the host waits, and the host would not move on what its peer waits for.
TEST(nccl, a_pair_of_ranks_is_connected_before_it_is_used) {
    EXPECT_THAT(
        [] {
            on_ranks(plan_of(2, {}, false), [](transport& network, accelerator&) {
                network.expect({conformance::planned(message_kind::forward, 0, 1, 0, 1, {2})});
                if (network.rank() == 0) {
                    network.send(1, {{0, 1, message_kind::forward}, on_device(tensor_view::allocate({2}))});
                }
            });
        },
        testing::ThrowsMessage<error>(testing::HasSubstr("the host would wait here")));
}

TEST(nccl, an_asynchronous_error_ends_the_next_poll) {
    on_ranks(plan_of(2, {}, false), [](transport& network, accelerator&) {
        network.barrier();
        fake_cuda::set_async_error(ncclRemoteError);
        EXPECT_THROW(network.poll(), error);
        fake_cuda::set_async_error(ncclInProgress);
        EXPECT_NO_THROW(network.poll());
        fake_cuda::set_async_error(ncclSuccess);
        conformance::finish(network);
    });
}

TEST(nccl, a_machine_without_a_driver_says_so) {
    fake_cuda::set_devices(0);
    rank_report report;
    look_for_gpus(report);
    EXPECT_TRUE(report.gpus.empty());
    EXPECT_FALSE(report.why_none.empty());
}

} // namespace
} // namespace gaisnet
