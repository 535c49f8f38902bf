// Media and rates against closed forms.

#include "emulation/ledger.hpp"
#include "emulation/radio_medium.hpp"
#include "emulation/transfers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace gaisnet {
namespace {

using transfers::bench;
using transfers::medium_of;
using transfers::wanted;

TEST(shared_medium, uploads_that_share_a_band_in_equal_times_end_in_the_order_of_their_size) {
    // n flows of sizes 1..n MB at the same rate from the same start: flow k ends at
    // (sum over j < k of size_j + (n - k + 1) size_k) x 8 / r.
    constexpr int n = 5;
    constexpr double rate = 8e6;
    bench here(n);
    auto& shared = here.accounts.add_medium(medium_of(here, share_kind::equal));
    std::vector<wanted> all;
    for (std::uint32_t k = 0; k < n; ++k) {
        here.add(rate, shared);
        all.push_back({k, 0.0, (k + 1) * 1'000'000ULL, -1});
    }
    here.play(all);
    double before = 0, spectrum = 0;
    for (int k = 1; k <= n; ++k) {
        const double expected = before + (n - k + 1) * static_cast<double>(k);
        const auto& event = here.event(all[static_cast<std::size_t>(k - 1)]);
        EXPECT_NEAR(event.end_s, expected, 1e-9 * expected) << k;
        // On the air for its bits at the full rate, however long it took.
        EXPECT_NEAR(event.airtime_hz_s, k * 1e6, 1e-3);
        EXPECT_NEAR(event.energy_j, k * 2.5, 1e-9);
        EXPECT_NEAR(event.share, k / expected, 1e-9);
        EXPECT_NEAR(event.rate_bit_s, k * rate / expected, 1e-3);
        before += k;
        spectrum += event.airtime_hz_s;
    }
    EXPECT_NEAR(spectrum, before * 1e6, 1e-3) << "the band was full until the last one ended";
}

TEST(shared_medium, in_equal_times_a_slow_link_does_not_slow_the_others) {
    bench here(2);
    auto& shared = here.accounts.add_medium(medium_of(here, share_kind::equal));
    here.add(80e6, shared);
    here.add(8e6, shared);
    std::vector<wanted> all{{0, 0.0, 10'000'000, -1}, {1, 0.0, 10'000'000, -1}};
    here.play(all);
    EXPECT_NEAR(here.event(all[0]).end_s, 2.0, 1e-9) << "half of the time at 80 Mbit/s";
    EXPECT_NEAR(here.event(all[1]).end_s, 2.0 + 9.0, 1e-8) << "1 MB in the first 2 s, then alone";
}

TEST(shared_medium, with_equal_chances_a_slow_link_slows_all_as_in_802_11) {
    bench here(2);
    auto& shared = here.accounts.add_medium(medium_of(here, share_kind::airtime));
    here.add(80e6, shared);
    here.add(8e6, shared);
    std::vector<wanted> all{{0, 0.0, 10'000'000, -1}, {1, 0.0, 10'000'000, -1}};
    here.play(all);
    EXPECT_NEAR(here.event(all[0]).end_s, 1.0 + 10.0, 1e-8) << "both at 1 / (1/80 + 1/8) Mbit/s";
    EXPECT_NEAR(here.event(all[1]).end_s, 11.0, 1e-8);
    EXPECT_NEAR(here.event(all[0]).share, 1.0 / 11.0, 1e-9);
}

TEST(shared_medium, rates_that_change_are_followed) {
    // 8 Mbit/s for 1 s, then nothing for 2 s, then 16 Mbit/s; two links with that trace share in equal times.
    auto trace = std::make_shared<rate_trace>();
    trace->times = {0.0, 1.0, 3.0};
    trace->bits_per_second = {8e6, 0.0, 16e6};
    for (const auto share : {share_kind::exclusive, share_kind::equal, share_kind::airtime}) {
        bench here(2);
        auto& shared = share == share_kind::exclusive ? here.accounts.exclusive()
                                                      : here.accounts.add_medium(medium_of(here, share));
        for (std::uint32_t link = 0; link < 2; ++link) {
            here.accounts.add_link(here.between(link), std::make_unique<traced_rate>(trace), shared);
        }
        std::vector<wanted> all{{0, 0.0, 2'000'000, -1}, {1, 0.0, 2'000'000, -1}};
        here.play(all);
        // Alone 1 MB in the first second and 1 MB in half a second from 3 s on; of two 1.5 MB each remain at 3 s.
        const double expected = share == share_kind::exclusive ? 3.5 : 4.5;
        EXPECT_NEAR(here.event(all[0]).end_s, expected, 1e-9) << name_of(share);
        EXPECT_NEAR(here.event(all[1]).end_s, expected, 1e-9) << name_of(share);
    }
}

TEST(exclusive_medium, outages_are_not_on_the_air) {
    auto trace = std::make_shared<rate_trace>();
    trace->times = {0.0, 1.0, 3.0};
    trace->bits_per_second = {8e6, 0.0, 16e6};
    bench here(1);
    here.accounts.add_link(here.between(0), std::make_unique<traced_rate>(trace), here.accounts.exclusive());
    std::vector<wanted> all{{0, 0.0, 2'000'000, -1}};
    here.play(all);
    const auto& event = here.event(all[0]);
    EXPECT_NEAR(event.end_s, 3.5, 1e-9);
    EXPECT_NEAR(event.on_air_s, 1.5, 1e-9);
    EXPECT_NEAR(event.energy_j, 1.5 * 2.5, 1e-9);
    EXPECT_NEAR(event.airtime_hz_s, 1.5e6, 1e-3);
}

TEST(shared_medium, max_min_fair_links_never_take_more_than_the_band) {
    // Five links of 8 Mbit/s on a medium of 40 Mbit/s send 1 MB each in 1 s: together its band, once.
    bench five(5);
    auto& shared = five.accounts.add_medium(medium_of(five, share_kind::maxmin, 40e6));
    std::vector<wanted> all;
    for (std::uint32_t link = 0; link < 5; ++link) {
        five.add(8e6, shared);
        all.push_back({link, 0.0, 1'000'000, -1});
    }
    five.play(all);
    double spectrum = 0;
    for (const auto& one : all) {
        EXPECT_NEAR(five.event(one).end_s, 1.0, 1e-9);
        EXPECT_NEAR(five.event(one).energy_j, 2.5, 1e-9) << "on the air all the time";
        spectrum += five.event(one).airtime_hz_s;
    }
    EXPECT_NEAR(spectrum, 1e6, 1e-3);
}

/// bit/s in proportion to the power.
class by_power final : public rate_model {
public:
    double rate_at(double) const override { return 8e6; }
    double rate_with(double power_part, double) const override { return 8e6 * power_part; }
    double next_change(double) const override { return never; }
};

TEST(radio_medium, a_node_divides_its_power_over_what_it_sends_at_once) {
    // From node 0: 1 MB to node 1 from 0 s on, 1 MB to node 2 from 0.5 s on. Half of the first is left then, which takes
    // 1 s with half of the power; the second has half left, alone, in 0.5 s.
    event_queue queue;
    ledger accounts(queue);
    own_bands bands;
    auto& own = accounts.add_medium(std::make_unique<radio_medium>(queue, bands, false));
    for (int node = 0; node < 3; ++node) {
        device_model device;
        device.radio = {0.5, 1.0, 0.5, 0.0}; // 4 W radiated take 8 W, and 1 W of circuits
        accounts.add_node(device);
    }
    for (std::uint32_t to = 1; to < 3; ++to) {
        link_parameters one;
        one.from = 0;
        one.to = to;
        one.kind = link_class::cs_down;
        one.bandwidth_hz = 1e6;
        one.radiated_w = 4.0;
        accounts.add_link(one, std::make_unique<by_power>(), own);
    }
    accounts.begin_round(1, 0.0);
    for (std::uint32_t to = 1; to < 3; ++to) {
        queue.schedule(to == 1 ? 0.0 : 0.5, to,
                       {[](void* self, std::uint64_t receiver) {
                            const auto node = static_cast<std::uint32_t>(receiver);
                            static_cast<ledger*>(self)->transfer(0, std::span(&node, 1), event_kind::send_modules_down,
                                                                 1'000'000, -1, {},
                                                                 {[](void*, std::uint64_t) {}, nullptr, 0});
                        },
                        &accounts, to});
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    const std::uint32_t members[] = {0, 1, 2};
    accounts.close_round(members, 0.0, 3.0);
    const auto& first = accounts.events()[0];
    const auto& second = accounts.events()[1];
    EXPECT_NEAR(first.end_s, 1.5, 1e-9);
    EXPECT_NEAR(second.end_s, 2.0, 1e-9);
    EXPECT_NEAR(accounts.account(0).transmit_j, 2.0 * (8.0 + 1.0), 1e-9) << "2 s in all, never with twice the power";
    EXPECT_NEAR(first.energy_j, 0.5 * 9.0 + 1.0 * 4.5 + 1.5 * 0.5, 1e-9) << "half of it while there are two";
    EXPECT_NEAR(second.energy_j, 1.0 * 4.5 + 0.5 * 9.0 + 1.5 * 0.5, 1e-9);
    EXPECT_NEAR(first.airtime_hz_s, 1.5e6, 1e-3) << "each in a band of its own";
}

TEST(rate_models, a_trace_repeats_and_is_integrated_exactly) {
    auto trace = std::make_shared<rate_trace>();
    trace->times = {0.0, 0.2};
    trace->bits_per_second = {10.0, 30.0};
    trace->period_s = 1.0; // 2 + 24 bits a period
    const traced_rate rate(trace);
    EXPECT_EQ(rate.rate_at(0.0), 10.0);
    EXPECT_EQ(rate.rate_at(5.2), 30.0);
    EXPECT_EQ(rate.rate_at(6.0), 10.0);
    EXPECT_NEAR(rate.bits_between(0.0, 10.0), 260.0, 1e-9);
    EXPECT_NEAR(rate.finish_time(0.1, 26.0), 1.1, 1e-12);
    for (double time = 0.0; time < 5.0;) { // changes are later than what they follow, whatever rounding does
        const double next = rate.next_change(time);
        ASSERT_GT(next, time);
        time = next;
    }
}

/// Everybody disturbs everybody with 1 W; the rate depends on how many do.
struct equal_disturbance final : radio_medium::channel_model {
    explicit equal_disturbance(std::function<double(double)> rates): rate_of(std::move(rates)) {}
    double interference_w(const sender&, std::uint32_t, double) override { return 1.0; }
    double rate(const sender&, double, double watts, double) override { return rate_of(watts); }
    double next_change(const sender&, double) override { return never; }
    std::function<double(double)> rate_of;
};

TEST(radio_medium, the_rate_of_a_link_depends_on_who_else_sends) {
    // Two links of 8 Mbit/s alone and 2 Mbit/s together, the second one from 1 s on.
    bench here(2);
    equal_disturbance model([](double watts) { return watts == 0.0 ? 8e6 : 2e6; });
    auto& shared = here.accounts.add_medium(std::make_unique<radio_medium>(here.queue, model, true));
    here.add(8e6, shared);
    here.add(8e6, shared);
    std::vector<wanted> all{{0, 0.0, 2'000'000, -1}, {1, 1.0, 2'000'000, -1}};
    here.play(all);
    // 1 MB alone, 1 MB in 4 s together; the second has 1 MB left then, in 1 s.
    EXPECT_NEAR(here.event(all[0]).end_s, 5.0, 1e-9);
    EXPECT_NEAR(here.event(all[1]).end_s, 6.0, 1e-9);
    EXPECT_NEAR(here.event(all[0]).energy_j, 5.0 * 2.5, 1e-9) << "it is on the air all the time";
    EXPECT_NEAR(here.event(all[0]).airtime_hz_s, (1.0 + 4.0 / 2) * 1e6, 1e-3) << "but shares the band";
}

TEST(radio_medium, powers_that_come_and_go_leave_no_trace) {
    exact_power sum;
    sum.add(3e-16);
    for (int i = 0; i < 1000; ++i) {
        sum.add(0.17 * i);
    }
    for (int i = 0; i < 1000; ++i) {
        sum.remove(0.17 * i);
    }
    EXPECT_NEAR(sum.watts(), 3e-16, 1e-29);
}

TEST(medium, a_transfer_that_is_stopped_reports_what_is_left) {
    struct probe final : sender {
        explicit probe(std::uint32_t number): sender(number, number) {}
        const rate_model& rate() const override { return full; }
        void sent(const airtime_report&) override { ended = true; }
        constant_rate full{100.0};
        bool ended = false;
    };
    event_queue queue;
    transfers::timetable timetable(queue);
    const auto try_medium = [&](medium& shared, double left_at_2, double on_air) {
        queue.reset_clock(0.0);
        probe a(0), b(1);
        airtime_report report;
        timetable.add(0.0, [&] {
            shared.start(a, 1000.0);
            shared.start(b, 1000.0);
        });
        timetable.add(2.0, [&] { report = shared.stop(a); });
        while (!queue.empty()) {
            queue.fire_next();
        }
        EXPECT_NEAR(report.bits_left, left_at_2, 1e-9);
        EXPECT_NEAR(report.on_air_s, on_air, 1e-9);
        EXPECT_FALSE(a.ended);
        EXPECT_TRUE(b.ended);
        return queue.now();
    };
    exclusive_medium exclusive(queue);
    EXPECT_NEAR(try_medium(exclusive, 800.0, 2.0), 10.0, 1e-9);
    for (const auto share : {share_kind::equal, share_kind::airtime, share_kind::maxmin}) {
        shared_medium shared(queue, share, 100.0);
        EXPECT_NEAR(try_medium(shared, 900.0, 1.0), 11.0, 1e-9) << name_of(share) << ": the other one is alone then";
    }
    equal_disturbance model([](double watts) { return 100.0 / (1.0 + watts); });
    radio_medium reused(queue, model, true);
    EXPECT_NEAR(try_medium(reused, 900.0, 2.0), 11.0, 1e-9);
}

} // namespace
} // namespace gaisnet
