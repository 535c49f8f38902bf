// Links that disturb each other, against a simulation that looks at all of them at every moment.

#include "emulation/radio_medium.hpp"
#include "emulation/transfers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace gaisnet {
namespace {

constexpr double step_s = 0.25;

/// Nodes on a plane that jump at whole steps of time. Link i goes from node i / 2 to a node of its own.
struct field {
    explicit field(std::uint32_t seed): draw(seed) {
        for (int i = 0; i < 40; ++i) {
            nodes.push_back(place());
            speeds.push_back(place());
            ends.push_back(place());
        }
    }
    position place() {
        std::uniform_real_distribution<double> side(-300.0, 300.0);
        return {side(draw), side(draw)};
    }
    double step_of(double time) const { return moves ? std::floor(time / step_s) : 0.0; }
    position node_at(std::uint32_t node, double time) const {
        const double passed = step_of(time) * step_s;
        return {nodes[node].x + speeds[node].x * passed, nodes[node].y + speeds[node].y * passed};
    }
    double distance(std::uint32_t node, std::uint32_t link, double time) const {
        const auto from = node_at(node, time);
        return std::hypot(from.x - ends[link].x, from.y - ends[link].y);
    }
    double power(std::uint32_t node, std::uint32_t link, double time) const {
        return 1.0 / (1.0 + std::pow(distance(node, link, time), 3.0));
    }
    double rate(std::uint32_t link, double part, double interference, double time) const {
        const double signal = part * (0.01 + power(link / 2, link, time));
        return 1e3 * std::log2(1.0 + signal / (1e-6 + interference));
    }

