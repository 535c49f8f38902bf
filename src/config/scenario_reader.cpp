#include "config/scenario_reader.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "config/keys.hpp"
#include "config/network_file.hpp"
#include "config/trace_files.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>

namespace gaisnet {

namespace {

std::vector<std::string> split_text(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream in(text);
    for (std::string part; std::getline(in, part, separator);) {
        const auto first = part.find_first_not_of(" \t");
        parts.push_back(first == std::string::npos ? "" : part.substr(first, part.find_last_not_of(" \t") - first + 1));
    }
    return parts;
}

class reader {
public:
    explicit reader(const settings& values): values_(values) {}

    const settings& values() const { return values_; }
    const std::string& text(const std::string& key) const { return values_.at(key).value; }

    [[noreturn]] void reject(const std::string& key, const std::string& why) const {
        const auto& one = values_.at(key);
        throw usage_error(one.source + ": " + key + " = " + one.value + ": " + why);
    }

    std::int64_t integer(const std::string& key, std::int64_t least,
                         std::int64_t most = std::numeric_limits<int>::max()) const {
        return whole(key, text(key), least, most);
    }

    std::int64_t whole(const std::string& key, const std::string& word, std::int64_t least, std::int64_t most) const {
        std::int64_t value = 0;
        const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (code != std::errc{} || end != word.data() + word.size() || value < least || value > most) {
            reject(key, "a whole number " +
                            (most == std::numeric_limits<int>::max() && code != std::errc::result_out_of_range
                                 ? "of at least " + std::to_string(least)
                                 : "from " + std::to_string(least) + " to " + std::to_string(most)) +
                            " is accepted");
        }
        return value;
    }

    int count(const std::string& key, int least) const { return static_cast<int>(integer(key, least)); }

    double real(const std::string& key, double least, double most, bool open = false) const {
        return number(key, text(key), least, most, open);
    }

