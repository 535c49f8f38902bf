#include "scenario/links.hpp"

#include "base/text.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

constexpr const char* cs_band =
    "of each link, or of the medium that links share; not set: 20 MHz with path_loss, else rate / spectral_efficiency";

/// The numbers in "NAME(A, B)"; nothing when the text has another form.
std::optional<std::vector<double>> arguments_of(const std::string& text, const std::string& name, dimension what) {
    const auto call = parse_call(text);
    if (!call || call->name != name || call->arguments.empty()) {
        return std::nullopt;
    }
    std::vector<double> numbers;
    for (auto number : call->arguments) {
        if (what == dimension::number && number.ends_with(" dB")) {
            number.resize(number.size() - 3);
        }
        numbers.push_back(parse_quantity(number, what));
    }
    return numbers;
}

void check_radio(const std::string& link, const link_settings& its, const value_reader& in) {
    if (!its.radio) {
        for (const auto* part :
             {".frequency", ".shadowing", ".tx_gain", ".rx_gain", ".noise_figure", ".min_rate", ".fading"}) {
            if (in.is_changed(link + part)) {
                in.reject(link + part, "it belongs to a radio link, and " + link + ".path_loss is none");
            }
        }
        return;
    }
    if (in.is_set(link + ".rate")) {
        in.reject(link + ".rate", "with " + link + ".path_loss the rate follows from the radio: give one of them");
    }
    const auto& loss = its.radio->loss;
    if (loss.of_one_frequency && in.is_changed(link + ".frequency")) {
        in.reject(link + ".frequency",
                  loss.name +
                      (loss.lowest_hz > 0.0 ? " holds for " + quantity(loss.lowest_hz, "Hz") + " only"
                                            : " knows no frequency") +
                      ": leave it out, or take free_space, umi_los, umi_nlos or inf_los");
    }
}

void check_wire(const std::string& link, const link_settings& its, const value_reader& in) {
    const auto energy = link + ".energy_per_bit";
    if (its.radio && in.is_set(energy) && !in.is_default(energy)) {
        in.reject(energy, "with " + link + ".path_loss the link is a radio link: give one of them");
    }
    if (!its.wired_j_bit) {
        return;
    }
    for (const auto* part : {".bandwidth", ".spectral_efficiency", ".max_efficiency", ".tx_power"}) {
        if (in.is_changed(link + part)) {
            in.reject(link + part,
                      "it belongs to radio, and " + energy + " = " + in.text(energy) + " makes the link a cable");
        }
    }
}

void check_link(const std::string& link, const link_settings& its, const value_reader& in) {
    check_radio(link, its, in);
    if (in.is_changed(link + ".spectral_efficiency") && (its.radio || in.is_set(link + ".bandwidth"))) {
        in.reject(link + ".spectral_efficiency",
                  std::string("it belongs to a rate without a bandwidth: with ") +
                      (its.radio ? ".path_loss the rate follows from the band" : ".bandwidth the band is given"));
    }
    check_wire(link, its, in);
    if (its.trace && (its.radio || in.is_set(link + ".rate"))) {
        in.reject(link + ".trace", "a rate, a path loss model or a trace is accepted, one of them");
    }
    if (!its.trace && !its.radio && !in.is_set(link + ".rate")) {
        in.reject(link + ".rate", "a value is missing");
    }
    if (its.share == share_kind::reuse && !its.radio) {
        in.reject(link + ".share", "reuse is interference between radios: it needs " + link + ".path_loss");
    }
    if (its.capacity && its.share != share_kind::maxmin) {
        in.reject(link + ".capacity", "it belongs to " + link + ".share = maxmin");
    }
}

} // namespace

const link_defaults& cs_up_defaults() {
    static const link_defaults its{"link.cs_up", "100 Mbit/s", "5 ms", "5 dB", "", 20e6, cs_band};
    return its;
}

const link_defaults& cs_down_defaults() {
    static const link_defaults its{"link.cs_down", "100 Mbit/s", "5 ms", "9 dB", "", 20e6, cs_band};
    return its;
}

const link_defaults& d2d_defaults() {
    static const link_defaults its{
        .prefix = "link.d2d",
        .rate = "50 Mbit/s",
        .latency = "2 ms",
        .noise_figure = "9 dB",
        .energy_per_bit = "",
        .radio_band_hz = 5e6,
        .band = "with path_loss of an edge, divided over its clusters and the directed hops that carry something (not "
                "set: 5 MHz); with a rate of each link (not set: rate / spectral_efficiency)",
        .may_reuse = true};
    return its;
}

const link_defaults& backhaul_defaults() {
    // Cable: an edge router with 4.21 kW at 160 Gbit/s, Baliga et al., Proceedings of the IEEE 99(1), 2011.
    static const link_defaults its{.prefix = "link.backhaul",
                                   .rate = "1 Gbit/s",
                                   .latency = "10 ms",
                                   .noise_figure = "5 dB",
                                   .energy_per_bit = "26.3 nJ/bit",
                                   .radio_band_hz = 100e6,
                                   .band = "with path_loss; not set: 100 MHz",
                                   .looked_at_by = commands::training,
                                   .when = {unless("cloud.period", {"0"})}};
    return its;
}

