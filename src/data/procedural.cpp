#include "data/procedural.hpp"

#include "base/error.hpp"
#include "base/normal_sequence.hpp"
#include "base/random.hpp"
#include "data/drawing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace gaisnet {

namespace {

using colour = std::array<double, 3>;

constexpr std::array<const char*, procedural_classes> names{"level", "upright", "slanted", "checks",  "rings",
                                                            "discs", "bricks",  "crosses", "zigzags", "rays"};

/// The drawing style of a domain.
struct style {
    double hue, hue_range;        ///< Of the two colours, in turns.
    double saturation;            ///< Largest distance of a channel from grey.
    double scale_low, scale_high; ///< Periods of the pattern across the image.
    double turn;                  ///< Largest rotation, radians.
    double width;                 ///< Line width, relative to the medium width.
    double contrast;              ///< Difference in brightness of the two colours.
    double softness;              ///< Width of the pattern's borders, in periods.
    double slope;                 ///< Largest change of the light across the image.
    double blotches;              ///< Amplitude of uneven spots in the light.
    double noise;                 ///< Standard deviation.
};

style style_of(int domain) {
    // The styles are part of the data, like the photographs of a real data set, so they do not depend on the scenario's
    // seed.
    random_stream draw(1, "procedural.style", std::to_string(domain));
    style out{};
    out.hue = draw.uniform();
    out.hue_range = draw.uniform(0.05, 0.5);
    out.saturation = draw.uniform(0.04, 0.18);
    out.scale_low = draw.uniform(2.5, 3.5);
    out.scale_high = out.scale_low + draw.uniform(1.5, 2.5);
    out.turn = draw.uniform(0.22, 0.32);
    out.width = draw.uniform(0.7, 1.3);
    out.contrast = draw.uniform(0.28, 0.42);
    out.softness = draw.uniform(0.05, 0.2);
    out.slope = draw.uniform(0.05, 0.25);
    out.blotches = draw.uniform(0.0, 0.1);
    out.noise = draw.uniform(0.05, 0.12);
    return out;
}

/// A colour of medium brightness. \param hue in turns. \param saturation largest distance from grey.
colour middle_colour(double hue, double saturation) {
    colour out;
    for (std::size_t c = 0; c < 3; ++c) {
        out[c] = 0.5 + saturation * std::cos(2.0 * std::numbers::pi * (hue - static_cast<double>(c) / 3.0));
    }
    return out;
}

struct drawing_of_sample {
    drawing what;
    normal_sequence noise;
};

class procedural final : public dataset {
public:
    explicit procedural(const procedural_spec& spec)
        : spec_(spec)
        , style_(style_of(spec.domain))
        , domain_(std::to_string(spec.domain))
        , classes_(names.begin(), names.begin() + spec.classes) {}

    std::size_t size() const override { return static_cast<std::size_t>(spec_.samples); }
    std::int64_t label(std::size_t sample) const override {
        return static_cast<std::int64_t>(sample % static_cast<std::size_t>(spec_.classes));
    }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return "domain" + domain_ + "/" + std::to_string(sample); }
    image load(std::size_t sample) const override {
        const auto [what, noise] = plan(sample);
        return drawn(what, static_cast<std::size_t>(spec_.size), noise);
    }
    drawing_of_sample plan(std::size_t sample) const;

private:
    procedural_spec spec_;
    style style_;
    std::string domain_;
    std::vector<std::string> classes_;
};

drawing_of_sample procedural::plan(std::size_t sample) const {
    random_stream draw(spec_.seed, "procedural", domain_, 0, static_cast<std::uint32_t>(sample));
    const auto& s = style_;
    const auto any_colour = [&] {
        const double hue = s.hue + draw.uniform(-s.hue_range, s.hue_range);
        return middle_colour(hue, s.saturation * draw.uniform(0.3, 1.0));
    };
    // Pattern and ground draw their colours from the same distribution, and values are seldom clamped to 0 and 1.
    // Otherwise the mean colour would reveal how much of the image a class covers, or how much border it has, and a
    // linear classifier could use it.
    auto ground = any_colour(), pattern = any_colour();
    const double lift = 0.5 * s.contrast * draw.uniform(0.6, 1.0);
    for (std::size_t c = 0; c < 3; ++c) {
        ground[c] += lift;
        pattern[c] -= lift;
    }
    if (draw.uniform() < 0.5) {
        std::swap(ground, pattern);
    }
    const double periods = draw.uniform(s.scale_low, s.scale_high);
    const double turn = draw.uniform(-s.turn, s.turn);
    const double shift_u = draw.uniform(-1.5, 1.5), shift_v = draw.uniform(-1.5, 1.5);
    const double width = s.width * draw.uniform(0.85, 1.15);
    const double lean = draw.uniform() < 0.5 ? -1.0 : 1.0;
    const lighting light{s.slope * draw.uniform(-1.0, 1.0),
                         s.slope * draw.uniform(-1.0, 1.0),
                         s.blotches,
                         draw.uniform(0.7, 2.0),
                         draw.uniform(0.7, 2.0),
                         draw.uniform(),
                         draw.uniform()};
    return {{static_cast<int>(label(sample)), width, s.softness, lean, std::cos(turn), std::sin(turn), periods, shift_u,
             shift_v, light, ground, pattern, s.noise},
            normal_sequence(draw)};
}

void check(bool good, const char* what, std::int64_t value, const std::string& accepted) {
    if (!good) {
        throw usage_error(std::string(what) + " = " + std::to_string(value) + ": procedural images accept " + accepted);
    }
}

} // namespace

std::unique_ptr<dataset> make_procedural(const procedural_spec& spec) {
    constexpr std::int64_t most_samples = std::numeric_limits<std::uint32_t>::max(); // the counter of a random stream
    check(spec.classes >= 2 && spec.classes <= procedural_classes, "data.classes", spec.classes,
          "2 to " + std::to_string(procedural_classes));
    check(spec.domain >= 0, "data.domain", spec.domain, "0 or more");
    check(spec.size >= 1 && spec.size <= 4096, "model.image", spec.size, "1 to 4096 pixels");
    check(spec.samples >= 1 && spec.samples <= most_samples, "samples of a procedural domain", spec.samples,
          "1 to " + std::to_string(most_samples));
    return std::make_unique<procedural>(spec);
}

image draw_value_by_value(const procedural_spec& spec, std::size_t sample) {
    const auto [what, noise] = procedural(spec).plan(sample);
    return drawn_value_by_value(what, static_cast<std::size_t>(spec.size), noise);
}

} // namespace gaisnet
