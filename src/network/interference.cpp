#include "network/interference.hpp"

#include <cmath>

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

double interference::interference_w(const sender& who, std::uint32_t other, double time) {
    const auto& mine = net_.links[who.index()].parameters;
    if (other == mine.from || other == mine.to) {
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

} // namespace gaisnet