std::string radio_settings::path_loss_names() { return "none, " + registry<path_loss_model>::names(); }

path_loss_model radio_settings::parse_path_loss(const std::string& text) {
    if (text == "none") {
        return {};
    }
    if (const auto* known = registry<path_loss_model>::find(text)) {
        return *known;
    }
    if (const auto numbers = arguments_of(text, "log_distance", dimension::number)) {
        if (numbers->size() == 2 && (*numbers)[1] > 0.0) {
            constexpr double a_decade = 10.0;
            return path_loss_model{.name = text,
                                   .source = "the scenario",
                                   .of_one_frequency = true,
                                   .formula = log_distance_law((*numbers)[0], a_decade * (*numbers)[1], 0.0)};
        }
    }
    throw usage_error("accepted: " + path_loss_names() + ", log_distance(DB AT 1 M, EXPONENT)");
}

std::optional<double> radio_settings::parse_shadowing(const std::string& text) {
    if (text == "model") {
        return std::nullopt;
    }
    try {
        if (const double value = parse_quantity(text, dimension::decibel); value >= 0.0) {
            return value;
        }
    } catch (const usage_error&) { // reported below
    }
    throw usage_error("model, or a value in dB of at least 0, is accepted");
}

fading_rule radio_settings::parse_fading(const std::string& text) {
    if (text == "none") {
        return {};
    }
    if (text == "rayleigh") {
        return {fading_kind::rayleigh};
    }
    if (const auto k = arguments_of(text, "rician", dimension::decibel); k && k->size() == 1) {
        return {fading_kind::rician, from_db((*k)[0])};
    }
    throw usage_error("accepted: none, rayleigh, rician(K dB)");
}

link_settings::link_settings(const link_defaults& of): key(of.section()), defaults(&of) {
    if (radio->loss.name.empty()) {
        radio.reset();
        return;
    }
    radio->max_efficiency = max_efficiency;
    bandwidth = bandwidth.value_or(distribution::of(of.radio_band_hz));
    wired_j_bit.reset();
}

share_kind link_settings::choose_share() const {
    std::vector<word<share_kind>> some;
    std::copy_if(std::begin(share_words), std::end(share_words), std::back_inserter(some),
                 [&](const auto& one) { return one.value != share_kind::reuse || defaults->may_reuse; });
    return key.choice("share", "private", std::span<const word<share_kind>>(some),
                      "how its links under one edge (backhaul: all) share their medium: not at all; in equal parts of "
                      "time; max-min fair; with equal chances to send, as 802.11; or all at once, as interference "
                      "(reuse)");
}

double link_settings::choose_interference_range() const {
    constexpr double unlimited = std::numeric_limits<double>::infinity();
    if (!defaults->may_reuse) {
        return unlimited;
    }
    return key.parsed(
        "interference_range", "unlimited", "unlimited, or a distance",
        "share = reuse: senders farther than this from a receiver do not disturb it, so that thousands of links are "
        "emulated faster; the run says by how much rates are too high then",
        [](const std::string& text) {
            constexpr double least = 1e-3;
            if (text == "unlimited") {
                return unlimited;
            }
            try {
                if (const double metres = parse_quantity(text, dimension::length); metres >= least) {
                    return metres;
                }
            } catch (const usage_error&) { // reported below
            }
            throw usage_error("unlimited, or a distance of at least 1 mm, is accepted");
        },
        {.when = {with(std::string(defaults->prefix) + ".share", {"reuse"})}});
}

/// bit/s/Hz; infinite: none.
double link_settings::parse_max_efficiency(const std::string& text) {
    if (text == "none") {
        return std::numeric_limits<double>::infinity();
    }
    const std::string unit = " bit/s/Hz";
    return parse_number(text.ends_with(unit) ? text.substr(0, text.size() - unit.size()) : text, above(0));
}

void resolve_links(settings& values) {
    for (const auto* of : {&cs_up_defaults(), &cs_down_defaults(), &d2d_defaults(), &backhaul_defaults()}) {
        const std::string link = of->prefix;
        const bool by_other_means =
            values.at(link + ".path_loss").value != "none" || !values.at(link + ".trace").value.empty();
        if (by_other_means && values.at(link + ".rate").is_default()) {
            values[link + ".rate"] = {"", "default", true};
        }
    }
}

void check_links(const scenario& scene, const value_reader& in) {
    const auto& link = scene.link;
    check_link("link.cs_up", link.cs_up, in);
    check_link("link.cs_down", link.cs_down, in);
    check_link("link.d2d", link.d2d, in);
    check_link("link.backhaul", link.backhaul, in);
    if (link.access == access_kind::cellular && in.is_changed("cs.access_points")) {
        in.reject("cs.access_points", "they belong to cs.access = cell_free");
    }
    if (link.access == access_kind::cell_free && !(link.cs_up.radio && link.cs_down.radio)) {
        in.reject("cs.access", "access points are radios: it needs link.cs_up.path_loss and link.cs_down.path_loss");
    }
}

} // namespace gaisnet
