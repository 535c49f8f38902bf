#include "scenario/network.hpp"

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/text.hpp"
#include "settings/quantity.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace gaisnet {

namespace {

using json = nlohmann::ordered_json;

template <typename Owner>
struct field {
    const char* key;
    dimension what;
    std::optional<double> Owner::*member;
};

constexpr field<node_override> node_fields[] = {
    {"rate", dimension::compute_rate, &node_override::rate},
    {"power", dimension::power, &node_override::power},
    {"tx_power", dimension::power, &node_override::tx_power},
    {"amplifier_efficiency", dimension::number, &node_override::amplifier_efficiency},
    {"circuit_power", dimension::power, &node_override::circuit_power},
    {"rx_power", dimension::power, &node_override::rx_power},
    {"idle_power", dimension::power, &node_override::idle_power},
    {"base_power", dimension::power, &node_override::base_power},
    {"sleep_power", dimension::power, &node_override::sleep_power},
    {"memory", dimension::size, &node_override::memory},
    {"battery", dimension::energy, &node_override::battery},
    {"samples", dimension::number, &node_override::samples},
    {"label_noise", dimension::number, &node_override::label_noise},
    {"blur", dimension::number, &node_override::blur},
    {"noise", dimension::number, &node_override::noise},
    {"rank", dimension::number, &node_override::rank},
};
constexpr field<link_override> link_fields[] = {
    {"rate", dimension::rate, &link_override::rate},
    {"latency", dimension::time, &link_override::latency},
    {"bandwidth", dimension::frequency, &link_override::bandwidth},
    {"loss", dimension::number, &link_override::loss},
};

/// A place in the file, for messages: "FILE: nodes[3] (c0.1)".
using place = std::string;

double number_of(const place& where, const std::string& key, const std::string& text, dimension what) {
    try {
        return parse_quantity(text, what);
    } catch (const usage_error& problem) {
        throw usage_error(where + ": " + key + " = " + text + ": " + problem.what());
    }
}

/// Sets one value of a node or link. \returns false for a key that it does not have.
template <typename Owner, std::size_t count>
bool set_field(const field<Owner> (&fields)[count], Owner& owner, const place& where, const std::string& key,
               const std::string& text) {
    for (const auto& one : fields) {
        if (key == one.key) {
            if (owner.*one.member) {
                throw usage_error(where + ": " + key + " stands here again");
            }
            const double value = number_of(where, key, text, one.what);
            constexpr double largest_size = 1e18; // B
            if (one.what == dimension::size && value > largest_size) {
                throw usage_error(where + ": " + key + " = " + text + ": at most 1e18 B are accepted");
            }
            if (key == "samples" && (value < 1.0 || value != std::floor(value) || value > 1e12)) {
                throw usage_error(where + ": samples = " + text + ": a whole number of at least 1 is accepted");
            }
            if (key == "rank" && (value < 1.0 || value != std::floor(value) || value > 100'000)) {
                throw usage_error(where + ": rank = " + text +
                                  ": a whole number of at least 1 and at most 100000 is accepted");
            }
            const double most = key == "label_noise" ? 1.0 : key == "blur" ? 100.0 : key == "noise" ? 10.0 : value;
            if (value > most) {
                throw usage_error(where + ": " + key + " = " + text + ": 0 to " + fmt::format("{}", most) +
                                  " is accepted");
            }
            const bool may_be_zero = key != "rate" && key != "bandwidth" && key != "memory" && key != "battery" &&
                                     key != "amplifier_efficiency";
            if (value < 0.0 || (value == 0.0 && !may_be_zero) || (key == "loss" && value >= 1.0) ||
                (key == "amplifier_efficiency" && value > 1.0)) {
                throw usage_error(where + ": " + key + " = " + text + ": " +
                                  (key == "loss"                   ? "0 to below 1 is accepted"
                                   : key == "amplifier_efficiency" ? "a part above 0 and at most 1 is accepted"
                                   : may_be_zero                   ? "a value of at least 0 is accepted"
                                                                   : "a value above 0 is accepted"));
            }
            owner.*one.member = value;
            return true;
        }
    }
    return false;
}

template <typename Owner, std::size_t count>
[[noreturn]] void unknown_field(const field<Owner> (&fields)[count], const place& where, const std::string& key,
                                std::string accepted) {
    for (const auto& one : fields) {
        accepted += (accepted.empty() ? "" : ", ") + std::string(one.key);
    }
    throw usage_error(where + ": unknown key " + key + "; accepted: " + accepted);
}

std::string checked_name(const place& where, const std::string& name) {
    const bool fits = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '_' || c == '-';
    });
    if (!fits) {
        throw usage_error(where + ": \"" + name +
                          "\" is no name; 1 to 64 letters, digits, '.', '_' and '-' are accepted");
    }
    return name;
}

