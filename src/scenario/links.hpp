#pragma once

// Links and how they share their media: [link.*], [cs], [cs_up], [cs_down], half_duplex, [charge].

#include "emulation/medium.hpp"
#include "emulation/path_loss.hpp"
#include "emulation/radio.hpp"
#include "emulation/rate_model.hpp"
#include "scenario/presets.hpp"
#include "settings/key.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;
struct link_model_request;

/// How fast links of a class are over time; see network/link_model.hpp.
struct link_model_entry {
    const char* name;
    std::unique_ptr<rate_model> (*make)(const link_model_request&);
};

/// Defaults that differ between the classes of links.
struct link_defaults {
    const char* prefix; ///< "link.d2d"
    const char *rate, *latency, *noise_figure, *energy_per_bit;
    double radio_band_hz; ///< If bandwidth is not set.
    const char* band;     ///< Meaning of bandwidth, for the help.
    command_set looked_at_by = commands::emulating;
    std::vector<condition> when{};
    bool may_reuse = false; ///< Whether share = reuse is possible.
    gaisnet::section section() const { return gaisnet::section(prefix, looked_at_by, &when); }
};
const link_defaults& cs_up_defaults();
const link_defaults& cs_down_defaults();
const link_defaults& d2d_defaults();
const link_defaults& backhaul_defaults();

struct fading_rule {
    fading_kind kind = fading_kind::none; ///< Drawn per round.
    double k_factor = 0;                  ///< rician
};

/// Parameters of the rate of radio links: R = B log2(1 + P g / (N0 B NF)), capped.
struct radio_settings {
    explicit radio_settings(const link_defaults& of = d2d_defaults()): key(of.section()), defaults(&of) {}

    section key;
    const link_defaults* defaults;
    /// If its name is empty, there is no radio model, and the other members are unused.
    path_loss_model loss = key.parsed("path_loss", "none", path_loss_names() + ", or log_distance(DB AT 1 M, EXPONENT)",
                                      "path loss model; the rate then follows from Shannon's formula", parse_path_loss);
    double frequency_hz = key.quantity("frequency", dimension::frequency, assumed("2 GHz"),
                                       "carrier, for path loss models with one", above(0));
    /// Standard deviation; drawn once for each pair of nodes.
    double shadowing_db = key.parsed("shadowing", "model", "model (its own), or dB",
                                     "standard deviation of log-normal shadowing, drawn for each pair", parse_shadowing)
                              .value_or(loss.shadowing_db);
    double tx_gain_db =
        key.quantity("tx_gain", dimension::decibel, assumed("0 dBi"), "antenna gain of the sender", any());
    double rx_gain_db =
        key.quantity("rx_gain", dimension::decibel, assumed("0 dBi"), "antenna gain of the receiver", any());
    double noise_figure_db =
        key.quantity("noise_figure", dimension::decibel, defaults->noise_figure, "of the receiver", at_least(0));
    double max_efficiency = std::numeric_limits<double>::infinity(); ///< bit/s/Hz
    /// bit/s
    double min_rate = key.quantity("min_rate", dimension::rate, assumed("100 kbit/s"),
                                   "a radio link that carries less does not exist", at_least(0));
    fading_rule fading = key.parsed("fading", "none", "none, rayleigh, or rician(K dB)",
                                    "block fading, drawn for every round", parse_fading);

private:
    static std::string path_loss_names();
    static path_loss_model parse_path_loss(const std::string&);
    static std::optional<double> parse_shadowing(const std::string&); ///< Nothing: use the model's own.
    static fading_rule parse_fading(const std::string&);
};

/// Reads a rate over time. CSV: `time, rate` per line, with units or in s and bit/s; times start at 0 and ascend; the
/// last rate stays. Or Mahimahi's format: one line per packet of 1500 B that can leave, with its time in ms; the trace
/// repeats. \throws usage_error naming file and line.
std::shared_ptr<const rate_trace> read_rate_trace(const std::string& path);

/// One class of links: every link of the class draws its values from these distributions.
struct link_settings {
    explicit link_settings(const link_defaults& of = d2d_defaults());

