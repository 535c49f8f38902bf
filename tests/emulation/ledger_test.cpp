// The ledger against closed forms, with roles written for the purpose: no model, no scenario.

#include "base/error.hpp"
#include "runtime/ledger_pass.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace gaisnet {
namespace {

constexpr double rate = 8e6;      // bit/s: one byte takes 1 us
constexpr double latency = 0.005; // s
constexpr double flop_s = 1e9;
constexpr double band = 2e6; // Hz

class ledger_test : public testing::Test {
protected:
    ledger_test() {
        for (int node = 0; node < 4; ++node) {
            device_model device;
            device.rate_flop_s = flop_s;
            device.power_w = 10.0;
            device.base_power_w = 0.125;
            device.radio = {0.5, 1.0, 0.5, 0.25}; // sends with 2 W: 0.5 W radiated, and 1 W of circuits
            device.sense_time_s = 1e-3;
            device.sense_energy_j = 0.1;
            accounts.add_node(device);
        }
        for (std::uint32_t node = 0; node + 1 < 4; ++node) {
            add_link(node, node + 1);
            add_link(node + 1, node);
        }
        accounts.begin_round(1, 0.0);
    }

    void add_link(std::uint32_t from, std::uint32_t to) {
        link_parameters link;
        link.from = from;
        link.to = to;
        link.kind = link_class::d2d;
        link.latency_s = latency;
        link.bandwidth_hz = band;
        link.radiated_w = 0.5;
        accounts.add_link(link, rate);
    }

    /// What radios draw is known at the end.
    void close() {
        const std::uint32_t members[] = {0, 1, 2, 3};
        accounts.close_round(members, 0.0, queue.now());
    }

    ledger_pass make_pass() { return ledger_pass(accounts, {"a", "b", "c", "d"}, {}); }