/// The number of an edge; edges are edge0, edge1, ...
std::size_t edge_number(const place& where, const std::string& name) {
    const bool is_edge = name.starts_with("edge") && name.size() > 4 && name.size() < 10 &&
                         std::all_of(name.begin() + 4, name.end(), [](unsigned char c) { return std::isdigit(c); });
    if (!is_edge || (name.size() > 5 && name[4] == '0')) {
        throw usage_error(where + ": edge = " + name + ": edge0, edge1, ... are accepted");
    }
    return std::stoul(name.substr(4));
}

class file_reader {
public:
    void add_cluster(const place& where, const std::string& edge, listed_cluster group) {
        const auto number = edge_number(where, edge);
        const auto& clients = group.clients;
        if (clients.empty()) {
            throw usage_error(where + ": a cluster has at least one client");
        }
        for (const auto& name : clients) {
            checked_name(where, name);
        }
        clusters_[number].push_back(std::move(group));
    }
    node_override& add_node(const place& where, const std::string& name) {
        checked_name(where, name);
        for (const auto& other : out_.nodes) {
            if (other.name == name) {
                throw usage_error(where + ": the node stands here again");
            }
        }
        auto& made = out_.nodes.emplace_back();
        made.name = name;
        return made;
    }
    link_override& add_link(const place& where, const std::string& from, const std::string& to) {
        for (const auto& other : out_.links) {
            if (other.from == from && other.to == to) {
                throw usage_error(where + ": the link stands here again");
            }
        }
        out_.links.push_back({from, to, {}, {}, {}, {}});
        return out_.links.back();
    }
    network_overrides take(const std::string& path) {
        for (const auto& [edge, groups] : clusters_) {
            if (edge != out_.clusters.size()) {
                throw usage_error(path + ": edge" + std::to_string(edge) + " has clusters and edge" +
                                  std::to_string(out_.clusters.size()) + " has none; every edge needs one");
            }
            out_.clusters.push_back(groups);
        }
        return std::move(out_);
    }

private:
    network_overrides out_;
    std::map<std::size_t, std::vector<listed_cluster>> clusters_;
};

/// Text of a JSON value: strings unchanged, numbers for values without a unit.
std::string text_of(const place& where, const std::string& key, const json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_number()) {
        return value.dump();
    }
    throw usage_error(where + ": " + key + ": a text with a unit is accepted, for example \"50 Mbit/s\"");
}

std::string member_text(const place& where, const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) {
        throw usage_error(where + ": " + key + " is missing");
    }
    return text_of(where, key, *found);
}

/// A number of blocks.
int count_of(const place& where, const std::string& key, const json& value) {
    constexpr std::int64_t most = 1'000'000;
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() > most) {
        throw usage_error(where + ": " + key + ": " + value.dump() + ": a whole number from 0 is accepted");
    }
    return static_cast<int>(value.get<std::int64_t>());
}

template <typename Take>
void for_each(const std::string& path, const json& root, const char* part, const Take& take) {
    const auto list = root.find(part);
    if (list == root.end()) {
        return;
    }
    if (!list->is_array()) {
        throw usage_error(path + ": " + part + ": a list is accepted");
    }
    std::size_t index = 0;
    for (const auto& entry : *list) {
        const place where = path + ": " + part + "[" + std::to_string(index++) + "]";
        if (!entry.is_object()) {
            throw usage_error(where + ": an object is accepted");
        }
        take(where, entry);
    }
}

