#include "network/interference.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
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
    return net_.radio->step_of(time);
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

position interference::place_of(std::uint32_t node, double time) {
    return net_.radio->place(node, step_of(time) * net_.radio->step_s());
}

position interference::place_of_receiver(const sender& who, double time) {
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

namespace {

/// Power (W) that a receiver gets from nodes within the range, and from all others.
struct heard {
    double near = 0, far = 0;
};

/// \param least_signal, signal W at the receiver
void add_error(range_error& sum, const radio_settings& radio, double bandwidth_hz, double least_signal, double signal,
               const heard& other) {
    const double noise = noise_power_w(bandwidth_hz, radio.noise_figure_db);
    const auto rate = [&](double power, double disturbance) {
        return shannon_rate(bandwidth_hz, power / disturbance, radio.max_efficiency);
    };
    const auto too_high = [&](double power, double disturbance) {
        return rate(power, disturbance) / rate(power, disturbance + other.far) - 1.0;
    };
    const double at_cap = least_signal / (std::exp2(radio.max_efficiency) - 1.0);
    sum.bound = std::max(sum.bound, too_high(least_signal, std::max(noise, at_cap)));
    sum.all_send = std::max(sum.all_send, too_high(signal, noise + other.near));
    ++sum.looked_at;
}

} // namespace

std::optional<range_error> error_of_range(const scenario& scene, const topology& net) {
    const double range = scene.link.d2d.interference_range_m;
    if (scene.link.d2d.share != share_kind::reuse || !std::isfinite(range)) {
        return std::nullopt;
    }
    const auto& radio = *scene.link.d2d.radio;
    std::map<std::size_t, std::map<std::uint32_t, int>> senders; // by medium: nodes, and how many links each has
    std::vector<const network_link*> links;
    std::size_t pairs = 0;
    for (const auto& one : net.links) {
        if (one.medium && net.media[*one.medium].share == share_kind::reuse) {
            ++senders[*one.medium][one.parameters.from];
            links.push_back(&one);
        }
    }
    for (const auto* one : links) {
        pairs += senders[*one->medium].size();
    }
    constexpr std::size_t most_pairs = 1'000'000; // about a second
    const auto some = pairs <= most_pairs ? links.size() : std::max<std::size_t>(1, links.size() * most_pairs / pairs);
    random_stream draw(scene.seed, "link.interference_range", "links");
    range_error out;
    out.links = links.size();
    for (std::size_t i = 0; i < some; ++i) {
        std::swap(links[i], links[i + draw.below(links.size() - i)]);
        const auto& mine = links[i]->parameters;
        const auto received = [&](std::uint32_t from) {
            return net.radio->received_w(mine.kind, radio, from, mine.to, 1, 0.0);
        };
        const auto& all = senders[*links[i]->medium];
        heard other;
        for (const auto& [node, count] : all) {
            if (node != mine.from && node != mine.to) {
                (net.radio->distance(node, mine.to, 0.0) > range ? other.far : other.near) += received(node);
            }
        }
        const double signal = received(mine.from);
        add_error(out, radio, mine.bandwidth_hz, signal / all.at(mine.from), signal, other);
    }
    return out;
}

} // namespace gaisnet