    section key;
    const link_defaults* defaults;
    /// Of a link_preset; it sets the other keys.
    std::string preset = key.named<link_preset>(
        "preset", "custom",
        "a known technology, whose figures the keys below have unless they are set; --help with this key lists them",
        {.identity = false, .details = link_presets_text()});
    /// bit/s, unless there is a radio model or a trace.
    distribution rate = key.drawn_if_set("rate", dimension::rate, assumed(defaults->rate),
                                         "of each link, unless path_loss or trace is set", above(0))
                            .value_or(distribution{});
    /// s
    distribution latency =
        key.drawn("latency", dimension::time, assumed(defaults->latency), "time from the end of sending to arrival",
                  within(0, 1e6, "at least 0 and up to 1e6 s"));
    /// Bandwidth of each link or medium, Hz. For private D2D radio links: the band of an edge, divided over clusters
    /// and directed hops. Absent: rate / spectral_efficiency.
    std::optional<distribution> bandwidth =
        key.drawn_if_set("bandwidth", dimension::frequency, "", defaults->band, above(0));
    double spectral_efficiency = key.real("spectral_efficiency", "5",
                                          "bit/s/Hz: a link with a rate (or the peak of its trace) takes the band that "
                                          "this needs, unless bandwidth is set",
                                          above(0));
    /// Of a link_model_entry.
    std::string model = key.named<link_model_entry>(
        "model", "auto", "what its rate follows from; auto: a radio with path_loss, else trace, else rate");
    share_kind share = choose_share();
    /// bit/s, maxmin
    std::optional<distribution> capacity =
        key.drawn_if_set("capacity", dimension::rate, "",
                         "of the medium of an edge, for share = maxmin; not set: that of its fastest link", above(0));
    std::optional<radio_settings> radio{*defaults};
    /// m; infinite: all do.
    double interference_range_m = choose_interference_range();
    /// W radiated
    std::optional<distribution> tx_power =
        key.drawn_if_set("tx_power", dimension::power, "",
                         "radiated power, which a node divides over what it sends at once; not set: the sender's "
                         "device.*.tx_power",
                         above(0));
    /// J/bit of a wired link, which has no radios and uses no spectrum.
    std::optional<double> wired_j_bit =
        key.quantity_if_set("energy_per_bit", dimension::energy_per_bit, assumed(defaults->energy_per_bit),
                            "energy of a cable, charged to its sender; not set: radios", at_least(0));
    /// bit/s/Hz: a cap for radio links, a warning for others; infinite: none.
    double max_efficiency =
        key.parsed("max_efficiency", "10", "none, or bit/s/Hz",
                   "spectral efficiency: a cap with path_loss, a warning with a rate", parse_max_efficiency);
    std::shared_ptr<const rate_trace> trace = key.file("trace", "CSV of time, rate; or Mahimahi's format",
                                                       "file of rates over time, in place of rate", read_rate_trace);
    /// s
    distribution jitter = key.drawn("jitter", dimension::time, assumed("0"),
                                    "added to the latency of every message; may be below 0", any());
    double loss = key.real("loss", "0", "probability of a packet to be lost; it is sent again until it arrives",
                           {.least = 0, .most = 1, .below_most = true});
    /// B
    std::uint64_t packet = static_cast<std::uint64_t>(
        key.quantity("packet", dimension::size, assumed("1500 B"), "packet, for loss", within(1, 1e9, "1 B to 1 GB")));

private:
    share_kind choose_share() const;
    double choose_interference_range() const;
    static double parse_max_efficiency(const std::string&);
};

enum class access_kind { cellular, cell_free };
inline constexpr word<access_kind> access_words[] = {{"cellular", access_kind::cellular},
                                                     {"cell_free", access_kind::cell_free}};
enum class half_duplex_kind { none, d2d, cs, all };
inline constexpr word<half_duplex_kind> half_duplex_words[] = {{"off", half_duplex_kind::none},
                                                               {"d2d", half_duplex_kind::d2d},
                                                               {"cs", half_duplex_kind::cs},
                                                               {"on", half_duplex_kind::all}};

struct all_link_settings {
    static constexpr section key{"", commands::emulating};
    link_settings cs_up{cs_up_defaults()}, cs_down{cs_down_defaults()}, d2d{d2d_defaults()},
        backhaul{backhaul_defaults()};
    access_kind access =
        key.choice("cs.access", "cellular", access_words,
                   "each edge has a cell; or its access points, spread over the area, serve a client together");
    int access_points = key.count("cs.access_points", "4", "access points of an edge (cell_free)", within(1, 1000),
                                  {.when = {with("cs.access", {"cell_free"})}});
    /// Size of a client's request to its edge.
    std::uint64_t request_bytes = static_cast<std::uint64_t>(
        key.quantity("cs_up.request_size", dimension::size, assumed("256 B"),
                     "of a client's request to its edge: to be served (infer), or for a repair of its chain",
                     within(0, 1e9, "0 to 1 GB")));
    bool multicast = key.onoff("cs_down.multicast", "off", "what several clients get from the edge is sent once",
                               {.commands = commands::training});
    half_duplex_kind half_duplex =
        key.choice("half_duplex", "off", half_duplex_words,
                   "a node's D2D radio, its radio to the edge, or each of the two, cannot send while it receives");
    bool charge_gradients = key.onoff("charge.gradients", "on", "gradients of smashed data cost time, energy and bytes",
                                      {.commands = commands::training});
};

/// Clears a rate that is not given where a path loss model or a trace is.
void resolve_links(settings&);
/// \throws usage_error
void check_links(const scenario&, const value_reader&);

} // namespace gaisnet
