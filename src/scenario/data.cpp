#include "scenario/data.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

namespace gaisnet {

namespace {

void check_folders(const scenario& scene, const value_reader& in) {
    const auto& data = scene.data;
    const bool texts = scene.model.takes_texts();
    if (data.source == (texts ? data_source::folder : data_source::text)) {
        in.reject("data.source", "model.family = " + scene.model.family + " takes " + (texts ? "texts" : "images") +
                                     "; " + (texts ? "text" : "folder") + " or procedural is accepted");
    }
    if (texts && data.source == data_source::procedural && !scene.model.tells_next_tokens() &&
        data.classes > drawn_languages) {
        in.reject("data.classes", "there are " + std::to_string(drawn_languages) + " grammars, each a class");
    }
    if (std::find(data.roots.begin(), data.roots.end(), "") != data.roots.end()) {
        in.reject("data.root", "between two commas there is no folder");
    }
    if (data.source == data_source::procedural) {
        if (!data.roots.empty()) {
            in.reject("data.root",
                      "it goes with data.source = folder or text; procedural samples are drawn and read no folder");
        }
        return;
    }
    if (data.roots.empty()) {
        in.reject("data.root", texts ? "data.source = text needs a folder of texts"
                                     : "data.source = folder needs an image folder, one folder a class");
    }
    const auto folders = data.roots.size(), edges = static_cast<std::size_t>(scene.network.edges);
    const auto domains = static_cast<std::size_t>(first_cluster_of(scene, scene.network.edges));
    const bool by_domain = data.partition.by_domain();
    if (by_domain ? folders != domains : folders != 1 && folders != edges) {
        in.reject("data.root", std::to_string(folders) + " folders: " +
                                   (by_domain ? "one for each of the " + std::to_string(domains) + " start points"
                                              : "one for all edges, or one for each of the " + std::to_string(edges)) +
                                   " is accepted");
    }
}

void complete_probe(scenario& scene, const value_reader& in) {
    auto& probe = scene.probe;
    const auto& data = scene.data;
    const auto& text = probe.unseen_text;
    if (text == "none" || (text == "auto" && data.source != data_source::procedural)) {
        return;
    }
    if (data.source != data_source::procedural) {
        probe.unseen_root = text;
        for (const auto& root : data.roots) {
            std::error_code code;
            if (std::filesystem::equivalent(root, text, code)) {
                in.reject("probe.unseen", "an edge has this folder: another one is accepted");
            }
        }
        return;
    }
    const int domains = drawn_domains(scene);
    constexpr int far = 1000;
    // The languages of next tokens come round again.
    const int kinds = scene.model.tells_next_tokens() ? drawn_languages : std::numeric_limits<int>::max();
    if (text == "auto") {
        if (domains >= kinds) {
            return;
        }
        probe.unseen = scene.model.tells_next_tokens() ? data.domain + domains : std::max(far, data.domain + domains);
    } else {
        try {
            probe.unseen = static_cast<int>(parse_integer(text, within(0, 1e6)));
        } catch (const usage_error& problem) {
            in.reject("probe.unseen", problem.what());
        }
    }
    if ((*probe.unseen >= data.domain && *probe.unseen < data.domain + domains) ||
        (scene.model.tells_next_tokens() && (*probe.unseen - data.domain % kinds + kinds) % kinds < domains)) {
        in.reject("probe.unseen", "domains " + std::to_string(data.domain) + " to " +
                                      std::to_string(data.domain + domains - 1) +
                                      " belong to edges: another one is accepted");
    }
}

} // namespace

key_traits data_settings::drawn_ones() {
    return {.commands = commands::all,
            .when = {with("data.source", {"procedural"}).for_commands(commands::emulating),
                     with("pretrain.root", {""}).for_commands(commands::pretrain)}};
}

key_traits data_settings::of_texts() { return {.commands = commands::all, .when = {unless("model.family", {"vit"})}}; }

key_traits data_settings::of_images() { return {.when = {with("model.family", {"vit"})}}; }

key_traits data_settings::text_folders() {
    return {.commands = commands::all,
            .when = {with("data.source", {"text"}).for_commands(commands::emulating),
                     unless("pretrain.root", {""}).for_commands(commands::pretrain), unless("model.family", {"vit"})}};
}

key_traits data_settings::folders() {
    return {.commands = commands::all,
            .when = {with("data.source", {"folder"}).for_commands(commands::emulating),
                     unless("pretrain.root", {""}).for_commands(commands::pretrain)}};
}

std::vector<double> data_settings::three_numbers(const std::string& text, const range& accepted) {
    std::vector<double> values;
    for (const auto& number : split_text(text, ',')) {
        values.push_back(parse_number(number, accepted));
    }
    if (values.size() != 3) {
        throw usage_error("three numbers, for red, green and blue, are accepted");
    }
    return values;
}

std::string data_settings::partitions() {
    std::string list;
    for (const auto* entry : registry<partition_entry>::all()) {
        list += (list.empty() ? "" : ", ") + std::string(entry->name) +
                (entry->argument ? "(" + std::string(entry->argument) + ")" : "");
    }
    return list;
}

partition_rule data_settings::read_partition() {
    auto rule = key.parsed(
        "partition", "iid", partitions(), "how training samples are dealt out to the start points of an edge",
        [](const std::string& text) {
            const auto call = parse_call(text);
            const auto* entry = call ? registry<partition_entry>::find(call->name) : nullptr;
            if (!entry || call->arguments.size() != (entry->argument ? 1 : 0)) {
                throw usage_error("accepted: " + partitions() + "; for example dirichlet(0.3)");
            }
            partition_rule read{.name = call->name};
            if (entry->argument) {
                const auto& number = call->arguments.front();
                read.argument = entry->is_whole ? static_cast<double>(parse_integer(number, entry->accepted))
                                                : parse_number(number, entry->accepted);
            }
            return read;
        },
        {.commands = commands::all, .when = {with("pretrain.root", {""}).for_commands(commands::pretrain)}});
    rule.scope = section("classes", commands::emulating)
                     .choice("scope", "client", class_scope_words,
                             "classes(NUMBER): of each start point, which differ, or of all together",
                             {.when = {with("data.partition", {"classes("})}});
    return rule;
}

int drawn_domains(const scenario& scene) {
    return scene.data.partition.by_domain() ? first_cluster_of(scene, scene.network.edges) : scene.network.edges;
}

void check_data(scenario& scene, const value_reader& in) {
    check_folders(scene, in);
    const auto& sense = scene.sense;
    if (sense.stream() && sense.rate > sense.buffer) {
        in.reject("sense.rate", "at most sense.buffer = " + std::to_string(sense.buffer) +
                                    " is accepted: what does not fit would be sensed for nothing");
    }
    if (sense.stream() && scene.train.steps > 0) {
        in.reject("sense.mode", "a stream has whole epochs a round: train.steps = 0 is accepted");
    }
    if (scene.model.tells_next_tokens() && !scene.data.label_noise.is_zero()) {
        in.reject("data.label_noise", "next tokens have no labels: 0 is accepted, and data.token_noise");
    }
    complete_probe(scene, in);
}

} // namespace gaisnet
