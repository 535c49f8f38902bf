#include "network/radio_map.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

/// The rate of a link over time in one round: constant, or one value per step while one of its ends moves.
class radio_rate final : public rate_model {
public:
    radio_rate(std::shared_ptr<const radio_map> map, link_class kind, radio_settings radio, std::uint32_t from,
               std::uint32_t to, double bandwidth_hz, std::uint32_t round)
        : map_(std::move(map))
        , kind_(kind)
        , radio_(std::move(radio))
        , from_(from)
        , to_(to)
        , bandwidth_hz_(bandwidth_hz)
        , round_(round)
        , moves_(map_->moves(from) || map_->moves(to)) {}

    double rate_at(double time) const override {
        find_channel(time);
        return known_rate_;
    }
    double rate_with(double power_part, double time) const override {
        find_channel(time);
        return power_part == 1.0 ? known_rate_
                                 : shannon_rate(bandwidth_hz_, power_part * known_snr_, radio_.max_efficiency);
    }
    double next_change(double time) const override {
        return moves_ ? (map_->step_of(time) + 1.0) * map_->step_s() : never;
    }

private:
    void find_channel(double time) const {
        const double step = moves_ ? map_->step_of(time) : 0.0;
        if (step != known_step_) {
            known_step_ = step;
            known_snr_ = map_->received_w(kind_, radio_, from_, to_, round_, step * map_->step_s()) /
                         noise_power_w(bandwidth_hz_, radio_.noise_figure_db);
            known_rate_ = shannon_rate(bandwidth_hz_, known_snr_, radio_.max_efficiency);
        }
    }

    std::shared_ptr<const radio_map> map_;
    link_class kind_;
    radio_settings radio_;
    std::uint32_t from_, to_;
    double bandwidth_hz_;
    std::uint32_t round_;
    bool moves_;
    mutable double known_step_ = -1.0, known_snr_ = 0.0, known_rate_ = 0.0;
};

} // namespace

double radio_map::step_of(double time) const {
    double step = std::floor(time / step_s_);
    while ((step + 1.0) * step_s_ <= time) { // rounding
        step += 1.0;
    }
    return step;
}

double radio_map::distance(std::uint32_t from, std::uint32_t to, double time) const {
    double nearest = never;
    for (const auto& one : sites_[from].antennas) {
        for (const auto& other : sites_[to].antennas) {
            nearest = std::min(nearest, distance_m(one.at(time), other.at(time)));
        }
    }
    return nearest;
}

bool radio_map::moves(std::uint32_t node) const {
    return std::any_of(sites_[node].antennas.begin(), sites_[node].antennas.end(),
                       [](const trajectory& antenna) { return antenna.moves(); });
}

std::string radio_map::pair_name(link_class kind, std::uint32_t from, std::size_t a, std::uint32_t to,
                                 std::size_t b) const {
    const auto end = [&](std::uint32_t node, std::size_t antenna) {
        return sites_[node].antennas.size() == 1 ? sites_[node].name
                                                 : sites_[node].name + ".ap" + std::to_string(antenna);
    };
    auto one = end(from, a), other = end(to, b);
    if (other < one) {
        std::swap(one, other);
    }
    return (kind == link_class::d2d ? "d2d " : "cs ") + one + " " + other;
}

double radio_map::gain(link_class kind, const radio_settings& radio, std::uint32_t from, std::size_t a,
                       std::uint32_t to, std::size_t b, double distance) const {
    random_stream stream(seed_, "link.shadowing", pair_name(kind, from, a, to, b));
    const double loss = radio.loss.loss_db(distance, radio.frequency_hz) + radio.shadowing_db * stream.normal();
    return from_db(radio.tx_gain_db + radio.rx_gain_db - loss);
}

double radio_map::radiated_w(link_class kind, std::uint32_t from) const {
    const auto& site = sites_[from];
    return site.radiated_w[static_cast<std::size_t>(kind)] / static_cast<double>(site.antennas.size());
}

double radio_map::received_w(link_class kind, const radio_settings& radio, std::uint32_t from, std::uint32_t to,
                             std::uint32_t round, double time) const {
    double sum = 0.0;
    for (std::size_t a = 0; a < sites_[from].antennas.size(); ++a) {
        for (std::size_t b = 0; b < sites_[to].antennas.size(); ++b) {
            const double distance = distance_m(sites_[from].antennas[a].at(time), sites_[to].antennas[b].at(time));
            double fading = 1.0;
            if (radio.fading.kind != fading_kind::none && round > 0) {
                random_stream stream(seed_, "link.fading", pair_name(kind, from, a, to, b), round);
                fading = draw_fading(stream, radio.fading.kind, radio.fading.k_factor);
            }
            sum += gain(kind, radio, from, a, to, b, distance) * fading;
        }
    }
    return sum * radiated_w(kind, from);
}

double radio_map::reach_m(link_class kind, const radio_settings& radio, std::uint32_t from, double bandwidth_hz,
                          double rate_bit_s) const {
    const auto carries = [&](double distance) {
        const double loss = radio.loss.loss_db(distance, radio.frequency_hz);
        const double received = from_db(radio.tx_gain_db + radio.rx_gain_db - loss) * radiated_w(kind, from);
        return shannon_rate(bandwidth_hz, received / noise_power_w(bandwidth_hz, radio.noise_figure_db),
                            radio.max_efficiency) >= rate_bit_s;
    };
    constexpr double farthest_m = 1e6;
    double near = 0.0, far = farthest_m;
    if (carries(far)) {
        return farthest_m;
    }
    constexpr int halvings = 60;
    for (int i = 0; i < halvings; ++i) {
        const double middle = 0.5 * (near + far);
        (carries(middle) ? near : far) = middle;
    }
    return near;
}

radio_state radio_map::state(link_class kind, const radio_settings& radio, std::uint32_t from, std::uint32_t to,
                             double bandwidth_hz, double time) const {
    radio_state out;
    out.distance_m = never;
    for (std::size_t a = 0; a < sites_[from].antennas.size(); ++a) {
        for (std::size_t b = 0; b < sites_[to].antennas.size(); ++b) {
            const double distance = distance_m(sites_[from].antennas[a].at(time), sites_[to].antennas[b].at(time));
            if (distance < out.distance_m) {
                out.distance_m = distance;
                out.path_loss_db = -to_db(gain(kind, radio, from, a, to, b, distance));
            }
        }
    }
    constexpr std::uint32_t without_fading = 0;
    out.snr =
        received_w(kind, radio, from, to, without_fading, time) / noise_power_w(bandwidth_hz, radio.noise_figure_db);
    out.rate_bit_s = shannon_rate(bandwidth_hz, out.snr, radio.max_efficiency);
    return out;
}

std::unique_ptr<rate_model> radio_map::rate(std::shared_ptr<const radio_map> self, link_class kind,
                                            const radio_settings& radio, std::uint32_t from, std::uint32_t to,
                                            double bandwidth_hz, std::uint32_t round) {
    return std::make_unique<radio_rate>(std::move(self), kind, radio, from, to, bandwidth_hz, round);
}

} // namespace gaisnet