    event_queue queue;
    ledger accounts{queue};
};

tensor_view shape_of_bytes(std::int64_t count) { return tensor_view::shape_only({count / 4}); }

task<> send_at_once(pass& in, actor me, std::uint32_t to, std::int64_t count, int messages) {
    for (int i = 0; i < messages; ++i) {
        in.send(me, to, message_kind::forward, shape_of_bytes(count));
    }
    co_return;
}

task<> receive(pass& in, actor me, std::uint32_t from, int messages) {
    for (int i = 0; i < messages; ++i) {
        co_await in.recv(me, from, message_kind::forward);
    }
}

task<> compute_as(pass& in, actor& me, double flops) {
    const compute_cost cost{event_kind::forward, flops, 0, 0};
    co_await in.charge(me, cost);
}

task<> compute(pass& in, actor me, double flops) { co_await compute_as(in, me, flops); }

task<> pass_on(pass& in, actor me, std::uint32_t from, std::uint32_t to, double flops, std::int64_t count,
               int messages) {
    for (int i = 0; i < messages; ++i) {
        co_await in.recv(me, from, message_kind::forward);
        co_await compute_as(in, me, flops);
        in.send(me, to, message_kind::forward, shape_of_bytes(count));
    }
}

TEST_F(ledger_test, one_message_takes_its_bits_over_the_rate_and_arrives_a_latency_later) {
    auto in = make_pass();
    in.spawn(0, send_at_once(in, {0}, 1, 4000, 1));
    in.spawn(1, receive(in, {1}, 0, 1));
    in.run();
    close();
    ASSERT_EQ(accounts.events().size(), 1U);
    const auto& event = accounts.events()[0];
    EXPECT_DOUBLE_EQ(event.end_s, 4000 * 8 / rate);
    EXPECT_DOUBLE_EQ(event.arrival_s, 4000 * 8 / rate + latency);
    EXPECT_DOUBLE_EQ(event.airtime_hz_s, 4000 * 8 / rate * band);
    EXPECT_DOUBLE_EQ(event.energy_j, 4000 * 8 / rate * (2.0 + 0.5));
}

TEST_F(ledger_test, messages_queue_on_a_link_but_latency_overlaps) {
    auto in = make_pass();
    in.spawn(0, send_at_once(in, {0}, 1, 8000, 5));
    in.spawn(1, receive(in, {1}, 0, 5));
    in.run();
    EXPECT_NEAR(queue.now(), 5 * 8000 * 8 / rate + latency, 1e-12);
}

TEST_F(ledger_test, a_pipeline_takes_its_fill_and_then_its_slowest_stage) {
    // Node 0 sends n messages at once; 1 and 2 compute on each and pass it on to 3. The compute of 1 (4 ms) is the
    // slowest part: hop 1 ms, compute 2 is 2 ms.
    const int n = 16;
    auto in = make_pass();
    in.spawn(0, send_at_once(in, {0}, 1, 1000, n));
    in.spawn(1, pass_on(in, {1}, 0, 2, 4e6, 1000, n));
    in.spawn(2, pass_on(in, {2}, 1, 3, 2e6, 1000, n));
    in.spawn(3, receive(in, {3}, 2, n));
    in.run();
    const double hop = 1000 * 8 / rate + latency;
    EXPECT_NEAR(queue.now(), 3 * hop + n * 4e-3 + 2e-3, 1e-9 * queue.now());
}

TEST_F(ledger_test, a_device_serves_one_computation_at_a_time) {
    auto in = make_pass();
    in.spawn(0, compute(in, {0}, 3e6));
    in.spawn(0, compute(in, {0}, 5e6));
    in.run();
    EXPECT_DOUBLE_EQ(queue.now(), 8e-3);
    EXPECT_DOUBLE_EQ(accounts.account(0).busy_s, 8e-3);
    EXPECT_DOUBLE_EQ(accounts.account(0).compute_j, 8e-2);
}

TEST_F(ledger_test, parts_of_the_critical_path_add_up_to_the_time) {
    auto in = make_pass();
    in.spawn(0, send_at_once(in, {0}, 1, 1000, 7));
    in.spawn(1, pass_on(in, {1}, 0, 2, 3e6, 3000, 7));
    in.spawn(2, pass_on(in, {2}, 1, 3, 1e6, 500, 7));
    in.spawn(3, receive(in, {3}, 2, 7));
    in.run();
    const auto& events = accounts.events();
    const auto last = std::max_element(events.begin(), events.end(),
                                       [](const auto& a, const auto& b) { return a.arrival_s < b.arrival_s; });
    const auto path = trace_back(events, last - events.begin(), /*edge=*/9);
    EXPECT_NEAR(path["d2d"] + path["compute"], queue.now(), 1e-12);
    EXPECT_EQ(path["edge"], 0.0);
    // What an edge computes as a stage of the chain is not the clients' part.
    const auto with_edge = trace_back(events, last - events.begin(), /*edge=*/1);
    EXPECT_NEAR(with_edge["edge"] + with_edge["compute"], path["compute"], 1e-12);
    EXPECT_GE(with_edge["edge"], 7 * 3e-3 - 1e-12) << "seven computations of 3 ms each, one after another";
}

TEST_F(ledger_test, a_circle_of_waiting_is_reported_with_names) {
    auto in = make_pass();
    in.spawn(0, receive(in, {0}, 1, 1));
    in.spawn(1, receive(in, {1}, 0, 1));
    try {
        in.run();
        FAIL() << "a circle of waiting was not noticed";
    } catch (const runtime_failure& problem) {
        const std::string text = problem.what();
        EXPECT_NE(text.find("a waits for forward from b"), std::string::npos) << text;
        EXPECT_NE(text.find("b waits for forward from a"), std::string::npos) << text;
    }
}

TEST_F(ledger_test, idle_energy_covers_the_round) {
    auto in = make_pass();
    in.spawn(0, compute(in, {0}, 4e9));
    in.run();
    const std::uint32_t members[] = {0, 1};
    accounts.close_round(members, 0.0, queue.now());
    EXPECT_DOUBLE_EQ(accounts.account(0).idle_j, 1.0);
    EXPECT_DOUBLE_EQ(accounts.account(0).base_j, 0.5);
    EXPECT_DOUBLE_EQ(accounts.account(1).idle_j, 1.0);
    EXPECT_DOUBLE_EQ(accounts.account(2).idle_j, 0.0);
}

TEST_F(ledger_test, a_radio_is_in_one_state_at_a_time) {
    auto in = make_pass();
    in.spawn(0, send_at_once(in, {0}, 1, 1'000'000, 1)); // 1 s on the air
    in.spawn(1, receive(in, {1}, 0, 1));
    in.run();
    const std::uint32_t members[] = {0, 1};
    accounts.close_round(members, 0.0, 4.0);
    EXPECT_DOUBLE_EQ(accounts.account(0).transmit_j, 2.0);
    EXPECT_DOUBLE_EQ(accounts.account(0).idle_j, 3 * 0.25) << "not while it sends";
    EXPECT_DOUBLE_EQ(accounts.account(1).receive_j, 0.5);
    EXPECT_DOUBLE_EQ(accounts.account(1).idle_j, 3 * 0.25) << "not while it receives";
    EXPECT_DOUBLE_EQ(accounts.account(1).total_j(), 0.5 + 3 * 0.25 + 4 * 0.125);
    // 2.125 W for a second, then 0.375 W.
    EXPECT_DOUBLE_EQ(accounts.empty_at(0, 1.0625, 0.0, 4.0), 0.5);
    EXPECT_DOUBLE_EQ(accounts.empty_at(0, 2.125 + 0.75, 0.0, 4.0), 3.0);
    EXPECT_EQ(accounts.empty_at(0, 4.0, 0.0, 4.0), never);
}

TEST_F(ledger_test, a_cable_costs_by_the_bit_and_no_radio) {
    link_parameters cable;
    cable.from = 0;
    cable.to = 3;
    cable.kind = link_class::backhaul;
    cable.wired_j_bit = 1e-6;
    accounts.add_link(cable, rate);
    auto in = make_pass();
    in.spawn(0, send_at_once(in, {0}, 3, 1'000'000, 1));
    in.spawn(3, receive(in, {3}, 0, 1));
    in.run();
    close();
    EXPECT_DOUBLE_EQ(accounts.account(0).transmit_j, 8.0);
    EXPECT_DOUBLE_EQ(accounts.account(3).receive_j, 0.0);
    EXPECT_DOUBLE_EQ(accounts.account(3).idle_j, queue.now() * 0.25);
    EXPECT_DOUBLE_EQ(accounts.events().front().energy_j, 8.0);
    EXPECT_EQ(accounts.events().front().airtime_hz_s, 0.0);
}

} // namespace
} // namespace gaisnet
