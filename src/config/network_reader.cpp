#include "config/network_reader.hpp"

#include "base/text.hpp"
#include "config/network_file.hpp"
#include "config/trace_files.hpp"

#include <algorithm>
#include <limits>

namespace gaisnet {

bool by_frequency(const settings& values, const std::string& device) {
    for (const auto* part : {".kappa", ".frequency", ".flops_per_cycle"}) {
        if (!values.at(device + part).value.empty()) {
            return true;
        }
    }
    return false;
}

std::map<std::string, std::string> listed_sizes(const network_overrides& given) {
    const auto& groups = given.clients.front();
    std::string clients;
    const bool alike = std::all_of(groups.begin(), groups.end(),
                                   [&](const auto& group) { return group.size() == groups.front().size(); });
    for (const auto& group : groups) {
        clients += (clients.empty() ? "" : ",") + std::to_string(group.size());
    }
    return {{"network.edges", std::to_string(given.clients.size())},
            {"network.clusters", std::to_string(groups.size())},
            {"network.clients", alike ? std::to_string(groups.front().size()) : clients}};
}

namespace {

void check_listed(const value_reader& in, const network_overrides& given) {
    for (const auto& groups : given.clients) {
        if (groups.size() != given.clients.front().size()) {
            in.reject("network.file", "all edges have as many clusters as the first, " +
                                          std::to_string(given.clients.front().size()) + "; one has " +
                                          std::to_string(groups.size()));
        }
    }
    for (const auto& [key, listed] : listed_sizes(given)) {
        if (in.text(key) != listed) {
            in.reject(key, "network.file lists " + listed + ": they must agree, or only one of them is given");
        }
    }
}

void read_scheme(const value_reader& in, scenario& out) {
    using enum scheme_kind;
    out.scheme = in.choice<scheme_kind>(
        "scheme", {{"hfsl", hfsl}, {"fl", fl}, {"sl", sl}, {"splitfed", splitfed}, {"centralised", centralised}});
    const auto& size = in.text("scheme.sample_size");
    out.sample_bytes = size.empty() ? 0 : static_cast<std::uint64_t>(in.quantity("scheme.sample_size", true));
    if (out.scheme == hfsl) {
        return;
    }
    const auto& name = in.text("scheme");
    if (in.text("cluster.edge_stage") != "none") {
        in.reject("cluster.edge_stage", "scheme = " + name + " says who holds a stage: none is accepted");
    }
    if (in.text("dropout.policy") == "repair") {
        in.reject("dropout.policy", "scheme = " + name + " has no chain that could be repaired: skip is accepted");
    }
    if (out.service == service_kind::inference && out.scheme == centralised) {
        in.reject("scheme", "requests begin at start points, and centralised has no stage there: others are accepted");
    }
    if (out.scheme == centralised) {
        if (in.text("train.labels") == "local") {
            in.reject("train.labels", "scheme = centralised sends samples with their labels: chain is accepted");
        }
        for (const auto* key : {"data.label_noise", "data.blur", "data.noise"}) {
            if (in.is_changed(key)) {
                in.reject(key, "start points of different quality are not built yet for scheme = centralised");
            }
        }
        for (const auto* key : {"round.wait", "dropout.probability", "dropout.schedule", "device.client.battery"}) {
            if (in.is_changed(key)) {
                in.reject(key,
                          "start points that are late, drop out or run out of power are not built yet for scheme = "
                          "centralised: " +
                              (find_key(key)->initial.empty() ? "nothing" : find_key(key)->initial) + " is accepted");
            }
        }
        for (const auto& one : out.network.overrides.nodes) {
            if (one.battery) {
                in.reject("network.file", "it gives " + one.name +
                                              " a battery, and batteries are not built yet for scheme "
                                              "= centralised");
            }
        }
        if (in.text("sense.mode") != "dataset") {
            in.reject("sense.mode",
                      "start points send their samples once in scheme = centralised: dataset is accepted");
        }
    }
}

void read_edge_stage(const value_reader& in, scenario& out) {
    if (in.text("cluster.edge_stage") == "auto") {
        out.cluster.edge_when_needed = true;
        if (in.text("split.blocks") != "even") {
            in.reject("split.blocks",
                      "with cluster.edge_stage = auto clients share evenly what the edge leaves: even is "
                      "accepted");
        }
    } else if (in.text("cluster.edge_stage") != "none") {
        out.cluster.edge_stage = in.count("cluster.edge_stage", 2);
        for (const int clients : out.network.clients) {
            if (*out.cluster.edge_stage > clients + 1) {
                in.reject("cluster.edge_stage", "a chain of " + std::to_string(clients) +
                                                    " clients accepts none, or 2 to " + std::to_string(clients + 1));
            }
        }
    }
}

/// "NAME(A, B)" as its numbers; nothing when the text is of another form.
std::optional<std::vector<double>> arguments_of(const value_reader& in, const std::string& key, const std::string& name,
                                                dimension what) {
    const auto& text = in.text(key);
    if (!text.starts_with(name + "(") || !text.ends_with(')')) {
        return std::nullopt;
    }
    std::vector<double> numbers;
    for (auto word : split_text(text.substr(name.size() + 1, text.size() - name.size() - 2), ',')) {
        if (what == dimension::number && word.ends_with(" dB")) {
            word.resize(word.size() - 3);
        }
        try {
            numbers.push_back(parse_quantity(word, what));
        } catch (const usage_error& problem) {
            in.reject(key, problem.what());
        }
    }
    return numbers;
}

std::optional<path_loss_model> read_path_loss(const value_reader& in, const std::string& key) {
    const auto& word = in.text(key);
    if (word == "none") {
        return std::nullopt;
    }
    std::string accepted = "accepted: none";
    for (const auto& model : path_loss_models()) {
        if (word == model.name) {
            return model;
        }
        accepted += ", " + model.name;
    }
    if (const auto numbers = arguments_of(in, key, "log_distance", dimension::number)) {
        if (numbers->size() == 2 && (*numbers)[1] > 0.0) {
            constexpr double a_decade = 10.0;
            return path_loss_model{word, "the scenario", (*numbers)[0], a_decade * (*numbers)[1], 0.0, 0.0};
        }
    }
    in.reject(key, accepted + ", log_distance(DB AT 1 M, EXPONENT)");
}

std::optional<radio_settings> read_radio(const value_reader& in, const std::string& link) {
    const auto loss = read_path_loss(in, link + ".path_loss");
    if (!loss) {
        for (const auto* part :
             {".frequency", ".shadowing", ".tx_gain", ".rx_gain", ".noise_figure", ".min_rate", ".fading"}) {
            if (in.is_changed(link + part)) {
                in.reject(link + part, "it belongs to a radio link, and " + link + ".path_loss is none");
            }
        }
        return std::nullopt;
    }
    if (!in.text(link + ".rate").empty()) {
        in.reject(link + ".rate", "with " + link + ".path_loss the rate follows from the radio: give one of them");
    }
    radio_settings out;
    out.loss = *loss;
    out.frequency_hz = in.quantity(link + ".frequency", true);
    if (loss->of_one_frequency() && in.is_changed(link + ".frequency")) {
        in.reject(link + ".frequency",
                  loss->name +
                      (loss->lowest_hz > 0.0 ? " holds for " + quantity(loss->lowest_hz, "Hz") + " only"
                                             : " knows no frequency") +
                      ": leave it out, or take free_space, umi_los, umi_nlos or inf_los");
    }
    out.shadowing_db = loss->shadowing_db;
    if (in.text(link + ".shadowing") != "model") {
        try {
            out.shadowing_db = parse_quantity(in.text(link + ".shadowing"), dimension::decibel);
        } catch (const usage_error&) {
            out.shadowing_db = -1.0;
        }
        if (out.shadowing_db < 0.0) {
            in.reject(link + ".shadowing", "model, or a value in dB of at least 0, is accepted");
        }
    }
    out.tx_gain_db = in.quantity_freely(link + ".tx_gain");
    out.rx_gain_db = in.quantity_freely(link + ".rx_gain");
    out.noise_figure_db = in.quantity(link + ".noise_figure", false);
    out.min_rate = in.quantity(link + ".min_rate", false);
    const auto& fading = in.text(link + ".fading");
    if (fading == "rayleigh") {
        out.fading = fading_kind::rayleigh;
    } else if (const auto k = arguments_of(in, link + ".fading", "rician", dimension::decibel); k && k->size() == 1) {
        out.fading = fading_kind::rician;
        out.k_factor = from_db((*k)[0]);
    } else if (fading != "none") {
        in.reject(link + ".fading", "accepted: none, rayleigh, rician(K dB)");
    }
    return out;
}

/// bit/s/Hz; infinite: none.
double read_max_efficiency(const value_reader& in, const std::string& key) {
    auto word = in.text(key);
    if (word == "none") {
        return std::numeric_limits<double>::infinity();
    }
    if (const std::string unit = " bit/s/Hz"; word.ends_with(unit)) {
        word.resize(word.size() - unit.size());
    }
    return in.number(key, word, 0.0, 1e300, true);
}

/// What a cable has no use for.
void read_wire(const value_reader& in, const std::string& link, link_settings& out) {
    if (in.text(link + ".energy_per_bit").empty() || (out.radio && in.is_default(link + ".energy_per_bit"))) {
        return;
    }
    if (out.radio) {
        in.reject(link + ".energy_per_bit", "with " + link + ".path_loss the link is a radio link: give one of them");
    }
    out.wired_j_bit = in.quantity(link + ".energy_per_bit", false);
    for (const auto* part : {".bandwidth", ".spectral_efficiency", ".max_efficiency", ".tx_power"}) {
        if (in.is_changed(link + part)) {
            in.reject(link + part, "it belongs to radio, and " + link + ".energy_per_bit = " +
                                       in.text(link + ".energy_per_bit") + " makes the link a cable");
        }
    }
}

link_settings read_link(const value_reader& in, const std::string& kind) {
    const auto key = "link." + kind;
    link_settings out;
    out.latency = in.drawn(key + ".latency", false);
    if (constexpr double longest = 1e6; out.latency.highest() > longest) {
        in.reject(key + ".latency", "up to 1e6 s are accepted");
    }
    out.radio = read_radio(in, key);
    out.bandwidth = in.drawn_if_set(key + ".bandwidth", true);
    out.spectral_efficiency = in.real(key + ".spectral_efficiency", 0.0, 1e300, true);
    if (in.is_changed(key + ".spectral_efficiency") && (out.radio || out.bandwidth)) {
        in.reject(key + ".spectral_efficiency",
                  std::string("it belongs to a rate without a bandwidth: with ") +
                      (out.radio ? ".path_loss the rate follows from the band" : ".bandwidth the band is given"));
    }
    out.max_efficiency = read_max_efficiency(in, key + ".max_efficiency");
    out.tx_power = in.drawn_if_set(key + ".tx_power", true);
    if (out.radio) {
        out.radio->max_efficiency = out.max_efficiency;
        constexpr double d2d_hz = 5e6, cs_hz = 20e6, backhaul_hz = 100e6;
        const double usual = kind == "d2d" ? d2d_hz : kind == "backhaul" ? backhaul_hz : cs_hz;
        out.bandwidth = out.bandwidth.value_or(distribution::of(usual));
    }
    read_wire(in, key, out);
    if (const auto path = in.path(key + ".trace"); path.empty()) {
        if (!out.radio) {
            out.rate = in.drawn(key + ".rate", true);
        }
    } else {
        if (out.radio || !in.text(key + ".rate").empty()) {
            in.reject(key + ".trace", "a rate, a path loss model or a trace is accepted, one of them");
        }
        out.trace = in.read_file<std::shared_ptr<const rate_trace>>(key + ".trace", read_rate_trace);
    }
    std::vector<std::pair<std::string, share_kind>> shares;
    for (const auto share :
         {share_kind::exclusive, share_kind::equal, share_kind::maxmin, share_kind::airtime, share_kind::reuse}) {
        if (share != share_kind::reuse || kind == "d2d") {
            shares.emplace_back(name_of(share), share);
        }
    }
    out.share = in.choice(key + ".share", shares);
    if (out.share == share_kind::reuse && !out.radio) {
        in.reject(key + ".share", "reuse is interference between radios: it needs " + key + ".path_loss");
    }
    out.capacity = in.drawn_if_set(key + ".capacity", true);
    if (out.capacity && out.share != share_kind::maxmin) {
        in.reject(key + ".capacity", "it belongs to " + key + ".share = maxmin");
    }
    out.jitter = in.drawn_freely(key + ".jitter");
    out.loss = in.real(key + ".loss", 0.0, 1.0);
    if (out.loss >= 1.0) {
        in.reject(key + ".loss", "a number below 1 is accepted: something must arrive");
    }
    out.packet = static_cast<std::uint64_t>(in.quantity_within(key + ".packet", 1.0, 1e9, "1 B to 1 GB"));
    return out;
}

void read_links(const value_reader& in, scenario& out) {
    auto& link = out.link;
    link.cs_up = read_link(in, "cs_up");
    link.cs_down = read_link(in, "cs_down");
    link.d2d = read_link(in, "d2d");
    link.backhaul = read_link(in, "backhaul");
    link.access = in.choice<access_kind>("cs.access",
                                         {{"cellular", access_kind::cellular}, {"cell_free", access_kind::cell_free}});
    link.access_points = static_cast<int>(in.integer("cs.access_points", 1, 1000));
    if (link.access == access_kind::cellular && in.is_changed("cs.access_points")) {
        in.reject("cs.access_points", "they belong to cs.access = cell_free");
    }
    if (link.access == access_kind::cell_free && !(link.cs_up.radio && link.cs_down.radio)) {
        in.reject("cs.access", "access points are radios: it needs link.cs_up.path_loss and link.cs_down.path_loss");
    }
    link.request_bytes = static_cast<std::uint64_t>(in.quantity_within("cs_up.request_size", 0.0, 1e9, "0 to 1 GB"));
    link.multicast = in.onoff("cs_down.multicast");
    link.half_duplex = in.choice<half_duplex_kind>("half_duplex", {{"off", half_duplex_kind::none},
                                                                   {"d2d", half_duplex_kind::d2d},
                                                                   {"cs", half_duplex_kind::cs},
                                                                   {"on", half_duplex_kind::all}});
    link.charge_gradients = in.onoff("charge.gradients");
}

void read_rounds(const value_reader& in, scenario& out) {
    const std::string key = "round.wait", accepted = "all, a part above 0 and at most 1, or a time above 0 is accepted";
    const auto& text = in.text(key);
    auto& round = out.round;
    if (text != "all") {
        try {
            round.fraction = parse_quantity(text, dimension::number);
            round.wait = wait_kind::fraction;
        } catch (const usage_error&) {
            try {
                round.deadline_s = parse_quantity(text, dimension::time);
                round.wait = wait_kind::deadline;
            } catch (const usage_error&) {
                in.reject(key, accepted);
            }
        }
        const bool fits =
            round.wait == wait_kind::fraction ? round.fraction > 0.0 && round.fraction <= 1.0 : round.deadline_s > 0.0;
        if (!fits) {
            in.reject(key, accepted);
        }
    }
    out.cloud.period = in.count("cloud.period", 0);
    out.dropout.probability = in.real("dropout.probability", 0.0, 1.0);
    out.dropout.policy = in.choice<dropout_policy>(
        "dropout.policy", {{"skip", dropout_policy::skip}, {"repair", dropout_policy::repair}});
    for (const auto& word : split_text(in.text("dropout.schedule"), ',')) {
        const auto at = word.find('@');
        if (at == std::string::npos || at == 0) {
            in.reject("dropout.schedule", "\"" + word + "\": CLIENT@ROUND is accepted, for example c0.1@3.5");
        }
        out.dropout.schedule.push_back(
            {word.substr(0, at), in.number("dropout.schedule", word.substr(at + 1), 1.0, out.train.rounds + 1.0)});
    }
}

void read_places(const value_reader& in, scenario& out) {
    auto& network = out.network;
    network.layout = in.choice<layout_kind>(
        "network.layout", {{"disc", layout_kind::disc}, {"grid", layout_kind::grid}, {"list", layout_kind::list}});
    const auto length = [&](const char* key) { return in.quantity_within(key, 0.01, 1e7, "1 cm to 10000 km"); };
    network.radius = length("network.radius");
    network.cluster_radius = length("network.cluster_radius");
    if (in.is_changed("network.cluster_radius") && network.cluster_radius > network.radius) {
        in.reject("network.cluster_radius", "at most network.radius = " + in.text("network.radius") + " is accepted");
    }
    if (!in.text("network.edge_distance").empty()) {
        network.edge_distance = length("network.edge_distance");
    }
    if (network.layout == layout_kind::list && in.text("network.file").empty()) {
        in.reject("network.layout", "list needs network.file, which holds the positions");
    }
    auto& mobility = out.mobility;
    mobility.kind = in.choice<mobility_kind>("mobility.model",
                                             {{"none", mobility_kind::none}, {"waypoint", mobility_kind::waypoint}});
    mobility.speed = in.drawn_at_most("mobility.speed", 1e4, "up to 10000 m/s");
    if (mobility.speed.lowest() < 1e-3 && mobility.speed.kind != distribution::family::normal) {
        in.reject("mobility.speed", "from 1 mm/s is accepted; mobility.model = none lets clients stand still");
    }
    mobility.pause = in.quantity("mobility.pause", false);
    mobility.step = in.quantity_within("mobility.step", 1e-3, 1e6, "1 ms to 1e6 s");
    if (!in.path("mobility.file").empty()) {
        mobility.paths = in.read_file<std::shared_ptr<const recorded_paths>>("mobility.file", read_paths);
        if (mobility.kind == mobility_kind::none) {
            mobility.kind = mobility_kind::file;
        }
    }
    const bool moving = mobility.kind != mobility_kind::none;
    if (moving && !out.link.cs_up.radio && !out.link.cs_down.radio && !out.link.d2d.radio) {
        in.reject(mobility.paths ? "mobility.file" : "mobility.model",
                  "movement changes radio links, and there are none: set link.*.path_loss");
    }
    for (const auto* key : {"mobility.speed", "mobility.pause"}) {
        if (mobility.kind != mobility_kind::waypoint && in.is_changed(key)) {
            in.reject(key, "it belongs to mobility.model = waypoint");
        }
    }
    if (!moving && in.is_changed("mobility.step")) {
        in.reject("mobility.step", "it belongs to mobility.model = waypoint or a mobility.file");
    }
}

device_settings read_device(const value_reader& in, const std::string& kind) {
    const auto key = "device." + kind;
    device_settings out;
    const auto part = [&](const std::string& name, const char* accepted) {
        auto value = in.drawn(name, true);
        if (value.kind != distribution::family::normal && value.highest() > 1.0) {
            in.reject(name, accepted);
        }
        return value;
    };
    out.tx_power = in.drawn(key + ".tx_power", false);
    out.amplifier_efficiency = part(key + ".amplifier_efficiency", "a part above 0 and at most 1 is accepted");
    out.circuit_power = in.drawn(key + ".circuit_power", false);
    out.rx_power = in.drawn(key + ".rx_power", false);
    out.idle_power = in.drawn(key + ".idle_power", false);
    out.base_power = in.drawn(key + ".base_power", false);
    out.memory = in.drawn_at_most(key + ".memory", 1e18, "up to 1e18 B");
    out.efficiency = part(key + ".efficiency", "a part of the peak, above 0 and at most 1, is accepted");
    out.sleep_power = in.drawn_if_set(key + ".sleep_power", false);
    out.factor = in.drawn(key + ".factor", true);
    if (find_key(key + ".battery")) {
        out.battery = in.drawn_if_set(key + ".battery", true);
    }
    if (!by_frequency(in.values(), key)) {
        out.rate = in.drawn(key + ".rate", true);
        out.power = in.drawn(key + ".power", false);
    } else {
        // A value that is wrong is told before one that is missing.
        if (!in.text(key + ".kappa").empty()) {
            out.kappa = in.real(key + ".kappa", 0.0, 1e300, true);
        }
        if (!in.text(key + ".flops_per_cycle").empty()) {
            out.flops_per_cycle = in.real(key + ".flops_per_cycle", 0.0, 1e300, true);
        }
        out.frequency = in.drawn_if_set(key + ".frequency", true);
        for (const auto* part : {".kappa", ".frequency", ".flops_per_cycle"}) {
            if (in.text(key + part).empty()) {
                in.reject(key + part, "kappa, frequency and flops_per_cycle go together; this one is missing");
            }
        }
        for (const auto* part : {".rate", ".power"}) {
            if (!in.text(key + part).empty() && !in.is_default(key + part)) {
                in.reject(key + part, "it follows from kappa, frequency and flops_per_cycle: give it or them");
            }
        }
    }
    return out;
}

} // namespace

void read_network(const value_reader& in, scenario& out) {
    constexpr std::int64_t most_nodes = 5'000'000;
    out.network.edges = static_cast<int>(in.integer("network.edges", 1, most_nodes));
    out.network.clusters = static_cast<int>(in.integer("network.clusters", 1, most_nodes));
    out.network.clients.clear();
    if (!in.path("network.file").empty()) {
        out.network.overrides = in.read_file<network_overrides>("network.file", read_network_file);
    }
    if (!out.network.overrides.clients.empty()) {
        check_listed(in, out.network.overrides);
    }
    for (const auto& word : split_text(in.text("network.clients"), ',')) {
        out.network.clients.push_back(static_cast<int>(in.whole("network.clients", word, 1, most_nodes)));
    }
    const auto most_clients = *std::max_element(out.network.clients.begin(), out.network.clients.end());
    if (static_cast<double>(out.network.edges) * out.network.clusters * most_clients >
        static_cast<double>(most_nodes)) {
        in.reject("network.clients", "edges x clusters x clients: at most 5 million nodes are accepted");
    }
    const auto lists = out.network.clients.size();
    if (lists != 1 && lists != static_cast<std::size_t>(out.network.clusters)) {
        in.reject("network.clients", std::to_string(lists) + " numbers for " + std::to_string(out.network.clusters) +
                                         " clusters; one number, or one for each cluster, is accepted");
    }
    read_scheme(in, out);
    read_edge_stage(in, out);
}

void read_emulation(const value_reader& in, scenario& out) {
    read_links(in, out);
    read_places(in, out);
    read_rounds(in, out);
    out.device = {read_device(in, "cloud"), read_device(in, "edge"), read_device(in, "client")};
}

} // namespace gaisnet