    double number(const std::string& key, const std::string& word, double least, double most, bool open = false) const {
        double value = 0.0;
        try {
            value = parse_quantity(word, dimension::number);
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
        if (value < least || value > most || (open && value <= least)) {
            std::ostringstream range;
            range << "a number " << (open ? "above " : "of at least ") << least;
            if (most < 1e300) {
                range << " and at most " << most;
            }
            reject(key, range.str() + " is accepted");
        }
        return value;
    }

    bool onoff(const std::string& key) const { return choice<bool>(key, {{"on", true}, {"off", false}}); }

    template <typename T>
    T choice(const std::string& key, const std::vector<std::pair<std::string, T>>& words) const {
        std::string accepted;
        for (const auto& [word, value] : words) {
            if (word == text(key)) {
                return value;
            }
            accepted += (accepted.empty() ? "" : ", ") + word;
        }
        reject(key, "accepted: " + accepted);
    }

    distribution drawn(const std::string& key, bool positive) const {
        if (text(key).empty()) {
            reject(key, "a value is missing");
        }
        try {
            auto value = parse_distribution(text(key), find_key(key)->unit);
            if (value.kind == distribution::family::normal) {
                value.positive = true;
                if (value.parameters[0] <= 0.0) {
                    reject(key, "a mean above 0 is accepted");
                }
            }
            if (value.lowest() < 0.0 || (positive && value.lowest() == 0.0)) {
                reject(key, positive ? "a value above 0 is accepted" : "a value of at least 0 is accepted");
            }
            return value;
        } catch (const usage_error& problem) {
            if (std::string(problem.what()).find(key) != std::string::npos) {
                throw;
            }
            reject(key, problem.what());
        }
    }

    /// A quantity within bounds, which `accepted` tells.
    double quantity_within(const std::string& key, double least, double most, const char* accepted) const {
        const double value = quantity(key, false);
        if (value < least || value > most) {
            reject(key, std::string(accepted) + " is accepted");
        }
        return value;
    }

    distribution drawn_at_most(const std::string& key, double most, const char* accepted) const {
        auto value = drawn(key, true);
        if (value.highest() > most) {
            reject(key, std::string(accepted) + " is accepted");
        }
        return value;
    }

    /// A distribution of any sign.
    distribution drawn_freely(const std::string& key) const {
        try {
            return parse_distribution(text(key), find_key(key)->unit);
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
    }

    /// Absent when the key is not set.
    std::optional<distribution> drawn_if_set(const std::string& key, bool positive) const {
        return text(key).empty() ? std::nullopt : std::optional(drawn(key, positive));
    }

    /// A quantity of any sign.
    double quantity_freely(const std::string& key) const {
        try {
            return parse_quantity(text(key), find_key(key)->unit);
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
    }

    double quantity(const std::string& key, bool positive) const {
        const auto value = drawn(key, positive);
        if (value.kind != distribution::family::constant) {
            reject(key, "one value is accepted, no distribution");
        }
        return value.parameters[0];
    }

    /// A path with ${VARIABLE} or ~ at its start replaced.
    std::string path(const std::string& key) const {
        const auto& given = text(key);
        std::string variable, rest;
        if (given.starts_with("~/")) {
            variable = "HOME";
            rest = given.substr(1);
        } else if (given.starts_with("${") && given.find('}') != std::string::npos) {
            variable = given.substr(2, given.find('}') - 2);
            rest = given.substr(given.find('}') + 1);
        } else {
            return given;
        }
        const char* value = std::getenv(variable.c_str());
        if (!value) {
            reject(key, "the environment variable " + variable + " is not set");
        }
        return value + rest;
    }

    /// What `read` makes of the file that a key names.
    template <typename T>
    T read_file(const std::string& key, const std::function<T(const std::string&)>& read) const {
        try {
            return read(path(key));
        } catch (const usage_error& problem) {
            reject(key, problem.what());
        }
    }

    bool is_changed(const std::string& key) const { return text(key) != find_key(key)->initial; }

    bool is_default(const std::string& key) const { return values_.at(key).source.starts_with("default"); }

private:
    const settings& values_;
};

std::optional<vit_config> preset_named(const std::string& name) {
    constexpr std::pair<const char*, std::int64_t> heads[] = {{"vit_tiny", 3}, {"vit_small", 6}, {"vit_base", 12}};
    for (const auto& [preset, count] : heads) {
        if (name == preset) {
            vit_config vit;
            vit.preset = name;
            vit.image = 224;
            vit.patch = 16;
            vit.depth = 12;
            vit.heads = count;
            vit.dim = 64 * count;
            return vit;
        }
    }
    return std::nullopt;
}

std::vector<std::pair<std::string, std::int64_t>> sizes_of(const vit_config& vit) {
    return {{"model.image", vit.image},
            {"model.patch", vit.patch},
            {"model.dim", vit.dim},
            {"model.depth", vit.depth},
            {"model.heads", vit.heads}};
}

/// A device is described by rate and power, or by these.
bool by_frequency(const settings& values, const std::string& device) {
    for (const auto* part : {".kappa", ".frequency", ".flops_per_cycle"}) {
        if (!values.at(device + part).value.empty()) {
            return true;
        }
    }
    return false;
}

/// Edges, clusters and clients as network.file lists them, as values of those keys.
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

void check_listed(const reader& in, const network_overrides& given) {
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

void read_edge_stage(const reader& in, scenario& out) {
    if (in.text("cluster.edge_stage") != "none") {
        out.cluster.edge_stage = in.count("cluster.edge_stage", 2);
        for (const int clients : out.network.clients) {
            if (*out.cluster.edge_stage > clients + 1) {
                in.reject("cluster.edge_stage", "a chain of " + std::to_string(clients) +
                                                    " clients accepts none, or 2 to " + std::to_string(clients + 1));
            }
        }
    }
}

void read_network(const reader& in, scenario& out) {
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
    read_edge_stage(in, out);
}

void read_model(const reader& in, scenario& out) {
    auto& vit = out.model.vit;
    vit.preset = in.choice<std::string>(
        "model.preset",
        {{"custom", "custom"}, {"vit_tiny", "vit_tiny"}, {"vit_small", "vit_small"}, {"vit_base", "vit_base"}});
    if (vit.preset == "custom") {
        vit.image = in.integer("model.image", 1, 16384);
        vit.patch = in.integer("model.patch", 1, 16384);
        vit.dim = in.integer("model.dim", 1, 65536);
        vit.depth = in.integer("model.depth", 1, 10000);
        vit.heads = in.integer("model.heads", 1, 65536);
        if (vit.image % vit.patch != 0) {
            in.reject("model.image", "it must be a multiple of model.patch = " + std::to_string(vit.patch));
        }
        if (vit.dim % vit.heads != 0) {
            in.reject("model.dim", "it must be a multiple of model.heads = " + std::to_string(vit.heads));
        }
    } else {
        vit = *preset_named(vit.preset);
        for (const auto& [key, value] : sizes_of(vit)) {
            if (!in.is_default(key) && in.integer(key, 1) != value) {
                in.reject(key, "model.preset = " + vit.preset + " has " + std::to_string(value) +
                                   "; other sizes go with model.preset = custom");
            }
        }
    }
    out.model.weights = in.path("model.weights");
    if (out.model.weights.empty()) {
        in.reject("model.weights", "a safetensors file, or random, is accepted");
    }
    out.model.cache = in.path("model.cache");
    out.tuning.method = in.text("tuning.method");
    in.choice<int>("tuning.method", {{"prompt_deep", 0}});
    out.tuning.prompts = in.integer("tuning.prompts", 1, 100'000);
}

void read_split(const reader& in, scenario& out) {
    if (in.text("split.blocks") == "even") {
        return;
    }
    for (const auto& list : split_text(in.text("split.blocks"), ';')) {
        auto& counts = out.split.blocks.emplace_back();
        for (const auto& word : split_text(list, ',')) {
            counts.push_back(static_cast<int>(in.whole("split.blocks", word, 0, 1'000'000)));
        }
    }
    const auto lists = out.split.blocks.size();
    if (lists != 1 && lists != static_cast<std::size_t>(out.network.clusters)) {
        in.reject("split.blocks", std::to_string(lists) + " lists for " + std::to_string(out.network.clusters) +
                                      " clusters; even, one list, or one for each cluster, is accepted");
    }
    for (int cluster = 0; cluster < out.network.clusters; ++cluster) {
        const auto index = static_cast<std::size_t>(cluster);
        const auto& counts = out.split.blocks[lists == 1 ? 0 : index];
        const int clients = out.network.clients[out.network.clients.size() == 1 ? 0 : index];
        const auto stages = static_cast<std::size_t>(clients) + (out.cluster.edge_stage ? 1 : 0);
        const auto sum = std::accumulate(counts.begin(), counts.end(), 0);
        if (counts.size() != stages || sum != out.model.vit.depth) {
            in.reject("split.blocks", "cluster " + std::to_string(cluster) + " has " + std::to_string(stages) +
                                          " stages and the model " + std::to_string(out.model.vit.depth) +
                                          " blocks, but " + std::to_string(counts.size()) + " counts with sum " +
                                          std::to_string(sum) + " are given");
        }
    }
}

stop_rule read_stop(const reader& in) {
    stop_rule rule;
    const std::string key = "train.stop";
    const auto& text = in.text(key);
    const std::string accepted = "accepted: rounds, plateau(accuracy|loss, MIN_DELTA, PATIENCE), target(ACCURACY)";
    if (text == "rounds") {
        return rule;
    }
    const auto open = text.find('(');
    if (open == std::string::npos || !text.ends_with(')')) {
        in.reject(key, accepted);
    }
    const auto name = text.substr(0, open);
    const auto words = split_text(text.substr(open + 1, text.size() - open - 2), ',');
    if (name == "target" && words.size() == 1) {
        rule.kind = stop_kind::target;
        rule.accuracy = in.number(key, words[0], 0.0, 1.0, true);
    } else if (name == "plateau" && words.size() == 3 && (words[0] == "accuracy" || words[0] == "loss")) {
        rule.kind = stop_kind::plateau;
        rule.metric = words[0] == "loss" ? stop_metric::loss : stop_metric::accuracy;
        rule.min_delta = in.number(key, words[1], 0.0, 1e300);
        rule.patience = static_cast<int>(in.whole(key, words[2], 1, 1'000'000));
    } else {
        in.reject(key, accepted);
    }
    return rule;
}

void read_train(const reader& in, scenario& out) {
    auto& train = out.train;
    train.rounds = in.count("train.rounds", 1);
    train.stop = read_stop(in);
    train.epochs = in.count("train.epochs", 1);
    train.steps = in.count("train.steps", 0);
    train.batch = in.count("train.batch", 1);
    train.micro_batches = in.count("train.micro_batches", 1);
    train.schedule = in.choice<schedule_kind>(
        "train.schedule",
        {{"serial", schedule_kind::serial}, {"gpipe", schedule_kind::gpipe}, {"1f1b", schedule_kind::one_f_one_b}});
    if (train.micro_batches > train.batch) {
        in.reject("train.micro_batches",
                  "there are not more micro-batches than samples, train.batch = " + std::to_string(train.batch));
    }
    if (train.schedule == schedule_kind::serial && train.micro_batches != 1) {
        in.reject("train.micro_batches", "train.schedule = serial has one; gpipe and 1f1b accept more");
    }
    train.optimizer =
        in.choice<optimizer_kind>("train.optimizer", {{"sgd", optimizer_kind::sgd}, {"adamw", optimizer_kind::adamw}});
    train.lr = in.real("train.lr", 0.0, 1e300, true);
    train.lr_final = in.real("train.lr_final", 0.0, 1.0);
    train.momentum = in.real("train.momentum", 0.0, 1.0);
    train.weight_decay = in.real("train.weight_decay", 0.0, 1e300);
    train.labels =
        in.choice<label_route>("train.labels", {{"chain", label_route::chain}, {"local", label_route::local}});
    train.charge_evaluation = in.onoff("train.charge_evaluation");
}

std::vector<double> three_numbers(const reader& in, const std::string& key, double least, bool open) {
    std::vector<double> values;
    for (const auto& word : split_text(in.text(key), ',')) {
        values.push_back(in.number(key, word, least, 1e300, open));
    }
    if (values.size() != 3) {
        in.reject(key, "three numbers, for red, green and blue, are accepted");
    }
    return values;
}

void read_data(const reader& in, scenario& out) {
    auto& data = out.data;
    data.source = in.choice<data_source>("data.source",
                                         {{"folder", data_source::folder}, {"procedural", data_source::procedural}});
    data.root = in.path("data.root");
    if (data.source == data_source::folder && data.root.empty()) {
        in.reject("data.root", "data.source = folder needs an image folder, one folder a class");
    }
    if (data.source == data_source::procedural && !data.root.empty()) {
        in.reject("data.root", "it goes with data.source = folder; procedural images are drawn and read no folder");
    }
    data.mean = three_numbers(in, "data.mean", -1e300, false);
    data.std = three_numbers(in, "data.std", 0.0, true);
    data.train_fraction = in.real("data.train_fraction", 0.0, 1.0, true);
    if (data.train_fraction == 1.0) {
        in.reject("data.train_fraction", "something must be left to validate on: below 1 is accepted");
    }
    data.partition = in.text("data.partition");
    in.choice<int>("data.partition", {{"iid", 0}});
    data.per_cluster = in.integer("data.per_cluster", 0);
    data.damaged =
        in.choice<damaged_policy>("data.damaged", {{"skip", damaged_policy::skip}, {"fatal", damaged_policy::fatal}});
    data.augment = in.onoff("data.augment");
    data.classes = static_cast<int>(in.integer("data.classes", 2, 10));
    data.domain = in.count("data.domain", 0);
    data.samples = in.integer("data.samples", 1);
    out.sense.time = in.quantity("sense.time", false);
    out.sense.energy = in.quantity("sense.energy", false);
    out.pretrain.epochs = in.count("pretrain.epochs", 1);
    out.pretrain.samples = in.integer("pretrain.samples", 1);
    out.pretrain.batch = in.count("pretrain.batch", 1);
    out.pretrain.lr = in.real("pretrain.lr", 0.0, 1e300, true);
    out.pretrain.domains = in.count("pretrain.domains", 1);
}

/// "NAME(A, B)" as its numbers; nothing when the text is of another form.
std::optional<std::vector<double>> arguments_of(const reader& in, const std::string& key, const std::string& name,
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

std::optional<path_loss_model> read_path_loss(const reader& in, const std::string& key) {
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

std::optional<radio_settings> read_radio(const reader& in, const std::string& link) {
    const auto loss = read_path_loss(in, link + ".path_loss");
    if (!loss) {
        for (const auto* part : {".frequency", ".shadowing", ".tx_power", ".tx_gain", ".rx_gain", ".noise_figure",
                                 ".max_efficiency", ".min_rate", ".fading"}) {
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
    out.tx_power = in.drawn_if_set(link + ".tx_power", true);
    out.tx_gain_db = in.quantity_freely(link + ".tx_gain");
    out.rx_gain_db = in.quantity_freely(link + ".rx_gain");
    out.noise_figure_db = in.quantity(link + ".noise_figure", false);
    if (in.text(link + ".max_efficiency") != "none") {
        auto word = in.text(link + ".max_efficiency");
        if (const std::string unit = " bit/s/Hz"; word.ends_with(unit)) {
            word.resize(word.size() - unit.size());
        }
        out.max_efficiency = in.number(link + ".max_efficiency", word, 0.0, 1e300, true);
    }
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

link_settings read_link(const reader& in, const std::string& kind) {
    const auto key = "link." + kind;
    link_settings out;
    out.latency = in.drawn(key + ".latency", false);
    out.bandwidth = in.drawn(key + ".bandwidth", true);
    if (!find_key(key + ".share")) {
        out.rate = in.drawn(key + ".rate", true);
        return out;
    }
    out.radio = read_radio(in, key);
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

void read_links(const reader& in, scenario& out) {
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
    link.multicast = in.onoff("cs_down.multicast");
    link.half_duplex = in.choice<half_duplex_kind>("half_duplex", {{"off", half_duplex_kind::none},
                                                                   {"d2d", half_duplex_kind::d2d},
                                                                   {"cs", half_duplex_kind::cs},
                                                                   {"on", half_duplex_kind::all}});
    link.charge_gradients = in.onoff("charge.gradients");
}

void read_rounds(const reader& in, scenario& out) {
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
    out.dropout.probability = in.real("dropout.probability", 0.0, 1.0);
    in.choice<int>("dropout.policy", {{"skip", 0}});
    for (const auto& word : split_text(in.text("dropout.schedule"), ',')) {
        const auto at = word.find('@');
        if (at == std::string::npos || at == 0) {
            in.reject("dropout.schedule", "\"" + word + "\": CLIENT@ROUND is accepted, for example c0.1@3.5");
        }
        out.dropout.schedule.push_back(
            {word.substr(0, at), in.number("dropout.schedule", word.substr(at + 1), 1.0, out.train.rounds + 1.0)});
    }
}

void read_places(const reader& in, scenario& out) {
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

device_settings read_device(const reader& in, const std::string& kind) {
    const auto key = "device." + kind;
    device_settings out;
    out.tx_power = in.drawn(key + ".tx_power", false);
    out.rx_power = in.drawn(key + ".rx_power", false);
    out.idle_power = in.drawn(key + ".idle_power", false);
    out.memory = in.drawn_at_most(key + ".memory", 1e18, "up to 1e18 B");
    out.efficiency = in.drawn(key + ".efficiency", true);
    if (out.efficiency.kind != distribution::family::normal && out.efficiency.highest() > 1.0) {
        in.reject(key + ".efficiency", "a part of the peak, above 0 and at most 1, is accepted");
    }
    out.sleep_power = in.drawn_if_set(key + ".sleep_power", false);
    out.factor = in.drawn(key + ".factor", true);
    if (find_key(key + ".battery")) {
        out.battery = in.drawn_if_set(key + ".battery", true);
    }
    if (!by_frequency(in.values(), key)) {
        out.rate = in.drawn(key + ".rate", true);
        out.power = in.drawn(key + ".power", false);
    } else {
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
        out.kappa = in.real(key + ".kappa", 0.0, 1e300, true);
        out.frequency = in.drawn(key + ".frequency", true);
        out.flops_per_cycle = in.real(key + ".flops_per_cycle", 0.0, 1e300, true);
    }
    return out;
}

void read_run(const reader& in, scenario& out) {
    out.runtime.threads = static_cast<int>(in.integer("runtime.threads", 1, 1024));
    out.runtime.active_clusters = in.count("runtime.active_clusters", 1);
    out.runtime.silence = in.quantity("runtime.silence", true);
    if (out.runtime.silence < 3.0 || out.runtime.silence > 600.0) {
        in.reject("runtime.silence", "3 s to 600 s are accepted");
    }
    out.checkpoint.every = in.count("checkpoint.every", 0);
    out.checkpoint.keep = in.count("checkpoint.keep", 1);
    out.placement = in.choice<placement_kind>(
        "placement",
        {{"auto", placement_kind::automatic}, {"cluster", placement_kind::cluster}, {"node", placement_kind::node}});
    auto& compute = out.compute;
    compute.device = in.choice<device_choice>(
        "device", {{"auto", device_choice::automatic}, {"cpu", device_choice::cpu}, {"cuda", device_choice::cuda}});
    compute.precision = in.choice<compute_precision>(
        "precision",
        {{"fp32", compute_precision::fp32}, {"tf32", compute_precision::tf32}, {"bf16", compute_precision::bf16}});
    if (compute.device == device_choice::cpu && compute.precision == compute_precision::tf32) {
        in.reject("precision", "device = cpu has no TF32; fp32 and bf16 are accepted");
    }
    compute.nccl_share_gpu = in.onoff("nccl_share_gpu");
    out.job.nodes = in.count("job.nodes", 1);
    out.job.ranks = in.count("job.ranks", 0);
    if (out.job.ranks > 0 && out.job.ranks < out.job.nodes) {
        in.reject("job.nodes", "job.ranks = " + std::to_string(out.job.ranks) +
                                   ": a computer without a rank has nothing to do; at most that many are accepted");
    }
    out.job.gpus_per_node = in.count("job.gpus_per_node", 0);
    out.job.time = in.quantity("job.time", true);
    out.computing =
        in.choice<compute_model>("compute", {{"model", compute_model::by_rate}, {"measured", compute_model::measured}});
    for (const auto* key : {"device.edge.factor", "device.client.factor", "device.cloud.factor"}) {
        if (out.computing == compute_model::by_rate && in.is_changed(key)) {
            in.reject(key, "it belongs to compute = measured, and compute is model");
        }
    }
    out.clock = in.choice<clock_kind>("clock", {{"virtual", clock_kind::virtual_time}, {"real", clock_kind::real}});
    if (out.clock == clock_kind::real && !in.is_changed("runtime.active_clusters")) {
        out.runtime.active_clusters = out.network.edges * out.network.clusters; // they really train side by side
    }
    out.time_scale = in.real("time_scale", 0.0, 1e300, true);
    out.strict_fidelity = in.onoff("strict_fidelity");
    out.fidelity_tolerance = in.quantity("fidelity.tolerance", true);
    for (const auto* key : {"time_scale", "strict_fidelity", "fidelity.tolerance"}) {
        if (out.clock == clock_kind::virtual_time && in.is_changed(key)) {
            in.reject(key, "it belongs to clock = real, and clock is virtual");
        }
    }
    const auto& seed = in.text("seed");
    const auto [end, code] = std::from_chars(seed.data(), seed.data() + seed.size(), out.seed);
    if (code != std::errc{} || end != seed.data() + seed.size()) {
        in.reject("seed", "a whole number from 0 to 18446744073709551615 is accepted");
    }
    out.output = in.path("output");
    if (out.output.empty()) {
        in.reject("output", "a path is accepted");
    }
    out.overwrite = in.onoff("overwrite");
    out.events = in.onoff("events");
    out.resume = in.path("resume");
}

} // namespace

settings resolve(settings values) {
    const auto is_default = [&](const std::string& key) { return values.at(key).source.starts_with("default"); };
    const auto preset = values.at("model.preset").value;
    if (const auto vit = preset_named(preset)) {
        for (const auto& [key, value] : sizes_of(*vit)) {
            if (is_default(key)) {
                values[key] = {std::to_string(value), "model.preset = " + preset};
            }
        }
    }
    for (const std::string link : {"link.cs_up", "link.cs_down", "link.d2d"}) {
        const bool by_other_means =
            values.at(link + ".path_loss").value != "none" || !values.at(link + ".trace").value.empty();
        if (by_other_means && is_default(link + ".rate")) {
            values[link + ".rate"] = {"", "default"};
        }
    }
    if (const reader in(values); std::filesystem::exists(in.path("network.file"))) { // else read_scenario() says so
        const auto given = in.read_file<network_overrides>("network.file", read_network_file);
        for (const auto& [key, listed] :
             given.clients.empty() ? std::map<std::string, std::string>() : listed_sizes(given)) {
            if (is_default(key)) {
                values[key] = {listed, "network.file"};
            }
        }
    }
    for (const std::string device : {"device.cloud", "device.edge", "device.client"}) {
        for (const auto* part : {".rate", ".power"}) {
            if (by_frequency(values, device) && is_default(device + part)) {
                values[device + part] = {"", "default"};
            }
        }
    }
    return values;
}

scenario read_scenario(const settings& values) {
    const reader in(values);
    scenario out;
    read_network(in, out);
    read_model(in, out);
    read_split(in, out);
    read_train(in, out);
    read_data(in, out);
    read_links(in, out);
    read_places(in, out);
    read_rounds(in, out);
    out.device = {read_device(in, "cloud"), read_device(in, "edge"), read_device(in, "client")};
    read_run(in, out);
    return out;
}

std::string hashes_of_files(const settings& values) {
    const reader in(values);
    std::string text;
    const auto add = [&](const std::string& key, const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        const std::string content{std::istreambuf_iterator<char>(file), {}};
        std::ostringstream line;
        line << key << ".hash = " << std::hex << stable_hash(content) << '\n';
        text += line.str();
    };
    for (const auto& key : all_keys()) {
        const auto& value = in.text(key.name);
        if (names_settings_file(key.name) && !value.empty()) {
            add(key.name, in.path(key.name));
        } else if (key.kind == value_kind::distribution && value.starts_with("file(")) {
            add(key.name, value.substr(5, value.find(')') - 5));
        }
    }
    return text;
}

} // namespace gaisnet
