#include "scenario/data.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>
#include <filesystem>

namespace gaisnet {

namespace {

void check_folders(const scenario& scene, const value_reader& in) {
    const auto& data = scene.data;
    if (std::find(data.roots.begin(), data.roots.end(), "") != data.roots.end()) {
        in.reject("data.root", "between two commas there is no folder");
    }
    if (data.source == data_source::procedural) {
        if (!data.roots.empty()) {
            in.reject("data.root", "it goes with data.source = folder; procedural images are drawn and read no folder");
        }
        return;
    }
    if (data.roots.empty()) {
        in.reject("data.root", "data.source = folder needs an image folder, one folder a class");
    }
    const auto folders = data.roots.size(), edges = static_cast<std::size_t>(scene.network.edges);
    const auto domains = edges * static_cast<std::size_t>(scene.network.clusters);
    const bool by_domain = data.partition.kind == partition_kind::domain;
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
    if (text == "none" || (text == "auto" && data.source == data_source::folder)) {
        return;
    }
    if (data.source == data_source::folder) {
        probe.unseen_root = text;
        for (const auto& root : data.roots) {
            std::error_code code;
            if (std::filesystem::equivalent(root, text, code)) {
                in.reject("probe.unseen", "an edge has this folder: another one is accepted");
            }
        }
        return;
    }
    const int domains =
        scene.network.edges * (data.partition.kind == partition_kind::domain ? scene.network.clusters : 1);
    constexpr int far = 1000;
    if (text == "auto") {
        probe.unseen = std::max(far, data.domain + domains);
    } else {
        try {
            probe.unseen = static_cast<int>(parse_integer(text, within(0, 1e6)));
        } catch (const usage_error& problem) {
            in.reject("probe.unseen", problem.what());
        }
    }
    if (*probe.unseen >= data.domain && *probe.unseen < data.domain + domains) {
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

partition_rule data_settings::read_partition() {
    auto rule = key.parsed(
        "partition", "iid", "iid, dirichlet(ALPHA), quantity(ALPHA), classes(NUMBER), domain",
        "how training samples are dealt out to the start points of an edge",
        [](const std::string& text) {
            partition_rule read;
            const auto open = text.find('(');
            const auto name = text.substr(0, open);
            const bool has_number = open != std::string::npos && text.ends_with(')');
            const auto number = has_number ? text.substr(open + 1, text.size() - open - 2) : std::string();
            if (text == "iid" || text == "domain") {
                read.kind = text == "iid" ? partition_kind::iid : partition_kind::domain;
            } else if (has_number && name == "classes") {
                read.kind = partition_kind::classes;
                read.classes = static_cast<int>(parse_integer(number, within(1, 1e6)));
            } else if (has_number && (name == "dirichlet" || name == "quantity")) {
                read.kind = name == "dirichlet" ? partition_kind::dirichlet : partition_kind::quantity;
                read.alpha = parse_number(number, within(1e-3, 1e6));
            } else {
                throw usage_error("accepted: iid, dirichlet(ALPHA), quantity(ALPHA), classes(NUMBER), domain; for "
                                  "example dirichlet(0.3)");
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
    complete_probe(scene, in);
}

} // namespace gaisnet
