// What a radio draws, against closed forms and against time that is stepped through.

#include "base/random.hpp"
#include "emulation/radio_timeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace gaisnet {
namespace {

/// The states of ns-3's and SimGrid's Wi-Fi, W: sends with 1.14, of which 0.2 / 0.35 go into the amplifier.
const radio_power wifi{0.35, 1.14 - 0.2 / 0.35, 0.94, 0.82};

radio_use sending(double from, double to, double on_air, link_class link = link_class::d2d, double watts = 0.2) {
    return {-1, from, to, on_air, link, true, watts, false};
}
radio_use receiving(double from, double to, double on_air) {
    return {-1, from, to, on_air, link_class::d2d, false, 0.0, false};
}

struct bill {
    double transmit_j, receive_j, idle_j;
    std::vector<double> of_uses, watts;
    double drawn_j = 0; ///< Integral of the power.
};

bill bill_of(const radio_power& radio, std::vector<radio_use> uses, double end) {
    for (std::size_t i = 0; i < uses.size(); ++i) {
        uses[i].event = static_cast<std::int64_t>(i);
    }
    bill out{};
    out.of_uses.resize(uses.size());
    radio_timeline line(radio);
    line.run(
        uses, 0.0, end,
        [&](const radio_use& use, double joules) { out.of_uses[static_cast<std::size_t>(use.event)] += joules; },
        [&](const radio_timeline::interval& one) {
            out.watts.push_back(one.watts);
            out.drawn_j += one.watts * (one.end_s - one.start_s);
        });
    out.transmit_j = line.transmit_j();
    out.receive_j = line.receive_j();
    out.idle_j = line.idle_j();
    return out;
}

TEST(radio_timeline, states_are_exclusive) {
    const auto all = bill_of(wifi, {sending(0, 1, 1), receiving(0.5, 2, 1.5)}, 4);
    EXPECT_DOUBLE_EQ(all.transmit_j, 1.14);
    EXPECT_DOUBLE_EQ(all.receive_j, 0.94) << "half a second of it, it sent";
    EXPECT_DOUBLE_EQ(all.idle_j, 2 * 0.82);
    EXPECT_EQ(all.watts, (std::vector{1.14, 1.14, 0.94, 0.82}));
}

TEST(radio_timeline, what_is_sent_at_once_shares_the_power) {
    // A base station with twelve deliveries at once radiates 40 W, not 480.
    const radio_power base{0.311, 6.8, 6.1, 6.1};
    const std::vector<radio_use> twelve(12, sending(0, 3, 3, link_class::cs_down, 40.0));
    const auto all = bill_of(base, twelve, 3);
    EXPECT_NEAR(all.transmit_j, 3 * (40.0 / 0.311 + 6.8), 1e-9);
    for (const double one : all.of_uses) {
        EXPECT_NEAR(one, all.transmit_j / 12, 1e-9);
    }
    EXPECT_EQ(all.idle_j, 0.0);
}

TEST(radio_timeline, classes_of_links_have_an_amplifier_each) {
    const auto all = bill_of(wifi, {sending(0, 1, 1), sending(0, 1, 1, link_class::cs_up, 0.1)}, 1);
    EXPECT_NEAR(all.transmit_j, (0.2 + 0.1) / 0.35 + wifi.circuit_w, 1e-12);
}

TEST(radio_timeline, in_turns_the_time_on_the_air_counts) {
    auto some = std::vector<radio_use>{sending(0, 4, 1), sending(0, 4, 1)};
    for (auto& one : some) {
        one.in_turns = true;
    }
    const auto all = bill_of(wifi, some, 4);
    EXPECT_NEAR(all.transmit_j, 2 * 1.14, 1e-12);
    EXPECT_NEAR(all.idle_j, 2 * 0.82, 1e-12);
}

/// The same rules, a step of time after another.
bill stepped(const radio_power& radio, const std::vector<radio_use>& uses, double end, int steps) {
    bill out{};
    out.of_uses.resize(uses.size());
    const double step = end / steps;
    for (int i = 0; i < steps; ++i) {
        const double now = (i + 0.5) * step;
        std::map<link_class, double> parts_of_class;
        double sent = 0, heard = 0;
        std::vector<std::size_t> active;
        for (std::size_t u = 0; u < uses.size(); ++u) {
            if (uses[u].start_s <= now && now < uses[u].end_s) {
                active.push_back(u);
                const double part = uses[u].on_air_s / (uses[u].end_s - uses[u].start_s);
                (uses[u].sends ? sent : heard) += part;
                parts_of_class[uses[u].link] += uses[u].sends ? part : 0.0;
            }
        }
        const double sending_part = std::min(1.0, sent), receiving_part = std::min(1.0, heard) * (1 - sending_part);
        for (const auto u : active) {
            const double part = uses[u].on_air_s / (uses[u].end_s - uses[u].start_s);
            double joules = 0;
            if (uses[u].sends) {
                joules = step * (part / std::max(1.0, parts_of_class[uses[u].link]) * uses[u].radiated_w /
                                     radio.amplifier_efficiency +
                                 radio.circuit_w * sending_part * part / sent);
                out.transmit_j += joules;
            } else {
                joules = step * radio.receive_w * receiving_part * part / heard;
                out.receive_j += joules;
            }
            out.of_uses[u] += joules;
        }
        out.idle_j += step * radio.idle_w * (1 - sending_part - receiving_part);
    }
    return out;
}

TEST(radio_timeline, is_what_stepping_through_time_gives) {
    random_stream random(5, "radio timeline", "test");
    for (int trial = 0; trial < 50; ++trial) {
        std::vector<radio_use> uses;
        const auto count = 1 + static_cast<int>(random.uniform() * 12);
        for (int i = 0; i < count; ++i) {
            // On the grid of the steps, so that these are exact.
            const double from = std::floor(random.uniform() * 80), to = from + 1 + std::floor(random.uniform() * 20);
            const double part = random.uniform() < 0.3 ? random.uniform() : 1.0;
            auto one = random.uniform() < 0.6
                           ? sending(from, to, part * (to - from),
                                     random.uniform() < 0.5 ? link_class::d2d : link_class::cs_up, random.uniform())
                           : receiving(from, to, part * (to - from));
            one.event = i;
            uses.push_back(one);
        }
        const auto got = bill_of(wifi, uses, 100), expected = stepped(wifi, uses, 100, 1000);
        EXPECT_NEAR(got.transmit_j, expected.transmit_j, 1e-9);
        EXPECT_NEAR(got.receive_j, expected.receive_j, 1e-9);
        EXPECT_NEAR(got.idle_j, expected.idle_j, 1e-9);
        EXPECT_NEAR(got.drawn_j, expected.transmit_j + expected.receive_j + expected.idle_j, 1e-9);
        for (std::size_t i = 0; i < uses.size(); ++i) {
            EXPECT_NEAR(got.of_uses[i], expected.of_uses[i], 1e-9) << "use " << i << " of trial " << trial;
        }
    }
}

} // namespace
} // namespace gaisnet
