#include "rounds/checkpoint.hpp"

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/mapped_file.hpp"
#include "base/random.hpp"
#include "model/files/safetensors.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <span>
#include <sstream>

namespace gaisnet {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// JSON has no NaN: values that were not measured are null.
double real_of(const json& value) {
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

} // namespace

// nlohmann::json finds these functions; they store rows as lists.

void to_json(json& out, const transport_row& row) { out = {row.round, row.transport, row.messages, row.bytes}; }
void from_json(const json& in, transport_row& row) { row = {in.at(0), in.at(1), in.at(2), in.at(3)}; }

void to_json(json& out, const answer& one) { out = {one.predicted, one.probability, one.tokens}; }
void from_json(const json& in, answer& one) {
    one = {in.at(0), real_of(in.at(1)), in.at(2).get<std::vector<std::int64_t>>()};
}

void to_json(json& out, const probe_row& row) {
    out = {row.round, row.model, row.domain, row.seen, row.method, row.accuracy, row.loss, row.samples};
}
void from_json(const json& in, probe_row& row) {
    row = {in.at(0), in.at(1), in.at(2), in.at(3), in.at(4), real_of(in.at(5)), real_of(in.at(6)), in.at(7)};
}

void to_json(json& out, const formed_cluster& one) { out = {one.clients, one.blocks, one.edge_blocks}; }
void from_json(const json& in, formed_cluster& one) {
    one = {in.at(0).get<std::vector<std::size_t>>(), in.at(1).get<std::vector<int>>(), in.at(2)};
}

void to_json(json& out, const cluster_change& one) { out = {one.round, one.at_s, one.clusters}; }
void from_json(const json& in, cluster_change& one) { one = {in.at(0), in.at(1), in.at(2).get<formed_clusters>()}; }

void to_json(json& out, const fidelity_row& row) {
    out = {row.round,      row.from,          row.to,          row.kind,   row.due_s, row.late_s,
           row.upstream_s, row.own_compute_s, row.neighbour_s, row.timer_s};
}
void from_json(const json& in, fidelity_row& row) {
    row = {in.at(0), in.at(1), in.at(2), in.at(3), in.at(4), in.at(5), in.at(6), in.at(7), in.at(8), in.at(9)};
}

namespace {

constexpr const char* meta_name = "checkpoint.json";
constexpr const char* tensors_name = "state.safetensors";
constexpr const char* marker_name = "DONE";
constexpr const char* format_name = "gaisnet checkpoint 6"; ///< The marker's first line.
constexpr const char* run_name = "run.json";

void write_text(const fs::path& path, const std::string& text) {
    atomic_file file(path);
    file.write_at(0, std::as_bytes(std::span(text)));
    file.commit();
}

std::string step_name(std::size_t step) { return fmt::format("round_{:06}", step); }

void remove_checkpoint(const fs::path& directory) {
    std::error_code ignored;                      // a remaining file does no harm
    fs::remove(directory / marker_name, ignored); // first, so that a partly removed checkpoint does not count
    fs::remove_all(directory, ignored);
}

std::string hash_line(const char* name, std::span<const std::byte> content) {
    return fmt::format("{} {:016x}\n", name,
                       stable_hash({reinterpret_cast<const char*>(content.data()), content.size()}));
}

/// The contents of a file; empty if it does not exist or cannot be read. Does not block on a pipe.
std::string text_of(const fs::path& path) {
    std::error_code code;
    const auto file = mapped_file::open(path, code);
    const auto bytes = code ? std::span<const std::byte>() : file.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hash_of_file(const fs::path& directory, const char* name) {
    std::error_code code;
    const auto file = mapped_file::open(directory / name, code);
    if (code) {
        throw usage_error("checkpoint " + (directory / name).string() + " cannot be read: " + code.message());
    }
    return hash_line(name, file.bytes());
}

/// Checks the marker of a checkpoint, which contains the format and a hash of each file. \returns the marker's text.
/// \throws usage_error when a file has changed.
std::string check_marker(const fs::path& directory) {
    const auto path = directory / marker_name;
    const auto text = text_of(path);
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    if (line != format_name && line.starts_with("gaisnet checkpoint ")) {
        throw other_version("checkpoint marker " + path.string() + " begins with \"" + line + "\", not with \"" +
                            format_name + "\": another version of this program wrote it");
    }
    if (line != format_name) {
        throw usage_error("checkpoint marker " + path.string() + " begins with \"" + line + "\", not with \"" +
                          format_name + "\": it is damaged");
    }
    for (const auto* name : {meta_name, tensors_name}) {
        std::getline(lines, line);
        if (!line.starts_with(std::string(name) + " ")) {
            throw usage_error("checkpoint marker " + path.string() + " is damaged: there is no hash of " + name);
        }
        if (line + "\n" != hash_of_file(directory, name)) {
            throw usage_error("checkpoint " + (directory / name).string() + " is damaged: it is not as it was written");
        }
    }
    return text;
}

} // namespace

void mark_run(const fs::path& folder, const run_mark& mark) {
    std::error_code code;
    fs::create_directories(folder, code);
    if (code) {
        throw runtime_failure("the folder of checkpoints " + folder.string() + " cannot be made: " + code.message());
    }
    write_text(folder / run_name, json{{"identity", mark.identity}, {"ended", mark.ended}}.dump(2) + "\n");
}

run_mark marked_run(const fs::path& folder) {
    try {
        const auto text = json::parse(text_of(folder / run_name));
        return {text.at("identity").get<std::string>(), text.at("ended").get<bool>()};
    } catch (const json::exception&) {
        return {};
    }
}

std::vector<fs::path> complete_checkpoints(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (entry.path().filename().string().starts_with("round_") && fs::exists(entry.path() / marker_name)) {
            found.push_back(entry.path());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

fs::path beside_output(const fs::path& output, const std::string& suffix) {
    auto path = output;
    if (path.extension() == ".h5") { // in "lr0.02" all is the name
        path.replace_extension();
    }
    path += suffix;
    return path;
}

fs::path checkpoint_folder(const fs::path& output) { return beside_output(output, ".ckpt"); }

void write_checkpoint(const fs::path& folder, const checkpoint& state, int keep) {
    const auto directory = folder / step_name(state.step);
    std::error_code code;
    fs::remove_all(directory, code);
    fs::create_directories(directory, code);
    if (code) {
        throw runtime_failure("checkpoint " + directory.string() + " cannot be made: " + code.message());
    }
    json steps = json::object();
    std::vector<tensor_to_write> tensors;
    for (std::size_t edge = 0; edge < state.models.size(); ++edge) {
        tensors.emplace_back(fmt::format("edge.{}", edge), state.models[edge]);
    }
    for (const auto& [name, stage] : state.stages) {
        steps[name] = stage.steps;
        for (const auto& [tensor_name, tensor] : stage.tensors) {
            tensors.emplace_back(name + "/" + tensor_name, tensor);
        }
    }
    write_safetensors(directory / tensors_name, tensors);
    json rounds = json::array();
    for (const auto& edges : state.rounds) {
        json row = json::array();
        for (const auto& one : edges) {
            row.push_back({one.accuracy, one.loss, one.train_accuracy, one.train_loss, one.wall_s, one.bits_per_byte});
        }
        rounds.push_back(row);
    }
    const json meta{{"identity", state.identity}, {"created", state.created},
                    {"step", state.step},         {"speeds", state.speeds},
                    {"rounds", rounds},           {"sessions", state.sessions},
                    {"probes", state.probes},     {"transports", state.transports},
                    {"fidelity", state.fidelity}, {"changes", state.changes},
                    {"optimizer_steps", steps},   {"edges", state.models.size()}};
    const auto text = meta.dump(2) + "\n";
    write_text(directory / meta_name, text);
    write_text(directory / marker_name, std::string(format_name) + "\n" +
                                            hash_line(meta_name, std::as_bytes(std::span(text))) +
                                            hash_of_file(directory, tensors_name));

    auto all = complete_checkpoints(folder);
    for (std::size_t i = 0; i + static_cast<std::size_t>(std::max(keep, 1)) < all.size(); ++i) {
        remove_checkpoint(all[i]);
    }
}

void remove_checkpoints_after(const fs::path& folder, std::size_t step) {
    std::vector<fs::path> later;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder, code)) {
        const auto name = entry.path().filename().string();
        if (name.starts_with("round_") && name > step_name(step)) {
            later.push_back(entry.path());
        }
    }
    for (const auto& directory : later) {
        remove_checkpoint(directory);
    }
}

std::optional<fs::path> newest_checkpoint(const fs::path& folder) {
    const auto all = complete_checkpoints(folder);
    return all.empty() ? std::nullopt : std::optional(all.back());
}

checkpoint read_checkpoint(const fs::path& directory) {
    if (!fs::is_directory(directory)) {
        throw usage_error("resume = " + directory.string() + ": there is no such checkpoint folder");
    }
    if (!fs::exists(directory / marker_name)) {
        throw usage_error("resume = " + directory.string() + " is not a complete checkpoint: it has no " +
                          std::string(marker_name) + " marker; a folder named round_NNNNNN with one is accepted");
    }
    checkpoint state;
    std::size_t edges = 0;
    state.content = stable_hash(check_marker(directory));
    try {
        const auto meta = json::parse(text_of(directory / meta_name));
        state.identity = meta.at("identity").get<std::string>();
        state.speeds = meta.value("speeds", std::string());
        state.created = meta.at("created").get<std::string>();
        for (const auto& row : meta.at("rounds")) {
            auto& edges = state.rounds.emplace_back();
            for (const auto& one : row) {
                std::array<double, 5> v{};
                for (std::size_t i = 0; i < v.size(); ++i) {
                    v[i] = real_of(one.at(i));
                }
                edges.push_back({v[0], v[1], v[2], v[3], v[4]});
            }
        }
        state.step = meta.at("step").get<std::size_t>();
        state.sessions = meta.at("sessions").get<std::vector<session_answers>>();
        edges = meta.at("edges").get<std::size_t>();
        state.transports = meta.at("transports").get<std::vector<transport_row>>();
        state.probes = meta.at("probes").get<std::vector<probe_row>>();
        state.fidelity = meta.at("fidelity").get<std::vector<fidelity_row>>();
        state.changes = meta.at("changes").get<std::vector<cluster_change>>();
        for (const auto& [name, steps] : meta.at("optimizer_steps").items()) {
            state.stages[name].steps = steps.get<std::int64_t>();
        }
    } catch (const json::exception& problem) {
        throw usage_error("checkpoint " + (directory / meta_name).string() + " is damaged: " + problem.what());
    }

    const auto do_not_belong = [&](const std::string& what) {
        return usage_error("checkpoint " + directory.string() + " is damaged: its parts do not belong together (" +
                           what + ")");
    };
    const safetensors_file file(directory / tensors_name);
    if (edges > file.tensors().size() ||
        std::any_of(state.rounds.begin(), state.rounds.end(), [&](const auto& row) { return row.size() != edges; })) {
        throw do_not_belong(fmt::format("{} edges", edges));
    }
    state.models.resize(edges);
    for (const auto& entry : file.tensors()) {
        auto shape = entry.shape;
        auto tensor = tensor_view::allocate(shape);
        file.read_float32(entry.name,
                          std::span<float>(tensor.as<float>(), static_cast<std::size_t>(tensor.elements())));
        const auto slash = entry.name.find('/');
        if (slash == std::string::npos) {
            std::size_t edge = 0;
            while (edge < state.models.size() && entry.name != fmt::format("edge.{}", edge)) {
                ++edge;
            }
            if (edge == state.models.size()) {
                throw do_not_belong(entry.name);
            }
            state.models[edge] = std::move(tensor);
        } else {
            state.stages[entry.name.substr(0, slash)].tensors[entry.name.substr(slash + 1)] = std::move(tensor);
        }
    }
    return state;
}

} // namespace gaisnet
