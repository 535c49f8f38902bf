#include "config/scenario_reader.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/random.hpp"
#include "config/inference_reader.hpp"
#include "config/keys.hpp"
#include "config/network_file.hpp"
#include "config/network_reader.hpp"
#include "config/service_reader.hpp"
#include "config/value_reader.hpp"

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

constexpr std::int64_t most_drawn_images = 10'000'000; // of a domain

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

void read_model(const value_reader& in, scenario& out) {
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
}

void read_tuning(const value_reader& in, scenario& out) {
    auto& tuning = out.tuning;
    tuning.method = in.text("tuning.method");
    in.choice<int>("tuning.method", {{"prompt_deep", 0},
                                     {"prompt_shallow", 0},
                                     {"prefix", 0},
                                     {"lora", 0},
                                     {"adapter", 0},
                                     {"head", 0},
                                     {"full", 0}});
    tuning.prompts = in.integer("tuning.prompts", 1, 100'000);
    tuning.rank = in.integer("tuning.rank", 1, 100'000);
    tuning.alpha = in.real("tuning.alpha", 1e-6, 1e6);
    tuning.bottleneck = in.integer("tuning.bottleneck", 1, 100'000);
    const std::vector<std::pair<std::string, block_linear>> layers{
        {"q", block_linear::query},         {"k", block_linear::key},   {"v", block_linear::value},
        {"proj", block_linear::projection}, {"fc1", block_linear::fc1}, {"fc2", block_linear::fc2}};
    tuning.targets.clear();
    for (const auto& word : split_text(in.text("tuning.targets"), ',')) {
        const auto found =
            std::find_if(layers.begin(), layers.end(), [&](const auto& one) { return one.first == word; });
        const bool twice = found != layers.end() && std::find(tuning.targets.begin(), tuning.targets.end(),
                                                              found->second) != tuning.targets.end();
        if (found == layers.end() || twice) {
            in.reject("tuning.targets", "\"" + word + "\": some of q, k, v, proj, fc1, fc2, each once, are accepted");
        }
        tuning.targets.push_back(found->second);
    }
    if (tuning.targets.empty()) {
        in.reject("tuning.targets", "some of q, k, v, proj, fc1, fc2 are accepted");
    }
}

void read_split(const value_reader& in, scenario& out) {
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
        const bool alone = out.scheme == scheme_kind::fl || out.scheme == scheme_kind::centralised;
        const auto stages = out.scheme == scheme_kind::hfsl
                                ? static_cast<std::size_t>(clients) + (out.cluster.edge_stage ? 1 : 0)
                                : std::size_t{alone ? 1U : 2U};
        const auto sum = std::accumulate(counts.begin(), counts.end(), 0);
        if (counts.size() != stages || sum != out.model.vit.depth) {
            in.reject("split.blocks", "cluster " + std::to_string(cluster) + " has " + std::to_string(stages) +
                                          " stages and the model " + std::to_string(out.model.vit.depth) +
                                          " blocks, but " + std::to_string(counts.size()) + " counts with sum " +
                                          std::to_string(sum) + " are given");
        }
    }
}

stop_rule read_stop(const value_reader& in) {
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

void read_train(const value_reader& in, scenario& out) {
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

std::vector<double> three_numbers(const value_reader& in, const std::string& key, double least, bool open) {
    std::vector<double> values;
    for (const auto& word : split_text(in.text(key), ',')) {
        values.push_back(in.number(key, word, least, 1e300, open));
    }
    if (values.size() != 3) {
        in.reject(key, "three numbers, for red, green and blue, are accepted");
    }
    return values;
}

partition_rule read_partition(const value_reader& in) {
    partition_rule rule;
    const std::string key = "data.partition";
    const auto& text = in.text(key);
    const std::string accepted =
        "accepted: iid, dirichlet(ALPHA), quantity(ALPHA), classes(NUMBER), domain; for example dirichlet(0.3)";
    const auto open = text.find('(');
    const auto name = text.substr(0, open);
    const bool with_number = name == "dirichlet" || name == "quantity" || name == "classes";
    if (with_number != (open != std::string::npos) || (with_number && !text.ends_with(')'))) {
        in.reject(key, accepted);
    }
    const auto number = with_number ? text.substr(open + 1, text.size() - open - 2) : std::string();
    if (name == "iid") {
        rule.kind = partition_kind::iid;
    } else if (name == "domain") {
        rule.kind = partition_kind::domain;
    } else if (name == "classes") {
        rule.kind = partition_kind::classes;
        rule.classes = static_cast<int>(in.whole(key, number, 1, 1'000'000));
    } else if (with_number) {
        rule.kind = name == "dirichlet" ? partition_kind::dirichlet : partition_kind::quantity;
        rule.alpha = in.number(key, number, 1e-3, 1e6);
    } else {
        in.reject(key, accepted);
    }
    rule.scope = in.choice<class_scope>("classes.scope",
                                        {{"client", class_scope::client}, {"union", class_scope::all_start_points}});
    return rule;
}

void read_pretraining(const value_reader& in, scenario& out) {
    auto& pretrain = out.pretrain;
    pretrain.objective = in.choice<pretraining_kind>(
        "pretrain.objective", {{"supervised", pretraining_kind::supervised}, {"masked", pretraining_kind::masked}});
    pretrain.root = in.path("pretrain.root");
    pretrain.epochs = in.count("pretrain.epochs", 1);
    pretrain.samples = in.integer("pretrain.samples", 1, most_drawn_images);
    pretrain.domains = in.count("pretrain.domains", 1);
    pretrain.batch = in.count("pretrain.batch", 1);
    pretrain.shards = static_cast<int>(in.integer("pretrain.shards", 1, 256));
    if (pretrain.shards > pretrain.batch) {
        in.reject("pretrain.shards", "at most pretrain.batch = " + std::to_string(pretrain.batch) + " is accepted");
    }
    pretrain.lr = in.real("pretrain.lr", 0.0, 1e300, true);
    pretrain.mask = in.real("pretrain.mask", 0.0, 1e300);
    if (pretrain.mask == 0.0 || pretrain.mask >= 1.0) {
        in.reject("pretrain.mask", "a number above 0 and below 1 is accepted");
    }
}

void read_data(const value_reader& in, scenario& out) {
    auto& data = out.data;
    data.source = in.choice<data_source>("data.source",
                                         {{"folder", data_source::folder}, {"procedural", data_source::procedural}});
    data.roots = in.paths("data.root");
    if (std::find(data.roots.begin(), data.roots.end(), "") != data.roots.end()) {
        in.reject("data.root", "between two commas there is no folder");
    }
    if (data.source == data_source::folder && data.roots.empty()) {
        in.reject("data.root", "data.source = folder needs an image folder, one folder a class");
    }
    if (data.source == data_source::procedural && !data.roots.empty()) {
        in.reject("data.root", "it goes with data.source = folder; procedural images are drawn and read no folder");
    }
    data.mean = three_numbers(in, "data.mean", -1e300, false);
    data.std = three_numbers(in, "data.std", 0.0, true);
    data.train_fraction = in.real("data.train_fraction", 0.0, 1.0, true);
    if (data.train_fraction == 1.0) {
        in.reject("data.train_fraction", "something must be left to validate on: below 1 is accepted");
    }
    data.partition = read_partition(in);
    const auto folders = data.roots.size(), edges = static_cast<std::size_t>(out.network.edges);
    const auto domains = edges * static_cast<std::size_t>(out.network.clusters);
    const bool by_domain = data.partition.kind == partition_kind::domain;
    if (data.source == data_source::folder && (by_domain ? folders != domains : folders != 1 && folders != edges)) {
        in.reject("data.root", std::to_string(folders) + " folders: " +
                                   (by_domain ? "one for each of the " + std::to_string(domains) + " start points"
                                              : "one for all edges, or one for each of the " + std::to_string(edges)) +
                                   " is accepted");
    }
    const auto quality = [&](const char* key, double most, bool positive = false) {
        const auto value = in.drawn(key, positive);
        if (value.highest() > most) {
            in.reject(key, "at most " + std::to_string(static_cast<int>(most)) + " is accepted");
        }
        return value;
    };
    data.available = quality("data.available", 1.0, true);
    data.label_noise = quality("data.label_noise", 1.0);
    data.blur = quality("data.blur", 100.0);
    data.noise = quality("data.noise", 10.0);
    data.per_cluster = in.integer("data.per_cluster", 0);
    data.damaged =
        in.choice<damaged_policy>("data.damaged", {{"skip", damaged_policy::skip}, {"fatal", damaged_policy::fatal}});
    data.augment = in.onoff("data.augment");
    data.threads = static_cast<int>(in.integer("data.threads", 0, 1024));
    if (!in.text("data.cache").empty()) {
        data.cache = in.quantity("data.cache", false);
    }
    out.train.cache = in.onoff("cache");
    if (out.train.cache && data.augment && data.source == data_source::folder) {
        in.reject("cache", "with data.augment = on a sample looks different in every epoch: data.augment = off is "
                           "accepted");
    }
    data.classes = static_cast<int>(in.integer("data.classes", 2, 10));
    data.domain = in.count("data.domain", 0);
    data.samples = in.integer("data.samples", 1, most_drawn_images);
    out.sense.time = in.quantity("sense.time", false);
    out.sense.energy = in.quantity_within("sense.energy", 0.0, 1e9, "0 to 1e9 J");
    enum class sensing { dataset, each_round, stream };
    const auto mode = in.choice<sensing>(
        "sense.mode",
        {{"dataset", sensing::dataset}, {"each_round", sensing::each_round}, {"stream", sensing::stream}});
    out.sense.each_round = mode == sensing::each_round;
    out.sense.stream = mode == sensing::stream;
    out.sense.rate = in.integer("sense.rate", 1);
    out.sense.buffer = in.integer("sense.buffer", 1);
    if (out.sense.stream && out.sense.rate > out.sense.buffer) {
        in.reject("sense.rate", "at most sense.buffer = " + std::to_string(out.sense.buffer) +
                                    " is accepted: what does not fit would be sensed for nothing");
    }
    if (out.sense.stream && out.train.steps > 0) {
        in.reject("sense.mode", "a stream has whole epochs a round: train.steps = 0 is accepted");
    }
    read_pretraining(in, out);
}

void read_probe(const value_reader& in, scenario& out) {
    out.probe.samples = in.integer("probe.samples", 0);
    const auto& text = in.text("probe.unseen");
    if (text == "none" || (text == "auto" && out.data.source == data_source::folder)) {
        return;
    }
    if (out.data.source == data_source::folder) {
        out.probe.unseen_root = in.path("probe.unseen");
        for (const auto& root : out.data.roots) {
            std::error_code code;
            if (std::filesystem::equivalent(root, out.probe.unseen_root, code)) {
                in.reject("probe.unseen", "an edge has this folder: another one is accepted");
            }
        }
        return;
    }
    const int domains =
        out.network.edges * (out.data.partition.kind == partition_kind::domain ? out.network.clusters : 1);
    constexpr int far = 1000;
    out.probe.unseen = text == "auto" ? std::max(far, out.data.domain + domains)
                                      : static_cast<int>(in.whole("probe.unseen", text, 0, 1'000'000));
    if (*out.probe.unseen >= out.data.domain && *out.probe.unseen < out.data.domain + domains) {
        in.reject("probe.unseen", "domains " + std::to_string(out.data.domain) + " to " +
                                      std::to_string(out.data.domain + domains - 1) +
                                      " belong to edges: another one is "
                                      "accepted");
    }
}

void read_run(const value_reader& in, scenario& out) {
    out.runtime.threads = static_cast<int>(in.integer("runtime.threads", 1, 1024));
    out.runtime.active_clusters = in.count("runtime.active_clusters", 1);
    out.runtime.silence = in.quantity("runtime.silence", true);
    if (out.runtime.silence < 3.0 || out.runtime.silence > 600.0) {
        in.reject("runtime.silence", "3 s to 600 s are accepted");
    }
    out.checkpoint.every = in.count("checkpoint.every", 0);
    out.checkpoint.keep = in.count("checkpoint.keep", 1);
    out.checkpoint.part_s = in.quantity("checkpoint.part", true);
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
    for (const std::string link : {"link.cs_up", "link.cs_down", "link.d2d", "link.backhaul"}) {
        const bool by_other_means =
            values.at(link + ".path_loss").value != "none" || !values.at(link + ".trace").value.empty();
        if (by_other_means && is_default(link + ".rate")) {
            values[link + ".rate"] = {"", "default"};
        }
    }
    if (const value_reader in(values);
        std::filesystem::exists(in.path("network.file"))) { // else read_scenario() says so
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

scenario read_scenario(const settings& values, service_kind service) {
    const value_reader in(values);
    scenario out;
    out.service = service;
    read_network(in, out);
    read_model(in, out);
    read_tuning(in, out);
    read_split(in, out);
    read_train(in, out);
    read_data(in, out);
    read_probe(in, out);
    read_emulation(in, out);
    read_inference(in, out);
    read_services(in, out);
    read_run(in, out);
    return out;
}

std::string hashes_of_files(const settings& values) {
    const value_reader in(values);
    std::string text;
    const auto add = [&](const std::string& key, const std::string& path) {
        auto file = open_input(path, key + ": ");
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
            add(key.name, value.substr(5, value.rfind(')') - 5));
        }
    }
    return text;
}

} // namespace gaisnet