void read_json(const std::string& path, file_reader& out) {
    auto in = open_input(path);
    json root;
    std::vector<std::set<std::string>> keys; // of the open objects
    std::string twice;
    const auto watch = [&](int, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) {
            keys.emplace_back();
        } else if (event == json::parse_event_t::object_end) {
            keys.pop_back();
        } else if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
            twice = value.get<std::string>();
        }
        return true;
    };
    try {
        root = json::parse(in, watch);
    } catch (const json::exception& problem) {
        throw usage_error(path + " is not JSON: " + problem.what());
    }
    if (!twice.empty()) {
        throw usage_error(path + ": the key " + twice + " stands twice in one object");
    }
    if (!root.is_object()) {
        throw usage_error(path + ": an object with clusters, nodes and links is accepted");
    }
    for (const auto& [key, value] : root.items()) {
        if (key != "clusters" && key != "nodes" && key != "links") {
            throw usage_error(path + ": unknown key " + key + "; accepted: clusters, nodes, links");
        }
    }
    for_each(path, root, "clusters", [&](const place& where, const json& entry) {
        listed_cluster group;
        for (const auto& [key, value] : entry.items()) {
            if (key == "blocks" && value.is_array()) {
                for (const auto& count : value) {
                    group.blocks.push_back(count_of(where, key, count));
                }
            } else if (key == "edge_blocks") {
                group.edge_blocks = count_of(where, key, value);
            } else if (key == "blocks") {
                throw usage_error(where + ": blocks: a list of numbers, one for each client, is accepted");
            } else if (key != "edge" && key != "clients") {
                throw usage_error(where + ": unknown key " + key + "; accepted: edge, clients, blocks, edge_blocks");
            }
        }
        const auto list = entry.find("clients");
        if (list == entry.end() || !list->is_array()) {
            throw usage_error(where + ": clients: a list of names is accepted");
        }
        for (const auto& name : *list) {
            group.clients.push_back(text_of(where, "clients", name));
        }
        out.add_cluster(where, member_text(where, entry, "edge"), std::move(group));
    });
    for_each(path, root, "nodes", [&](const place& index, const json& entry) {
        const auto name = member_text(index, entry, "name");
        const auto where = index + " (" + name + ")";
        auto& node = out.add_node(where, name);
        for (const auto& [key, value] : entry.items()) {
            if (key == "name") {
                continue;
            }
            if (key == "edge") {
                node.edge = static_cast<int>(edge_number(where, text_of(where, key, value)));
            } else if (key == "position") {
                if (!value.is_array() || value.size() != 2) {
                    throw usage_error(where + ": position: two values are accepted, for example [\"10 m\", \"0 m\"]");
                }
                node.place = position{number_of(where, key, text_of(where, key, value[0]), dimension::length),
                                      number_of(where, key, text_of(where, key, value[1]), dimension::length)};
            } else if (!set_field(node_fields, node, where, key, text_of(where, key, value))) {
                unknown_field(node_fields, where, key, "name, position, edge");
            }
        }
    });
    for_each(path, root, "links", [&](const place& index, const json& entry) {
        const auto from = member_text(index, entry, "from"), to = member_text(index, entry, "to");
        const auto where = index + " (" + from + " -> " + to + ")";
        auto& link = out.add_link(where, from, to);
        for (const auto& [key, value] : entry.items()) {
            if (key != "from" && key != "to" && !set_field(link_fields, link, where, key, text_of(where, key, value))) {
                unknown_field(link_fields, where, key, "from, to");
            }
        }
    });
}

void read_lines(const std::string& path, file_reader& out) {
    for (const auto& line : read_csv(path)) {
        const auto& kind = line.cells.front();
        const std::size_t names = kind == "link" ? 2 : 1;
        if (line.cells.size() < 1 + names || (kind != "cluster" && kind != "node" && kind != "link")) {
            throw usage_error(line.where + ": \"cluster, EDGE, CLIENT, ...\", \"node, NAME, KEY = VALUE, ...\" or "
                                           "\"link, FROM, TO, KEY = VALUE, ...\" is accepted");
        }
        if (kind == "cluster") {
            out.add_cluster(line.where, line.cells[1], {{line.cells.begin() + 2, line.cells.end()}, {}, 0});
            continue;
        }
        auto* node = kind == "node" ? &out.add_node(line.where, line.cells[1]) : nullptr;
        auto* link = node ? nullptr : &out.add_link(line.where, line.cells[1], line.cells[2]);
        std::optional<double> x, y;
        for (auto cell = line.cells.begin() + static_cast<std::ptrdiff_t>(1 + names); cell != line.cells.end();
             ++cell) {
            const auto equals = cell->find('=');
            if (equals == std::string::npos) {
                throw usage_error(line.where + ": \"" + *cell + "\": KEY = VALUE is accepted");
            }
            const std::string key(trimmed(std::string_view(*cell).substr(0, equals)));
            const std::string value(trimmed(std::string_view(*cell).substr(equals + 1)));
            if (node && (key == "x" || key == "y")) {
                (key == "x" ? x : y) = number_of(line.where, key, value, dimension::length);
            } else if (node && key == "edge") {
                node->edge = static_cast<int>(edge_number(line.where, value));
            } else if (node && !set_field(node_fields, *node, line.where, key, value)) {
                unknown_field(node_fields, line.where, key, "x, y, edge");
            } else if (link && !set_field(link_fields, *link, line.where, key, value)) {
                unknown_field(link_fields, line.where, key, "");
            }
        }
        if (x.has_value() != y.has_value()) {
            throw usage_error(line.where + ": x and y go together; one is missing");
        }
        if (x) {
            node->place = position{*x, *y};
        }
    }
}

} // namespace

network_overrides read_network_file(const std::string& path) {
    file_reader out;
    path.ends_with(".csv") ? read_lines(path, out) : read_json(path, out);
    return out.take(path);
}

} // namespace gaisnet