    std::mt19937 draw;
    std::vector<position> nodes, speeds, ends;
    double range = never;
    bool moves = false;
};

struct model final : radio_medium::channel_model {
    explicit model(const field& of): its(of) {}
    double interference_w(const sender& who, std::uint32_t other, double time) override {
        return its.distance(other, who.index(), time) <= its.range ? its.power(other, who.index(), time) : 0.0;
    }
    double rate(const sender& who, double part, double watts, double time) override {
        return its.rate(who.index(), part, watts, time);
    }
    double next_change(const sender&, double time) override {
        return its.moves ? (its.step_of(time) + 1.0) * step_s : never;
    }
    double range() const override { return its.range; }
    position place_of(std::uint32_t node, double time) override { return its.node_at(node, time); }
    position place_of_receiver(const sender& who, double) override { return its.ends[who.index()]; }
    const field& its;
};

struct transfer {
    double start = 0, bits = 0, stop = never;
};
struct result {
    double end = -1, left = 0, on_air = 0, spectrum = 0;
};

struct probe final : sender {
    probe(std::uint32_t index, event_queue& queue, result& out): sender(index, index / 2), clock(queue), told(out) {}
    const rate_model& rate() const override { throw std::logic_error("not asked for"); }
    void sent(const airtime_report& used) override { tell(used); }
    void tell(const airtime_report& used) { told = {clock.now(), used.bits_left, used.on_air_s, used.spectrum_s}; }
    event_queue& clock;
    result& told;
};

std::vector<result> by_medium(const field& all, const std::vector<transfer>& wanted) {
    event_queue queue;
    model channels(all);
    radio_medium medium(queue, channels, true);
    std::vector<result> out(wanted.size());
    std::deque<probe> probes;
    transfers::timetable timetable(queue);
    for (std::uint32_t link = 0; link < wanted.size(); ++link) {
        probes.emplace_back(link, queue, out[link]);
        timetable.add(wanted[link].start, [&, link] { medium.start(probes[link], wanted[link].bits); });
        if (wanted[link].stop < never) {
            timetable.add(wanted[link].stop, [&, link] {
                if (out[link].end < 0) {
                    probes[link].tell(medium.stop(probes[link]));
                }
            });
        }
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    return out;
}

/// From moment to moment, with all rates made anew.
std::vector<result> by_looking_at_all(const field& all, const std::vector<transfer>& wanted) {
    std::vector<result> out(wanted.size());
    std::map<std::uint32_t, double> left;
    double now = 0.0;
    for (std::size_t ended = 0; ended < wanted.size();) {
        std::map<std::uint32_t, double> rates;
        for (const auto& [link, bits] : left) {
            double interference = 0.0, mine = 0.0;
            std::map<std::uint32_t, bool> heard;
            for (const auto& [other, its] : left) {
                mine += other / 2 == link / 2 ? 1.0 : 0.0;
                if (other / 2 != link / 2 && !std::exchange(heard[other / 2], true) &&
                    all.distance(other / 2, link, now) <= all.range) {
                    interference += all.power(other / 2, link, now);
                }
            }
            rates[link] = all.rate(link, 1.0 / mine, interference, now);
        }
        double next = all.moves ? (all.step_of(now) + 1.0) * step_s : never;
        for (std::uint32_t link = 0; link < wanted.size(); ++link) {
            next = std::min({next, wanted[link].start > now ? wanted[link].start : never,
                             left.contains(link) ? wanted[link].stop : never});
            if (left.contains(link)) {
                next = std::min(next, now + left[link] / rates[link]);
            }
        }
        const auto sending = static_cast<double>(left.size());
        for (auto& [link, bits] : left) {
            bits -= rates[link] * (next - now);
            out[link].on_air += next - now;
            out[link].spectrum += (next - now) / sending;
        }
        now = next;
        for (std::uint32_t link = 0; link < wanted.size(); ++link) {
            if (left.contains(link) && (left[link] < 1e-6 || wanted[link].stop <= now)) {
                out[link].end = now;
                out[link].left = std::max(0.0, left[link]);
                left.erase(link);
                ++ended;
            }
            if (wanted[link].start == now) {
                left[link] = wanted[link].bits;
            }
        }
    }
    return out;
}

TEST(radio_medium, agrees_with_rates_made_anew_at_every_moment) {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        field all(seed);
        all.moves = seed % 2 == 0;
        all.range = seed % 4 < 2 ? never : 150.0;
        std::vector<transfer> wanted;
        std::uniform_real_distribution<double> some(0.001, 1.0);
        for (int link = 0; link < 40; ++link) {
            wanted.push_back({some(all.draw), 1e4 * some(all.draw), link % 5 == 0 ? 1.0 + some(all.draw) : never});
        }
        const auto measured = by_medium(all, wanted);
        const auto expected = by_looking_at_all(all, wanted);
        for (std::size_t link = 0; link < wanted.size(); ++link) {
            ASSERT_NEAR(measured[link].end, expected[link].end, 1e-7) << "seed " << seed << ", link " << link;
            ASSERT_NEAR(measured[link].left, expected[link].left, 1e-3);
            ASSERT_NEAR(measured[link].on_air, expected[link].on_air, 1e-7);
            ASSERT_NEAR(measured[link].spectrum, expected[link].spectrum, 1e-7);
        }
    }
}

TEST(radio_medium, a_range_that_holds_everybody_changes_nothing) {
    field all(3);
    std::vector<transfer> wanted;
    for (int link = 0; link < 40; ++link) {
        wanted.push_back({0.01 * link + 0.001, 2e3, never});
    }
    const auto unlimited = by_medium(all, wanted);
    all.range = 1e4;
    const auto limited = by_medium(all, wanted);
    all.range = 100.0;
    const auto near = by_medium(all, wanted);
    int sooner = 0;
    for (std::size_t link = 0; link < wanted.size(); ++link) {
        EXPECT_EQ(unlimited[link].end, limited[link].end);
        sooner += near[link].end < unlimited[link].end ? 1 : 0;
    }
    EXPECT_GT(sooner, 20) << "who hears less is faster";
}

} // namespace
} // namespace gaisnet
