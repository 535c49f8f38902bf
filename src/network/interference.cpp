#include "network/interference.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace gaisnet {

void interference::begin_round(std::uint32_t round) {
    round_ = round;
    known_.clear();
}

double interference::step_of(double time) const {
    if (scene_.mobility.kind == mobility_kind::none) {
        return 0.0;
    }
    double number = std::floor(time / net_.radio->step_s());
    while ((number + 1.0) * net_.radio->step_s() <= time) { // rounding
        number += 1.0;
    }
    return number;
}

double interference::next_change(const sender&, double time) {
    return scene_.mobility.kind == mobility_kind::none ? never : (step_of(time) + 1.0) * net_.radio->step_s();
}

double interference::received_w(link_class kind, const radio_settings& radio, std::uint32_t from, std::uint32_t to,
                                double time) {
    constexpr int half = 32;
    constexpr std::size_t most = 8'000'000; // about 60 B each
    if (const double step = step_of(time); step != known_step_ || known_.size() > most) {
        known_step_ = step;
        known_.clear();
    }
    const auto [known, fresh] = known_.try_emplace((std::uint64_t{from} << half) | to, 0.0);
    if (fresh) {
        known->second = net_.radio->received_w(kind, radio, from, to, round_, known_step_ * net_.radio->step_s());
    }
    return known->second;
}

place_xy interference::place_of(std::uint32_t node, double time) {
    const auto place = net_.radio->place(node, step_of(time) * net_.radio->step_s());
    return {place.x, place.y};
}

place_xy interference::place_of_receiver(const sender& who, double time) {
    return place_of(net_.links[who.index()].parameters.to, time);
}

double interference::interference_w(const sender& who, std::uint32_t other, double time) {
    const auto& mine = net_.links[who.index()].parameters;
    if (other == mine.from || other == mine.to) {
        return 0.0;
    }
    if (std::isfinite(range()) &&
        net_.radio->distance(other, mine.to, step_of(time) * net_.radio->step_s()) > range()) {
        return 0.0;
    }
    return received_w(mine.kind, *settings_of(scene_, mine.kind).radio, other, mine.to, time);
}

double interference::rate(const sender& who, double power_part, double interference_w, double time) {
    const auto& link = net_.links[who.index()];
    const auto& mine = link.parameters;
    const auto& radio = *settings_of(scene_, mine.kind).radio;
    const double noise = noise_power_w(mine.bandwidth_hz, radio.noise_figure_db) + interference_w;
    const double signal = power_part * received_w(mine.kind, radio, mine.from, mine.to, time);
    return link.rate_factor * shannon_rate(mine.bandwidth_hz, signal / noise, radio.max_efficiency);
}

std::optional<neglected_interference> neglected_by_range(const scenario& scene, const topology& net) {
    const double range = scene.link.d2d.interference_range_m;
    if (scene.link.d2d.share != share_kind::reuse || !std::isfinite(range)) {
        return std::nullopt;
    }
    const auto& radio = *scene.link.d2d.radio;
    std::map<std::size_t, std::set<std::uint32_t>> senders; // by medium
    std::vector<const network_link*> links;
    for (const auto& one : net.links) {
        if (one.medium && net.media[*one.medium].share == share_kind::reuse) {
            senders[*one.medium].insert(one.parameters.from);
            links.push_back(&one);
        }
    }
    std::size_t pairs = 0;
    for (const auto* one : links) {
        pairs += senders[*one->medium].size();
    }
    constexpr std::size_t most_pairs = 1'000'000; // about a second
    const std::size_t each = 1 + pairs / most_pairs;
    neglected_interference out;
    out.links = links.size();
    for (std::size_t place = 0; place < links.size(); place += each) {
        const auto& mine = links[place]->parameters;
        double left_out = 0.0;
        for (const auto other : senders[*links[place]->medium]) {
            if (other != mine.from && other != mine.to && net.radio->distance(other, mine.to, 0.0) > range) {
                left_out += net.radio->received_w(mine.kind, radio, other, mine.to, 1, 0.0);
            }
        }
        out.most = std::max(out.most, left_out / noise_power_w(mine.bandwidth_hz, radio.noise_figure_db));
        ++out.looked_at;
    }
    return out;
}

std::string describe_neglected(const scenario& scene, const topology& net) {
    const auto found = neglected_by_range(scene, net);
    if (!found) {
        return {};
    }
    constexpr double percent = 100.0;
    return fmt::format("link.d2d.interference_range = {} leaves out at most {:.3g} % of a receiver's noise, if all "
                       "other nodes send at once: "
                       "no rate is too high by more than that ({} of {} links looked at)",
                       quantity(scene.link.d2d.interference_range_m, "m"), percent * found->most, found->looked_at,
                       found->links);
}

} // namespace gaisnet
