#include "rounds/slow_links.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gaisnet {

std::vector<std::string> slow_links::find(std::span<const event_row> events) {
    struct finding {
        const event_row* worst = nullptr;
        double rate_bit_s = 0, longer_s = 0;
        std::size_t transfers = 0;
    };
    std::map<link_class, finding> found;
    double first = never, last = 0;
    for (const auto& event : events) {
        first = std::min(first, event.start_s);
        last = std::max(last, event.arrival_s);
    }
    for (const auto& event : events) {
        const auto* settings = event.receivers > 0 ? &settings_of(*deploy_.scene, event.link) : nullptr;
        if (!settings || !settings->radio || event.on_air_s <= 0.0) {
            continue;
        }
        constexpr double bits_a_byte = 8.0;
        const double rate =
            bits_a_byte * static_cast<double>(event.bytes + event.resent * settings->packet) / event.on_air_s;
        if (rate >= settings->radio->min_rate) {
            continue;
        }
        auto& slow = found[event.link];
        ++slow.transfers;
        slow.longer_s = std::max(slow.longer_s, event.on_air_s * (1.0 - rate / settings->radio->min_rate));
        if (!slow.worst || rate < slow.rate_bit_s) {
            slow.worst = &event;
            slow.rate_bit_s = rate;
        }
    }
    std::vector<std::string> warnings;
    for (const auto& [link, slow] : found) {
        constexpr int most = 3;
        constexpr double counts = 0.01;
        if (slow.longer_s < counts * (last - first) || ++told_[link] > most) {
            continue;
        }
        const auto& nodes = deploy_.net.nodes;
        const auto& worst = *slow.worst;
        warnings.push_back(fmt::format(
            "round {}: {} transfer(s) were slower than link.{}.min_rate = {}; {} -> {} sent {} with {} in {}{}",
            worst.round, slow.transfers, name_of(link),
            quantity(settings_of(*deploy_.scene, link).radio->min_rate, "bit/s"), nodes[worst.node].name,
            nodes[worst.peer].name, quantity(static_cast<double>(worst.bytes), "B"), quantity(slow.rate_bit_s, "bit/s"),
            quantity(worst.end_s - worst.start_s, "s"), told_[link] == most ? "; no more is said of such links" : ""));
    }
    return warnings;
}

} // namespace gaisnet
