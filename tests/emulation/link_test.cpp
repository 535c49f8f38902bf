// Queues of links, half duplex, losses, jitter and multicasts against closed forms.

#include "emulation/ledger.hpp"
#include "emulation/transfers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace gaisnet {
namespace {

using transfers::bench;
using transfers::wanted;

TEST(links, half_duplex_radios_do_not_send_while_they_receive) {
    // 0 -> 2 and 2 -> 1 and 1 -> 3: with half duplex the second waits for the first, the third for the second.
    const auto play = [](bool half_duplex) {
        event_queue queue;
        ledger accounts(queue);
        for (int node = 0; node < 4; ++node) {
            accounts.add_node({});
        }
        auto* radios = half_duplex ? &accounts.add_half_duplex_radios() : nullptr;
        const std::pair<std::uint32_t, std::uint32_t> hops[] = {{0, 2}, {2, 1}, {1, 3}};
        for (const auto& [from, to] : hops) {
            link_parameters one;
            one.from = from;
            one.to = to;
            accounts.add_link(one, std::make_unique<constant_rate>(8e6), accounts.exclusive(), radios);
        }
        accounts.begin_round(1, 0.0);
        for (const auto& [from, to] : hops) {
            accounts.transfer(from, std::span(&to, 1), event_kind::send_forward, 1'000'000, -1, {},
                              {[](void*, std::uint64_t) {}, nullptr, 0});
        }
        while (!queue.empty()) {
            queue.fire_next();
        }
        std::vector<double> starts;
        for (const auto& event : accounts.events()) {
            starts.push_back(event.start_s);
        }
        return starts;
    };
    EXPECT_THAT(play(false), testing::ElementsAre(0.0, 0.0, 0.0));
    EXPECT_THAT(play(true), testing::ElementsAre(0.0, 1.0, 2.0));
}

// 0 -> 1 sends from 0 to 1 s. From 5 s on 1 -> 2 sends, so that a message of 0 -> 1 that is ready at 5.5 s waits for the
// radio of 1 until 6 s, and the next for the link until 7 s.
TEST(links, half_duplex_waits_are_blamed_on_what_held_the_radio) {
    event_queue queue;
    ledger accounts(queue);
    auto& radios = accounts.add_half_duplex_radios();
    for (int node = 0; node < 3; ++node) {
        accounts.add_node({});
    }
    for (std::uint32_t from = 0; from < 2; ++from) {
        link_parameters one;
        one.from = from;
        one.to = from + 1;
        accounts.add_link(one, std::make_unique<constant_rate>(8e6), accounts.exclusive(), &radios);
    }
    accounts.begin_round(1, 0.0);
    for (const auto& [time, from] : {std::pair{0.0, 0U}, {5.0, 1U}, {5.5, 0U}, {5.6, 0U}}) {
        queue.schedule(time, from,
                       {[](void* self, std::uint64_t sender) {
                            const auto receiver = static_cast<std::uint32_t>(sender) + 1;
                            static_cast<ledger*>(self)->transfer(receiver - 1, std::span(&receiver, 1),
                                                                 event_kind::send_forward, 1'000'000, -1, {},
                                                                 {[](void*, std::uint64_t) {}, nullptr, 0});
                        },
                        &accounts, from});
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    std::vector<double> starts;
    std::vector<std::int64_t> causes;
    for (const auto& event : accounts.events()) {
        starts.push_back(event.start_s);
        causes.push_back(event.cause);
    }
    EXPECT_THAT(starts, testing::ElementsAre(0.0, 5.0, 6.0, 7.0));
    EXPECT_THAT(causes, testing::ElementsAre(-1, -1, 1, 2));
}

TEST(links, lost_packets_are_sent_again_and_cost_time_energy_and_spectrum) {
    bench here(1);
    auto one = here.between(0, 0.1);
    one.loss = 0.25;
    one.packet_bytes = 1000;
    here.accounts.add_link(one, 8e6);
    std::vector<wanted> all{{0, 0.0, 2'000'000, -1}};
    here.play(all);
    const auto& event = here.event(all[0]);
    // 2000 packets, a third more sendings on average, standard deviation sqrt(2000 x 0.25) / 0.75 = 30.
    EXPECT_NEAR(event.resent, 2000.0 / 3.0, 5 * 30.0);
    EXPECT_NEAR(event.end_s, (2000 + event.resent) * 1e-3, 1e-9);
    EXPECT_NEAR(event.energy_j, event.end_s * 2.5, 1e-9);
    EXPECT_EQ(event.bytes, 2'000'000U);
    std::vector<wanted> again{{0, 0.0, 2'000'000, -1}};
    here.play(again, 2);
    EXPECT_NE(here.event(again[0]).end_s, 0.0);
}

TEST(links, resent_packets_follow_the_negative_binomial_distribution) {
    for (const std::size_t receivers : {1U, 3U}) {
        double sum = 0;
        constexpr int draws = 400, packets = 500;
        for (std::uint32_t i = 0; i < draws; ++i) {
            random_stream stream(1, "loss", "test", 0, i);
            sum += static_cast<double>(draw_resent_packets(stream, packets, 0.5, receivers));
        }
        // Mean of the largest of n geometric numbers with p = 1/2: n = 1: 1; n = 3: 15/7 (inclusion-exclusion).
        const double expected = receivers == 1 ? 1.0 : 15.0 / 7.0;
        EXPECT_NEAR(sum / draws / packets, expected, 0.02 * expected);
    }
    random_stream stream(1, "loss", "test");
    EXPECT_NEAR(static_cast<double>(draw_resent_packets(stream, 1'000'000, 0.1)), 1e6 / 9.0, 1e4);
    EXPECT_EQ(draw_resent_packets(stream, 10, 1e-300), 0U);
}

TEST(links, jitter_moves_arrivals_but_never_one_before_another) {
    bench here(1);
    auto one = here.between(0, 0.05);
    one.jitter = {distribution::family::normal, {0.0, 0.05}, {}, false};
    here.accounts.add_link(one, 8e6);
    std::vector<wanted> all;
    for (int i = 0; i < 200; ++i) {
        all.push_back({0, 0.0, 1000, -1});
    }
    here.play(all);
    double before = 0, sum = 0, largest = 0;
    for (const auto& one_of_them : all) {
        const auto& event = here.event(one_of_them);
        EXPECT_GE(event.arrival_s, event.end_s);
        EXPECT_GE(event.arrival_s, before);
        before = event.arrival_s;
        sum += event.arrival_s - event.end_s;
        largest = std::max(largest, event.arrival_s - event.end_s);
    }
    EXPECT_GT(largest, 0.1);
    EXPECT_GT(sum / 200, 0.05) << "waiting for those before adds to the mean";
}

TEST(links, a_multicast_is_sent_once_at_the_pace_of_the_slowest) {
    event_queue queue;
    ledger accounts(queue);
    for (int node = 0; node < 4; ++node) {
        device_model device;
        device.radio.receive_w = 0.5;
        accounts.add_node(device);
    }
    for (std::uint32_t to = 1; to < 4; ++to) {
        link_parameters one;
        one.from = 0;
        one.to = to;
        one.latency_s = 0.1 * to;
        one.bandwidth_hz = 1e6;
        one.radiated_w = 2.0;
        accounts.add_link(one, 8e6 * to);
    }
    accounts.begin_round(1, 0.0);
    const std::uint32_t receivers[] = {1, 2, 3};
    struct {
        event_queue& queue;
        std::vector<double> at;
    } arrivals{queue, std::vector<double>(3)};
    accounts.transfer(0, receivers, event_kind::send_modules_down, 1'000'000, -1, {},
                      {[](void* self, std::uint64_t receiver) {
                           auto& here = *static_cast<decltype(arrivals)*>(self);
                           here.at.at(receiver) = here.queue.now();
                       },
                       &arrivals, 0});
    while (!queue.empty()) {
        queue.fire_next();
    }
    EXPECT_THAT(arrivals.at, testing::Pointwise(testing::DoubleNear(1e-12), {1.1, 1.2, 1.3}));
    const std::uint32_t members[] = {0, 1, 2, 3};
    accounts.close_round(members, 0.0, queue.now());
    const auto& event = accounts.events().front();
    EXPECT_EQ(event.receivers, 3U);
    EXPECT_NEAR(event.airtime_hz_s, 1e6, 1e-6) << "once";
    EXPECT_NEAR(event.energy_j, 2.0 + 3 * 0.5, 1e-9);
    EXPECT_EQ(accounts.account(0).bytes_sent, 1'000'000U);
    EXPECT_EQ(accounts.account(3).bytes_received, 1'000'000U);
}

} // namespace
} // namespace gaisnet
