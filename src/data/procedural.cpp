#include "data/procedural.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace gaisnet {

namespace {

using colour = std::array<double, 3>;
constexpr double pi = std::numbers::pi;

/// How a domain draws.
struct style {
    double hue, hue_range;        ///< Colours of the pattern
    double scale_low, scale_high; ///< Periods of the pattern across the image
    double turn;                  ///< Largest rotation, radians
    double contrast;              ///< Between the two colours
    double gradient;              ///< Strength of the background's gradient
    double noise;                 ///< Standard deviation, of 1
    double softness;              ///< Width of the pattern's borders, in periods
};

style style_of(int domain) {
    // The styles are part of the data, like the photographs of a real data set, so no scenario's seed draws them.
    random_stream draw(1, "procedural.style", std::to_string(domain));
    style out{};
    out.hue = draw.uniform();
    out.hue_range = draw.uniform(0.15, 0.5);
    out.scale_low = draw.uniform(2.5, 3.5);
    out.scale_high = out.scale_low + draw.uniform(1.0, 2.5);
    out.turn = draw.uniform(0.10, 0.25);
    out.contrast = draw.uniform(0.35, 0.6);
    out.gradient = draw.uniform(0.1, 0.4);
    out.noise = draw.uniform(0.06, 0.14);
    out.softness = draw.uniform(0.05, 0.2);
    return out;
}

colour from_hue(double hue, double saturation, double value) {
    colour out;
    for (std::size_t c = 0; c < 3; ++c) {
        const double k = std::fmod(hue * 6.0 + (c == 0 ? 5.0 : c == 1 ? 3.0 : 1.0), 6.0);
        out[c] = value - value * saturation * std::max(0.0, std::min({k, 4.0 - k, 1.0}));
    }
    return out;
}

/// Smooth step from 0 to 1 around `edge`.
double soft(double value, double edge, double width) {
    return std::clamp(0.5 + (value - edge) / (2.0 * width + 1e-9), 0.0, 1.0);
}

/// Distance to the nearest whole number: a triangle wave from 0 to 0.5.
double wave(double x) { return std::abs(x - std::round(x)); }

/// How much of the pattern's colour lies at (u, v), both in periods, for one class.
double pattern(int label, double u, double v, double softness) {
    const double a = wave(u), b = wave(v);
    const double cell_u = u - std::round(u), cell_v = v - std::round(v);
    const double diagonal = std::sqrt(0.5);
    switch (label) {
    case 0: return soft(b, 0.25, softness);                                                  // level stripes
    case 1: return soft(a, 0.25, softness);                                                  // upright stripes
    case 2: return soft(wave((u + v) * diagonal), 0.25, softness);                           // falling stripes
    case 3: return soft((a - 0.25) * (b - 0.25) * 8.0, 0.0, softness * 2);                   // checks
    case 4: return soft(wave(std::hypot(u, v)), 0.25, softness);                             // rings
    case 5: return 1.0 - soft(std::hypot(cell_u, cell_v), 0.32, softness);                   // discs
    case 6: return soft(wave((u - v) * diagonal), 0.25, softness);                           // rising stripes
    case 7: return 1.0 - soft(std::min(std::abs(cell_u), std::abs(cell_v)), 0.12, softness); // crosses
    case 8: return soft(wave(v + 2.0 * wave(u * 0.7)), 0.25, softness);                      // zigzags
    default: return soft(wave(std::atan2(v, u) * 8.0 / (2.0 * pi)), 0.25, softness);         // rays
    }
}

class procedural final : public dataset {
public:
    explicit procedural(const procedural_spec& spec): spec_(spec), style_(style_of(spec.domain)) {
        static const char* const names[procedural_classes] = {"level", "upright", "falling", "checks",  "rings",
                                                              "discs", "rising",  "crosses", "zigzags", "rays"};
        if (spec.classes < 2 || spec.classes > procedural_classes || spec.domain < 0) {
            throw std::invalid_argument("procedural images: classes or domain out of range");
        }
        classes_.assign(names, names + spec.classes);
    }

    std::size_t size() const override { return static_cast<std::size_t>(spec_.samples); }
    std::int64_t label(std::size_t sample) const override {
        return static_cast<std::int64_t>(sample % static_cast<std::size_t>(spec_.classes));
    }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override {
        return "domain" + std::to_string(spec_.domain) + "/" + std::to_string(sample);
    }

    image load(std::size_t sample) const override {
        random_stream draw(spec_.seed, "procedural", std::to_string(spec_.domain), 0,
                           static_cast<std::uint32_t>(sample));
        const auto& s = style_;
        const double hue = s.hue + draw.uniform(-s.hue_range, s.hue_range) + 2.0;
        const double value = draw.uniform(0.35, 0.65), saturation = draw.uniform(0.2, 0.8);
        const auto base = from_hue(std::fmod(hue, 1.0), saturation, value);
        const auto other = from_hue(std::fmod(hue + draw.uniform(0.1, 0.9), 1.0), saturation, value);
        // Which of the two is brighter is as likely as not, so that no class is brighter anywhere on average.
        const double lift = s.contrast * draw.uniform(0.6, 1.0) * (draw.uniform() < 0.5 ? -0.5 : 0.5);
        const double periods = draw.uniform(s.scale_low, s.scale_high);
        const double turn = draw.uniform(-s.turn, s.turn), cosine = std::cos(turn), sine = std::sin(turn);
        const double shift_u = draw.uniform(-1.0, 1.0), shift_v = draw.uniform(-1.0, 1.0);
        const double slope_x = s.gradient * draw.uniform(-1.0, 1.0), slope_y = s.gradient * draw.uniform(-1.0, 1.0);
        const int kind = static_cast<int>(label(sample));

        image out;
        out.width = out.height = static_cast<int>(spec_.size);
        out.rgb.resize(static_cast<std::size_t>(spec_.size * spec_.size * 3));
        auto* pixel = out.rgb.data();
        for (std::int64_t row = 0; row < spec_.size; ++row) {
            for (std::int64_t column = 0; column < spec_.size; ++column) {
                const double x = (static_cast<double>(column) + 0.5) / static_cast<double>(spec_.size) - 0.5;
                const double y = (static_cast<double>(row) + 0.5) / static_cast<double>(spec_.size) - 0.5;
                const double u = (x * cosine - y * sine) * periods + shift_u;
                const double v = (x * sine + y * cosine) * periods + shift_v;
                const double on = pattern(kind, u, v, s.softness);
                const double light = slope_x * x + slope_y * y + lift * (2.0 * on - 1.0);
                for (std::size_t c = 0; c < 3; ++c) {
                    const double mixed = base[c] + (other[c] - base[c]) * on + light + s.noise * draw.normal();
                    *pixel++ = static_cast<std::uint8_t>(std::lround(255.0 * std::clamp(mixed, 0.0, 1.0)));
                }
            }
        }
        return out;
    }

private:
    procedural_spec spec_;
    style style_;
    std::vector<std::string> classes_;
};

} // namespace

std::unique_ptr<dataset> make_procedural(const procedural_spec& spec) { return std::make_unique<procedural>(spec); }

} // namespace gaisnet
