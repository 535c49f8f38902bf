#include "network/interference.hpp"

#include <cmath>

namespace gaisnet {

void interference::begin_round(std::uint32_t round) {
    round_ = round;
    known_.clear();
}

double interference::received_w(link_class kind, const radio_settings& radio, std::uint32_t from, std::uint32_t to,
                                double time) {
    constexpr int half = 32;
    const auto [known, fresh] = known_.try_emplace((std::uint64_t{from} << half) | to, 0.0);
    if (fresh) {
        known->second = net_.radio->received_w(kind, radio, from, to, round_, time);
    }
    return known->second;
}

double interference::rate(const sender& who, const reused_medium::senders& sending, double time) {
    const auto& mine = net_.links[who.index()].parameters;
    const auto& radio = *settings_of(scene_, mine.kind).radio;
    if (scene_.mobility.kind != mobility_kind::none) {
        const double step = std::floor(time / net_.radio->step_s() + 1e-9);
        if (step != step_) {
            step_ = step;
            known_.clear();
        }
        time = step * net_.radio->step_s();
    }
    double noise = noise_power_w(mine.bandwidth_hz, radio.noise_figure_db);
    for (const auto& [index, other] : sending) {
        if (index != who.index() && other->node() != mine.from && other->node() != mine.to) {
            noise += received_w(mine.kind, radio, other->node(), mine.to, time);
        }
    }
    const double signal = received_w(mine.kind, radio, mine.from, mine.to, time);
    return shannon_rate(mine.bandwidth_hz, signal / noise, radio.max_efficiency);
}

} // namespace gaisnet
