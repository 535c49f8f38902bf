#include "emulation/radio_timeline.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace gaisnet {

namespace {

/// Integrals over time of the charge for a use with a share of 1 on the air. A use pays the difference between the
/// values at its end and its start, so its cost is O(1), however many others begin and end meanwhile.
struct integrals {
    std::array<double, link_classes> amplifier{}; ///< Charge for simultaneous transmissions, by class.
    double send = 0, send_in_turns = 0, receive = 0, receive_in_turns = 0;
};

/// The current sum of shares on the air, and the number of transfers in it; the sum is exactly 0 when the number is 0.
struct load {
    double parts = 0, radiated_w = 0;
    int count = 0;
    void add(double part, double watts) {
        parts += part;
        radiated_w += part * watts;
        ++count;
    }
    void remove(double part, double watts) {
        parts -= part;
        radiated_w -= part * watts;
        if (--count == 0) {
            parts = radiated_w = 0;
        }
    }
};

} // namespace

void radio_timeline::run(const std::vector<radio_use>& uses, double start_s, double end_s,
                         const std::function<void(const radio_use&, double)>& charge,
                         const std::function<void(const interval&)>& visit) {
    struct change {
        double time;
        bool starts;
        std::size_t use;
    };
    std::vector<change> changes;
    for (std::size_t i = 0; i < uses.size(); ++i) {
        if (uses[i].end_s > uses[i].start_s) {
            changes.push_back({uses[i].start_s, true, i});
            changes.push_back({uses[i].end_s, false, i});
        }
    }
    std::sort(changes.begin(), changes.end(), [](const change& a, const change& b) {
        return std::tie(a.time, a.starts, a.use) < std::tie(b.time, b.starts, b.use);
    });
    integrals sum;
    std::vector<integrals> at_start(uses.size());
    std::array<load, link_classes> at_once{}; // transmissions, by class
    load sent_at_once, sent_in_turns, received_at_once, received_in_turns;
    double now = start_s, sending_s = 0, receiving_s = 0;

    const auto pass_time = [&](double until) {
        const double passed = until - now;
        if (passed <= 0.0) {
            return;
        }
        const double once = std::min(1.0, sent_at_once.parts), left = 1.0 - once;
        const double sending = once + left * sent_in_turns.parts, quiet = std::max(0.0, 1.0 - sending);
        const double hears_once = std::min(1.0, received_at_once.parts), hears_left = 1.0 - hears_once;
        const double receiving = quiet * (hears_once + hears_left * received_in_turns.parts);
        double amplifier_w = sent_in_turns.radiated_w;
        for (std::size_t link = 0; link < at_once.size(); ++link) {
            const double shared = passed / std::max(1.0, at_once[link].parts);
            sum.amplifier[link] += shared;
            amplifier_w += at_once[link].radiated_w * shared / passed;
        }
        sum.send += passed / std::max(1.0, sent_at_once.parts);
        sum.send_in_turns += passed * left;
        sum.receive += passed * quiet / std::max(1.0, received_at_once.parts);
        sum.receive_in_turns += passed * quiet * hears_left;
        sending_s += passed * sending;
        receiving_s += passed * receiving;
        if (visit) {
            const double idle = std::max(0.0, 1.0 - sending - receiving);
            visit({now, until,
                   amplifier_w / radio_.amplifier_efficiency + sending * radio_.circuit_w +
                       receiving * radio_.receive_w + idle * radio_.idle_w});
        }
        now = until;
    };
    for (const auto& [time, starts, index] : changes) {
        pass_time(time);
        const auto& use = uses[index];
        const double part = use.on_air_s / (use.end_s - use.start_s);
        auto& total = use.sends ? (use.in_turns ? sent_in_turns : sent_at_once)
                                : (use.in_turns ? received_in_turns : received_at_once);
        auto& of_class = at_once[static_cast<std::size_t>(use.link)];
        if (starts) {
            total.add(part, use.radiated_w);
            if (use.sends && !use.in_turns) {
                of_class.add(part, use.radiated_w);
            }
            at_start[index] = sum;
            continue;
        }
        total.remove(part, use.radiated_w);
        if (use.sends && !use.in_turns) {
            of_class.remove(part, use.radiated_w);
        }
        const auto& then = at_start[index];
        double joules = 0;
        if (use.sends) {
            const auto link = static_cast<std::size_t>(use.link);
            const double amplified = use.in_turns ? use.on_air_s : part * (sum.amplifier[link] - then.amplifier[link]);
            const double sent = part * (use.in_turns ? sum.send_in_turns - then.send_in_turns : sum.send - then.send);
            joules = amplified * use.radiated_w / radio_.amplifier_efficiency + sent * radio_.circuit_w;
            transmit_j_ += joules;
        } else {
            joules = part * radio_.receive_w *
                     (use.in_turns ? sum.receive_in_turns - then.receive_in_turns : sum.receive - then.receive);
            receive_j_ += joules;
        }
        charge(use, joules);
    }
    pass_time(end_s);
    idle_j_ += std::max(0.0, end_s - start_s - sending_s - receiving_s) * radio_.idle_w;
}

} // namespace gaisnet
