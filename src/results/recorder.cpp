#include "results/recorder.hpp"

#include "results/hdf5_file.hpp"
#include "results/hdf5_table.hpp"
#include "results/schema.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <optional>

#include <nlohmann/json.hpp>

namespace gaisnet {

namespace {

constexpr std::uint64_t metadata_room = 512 * 1024; // Headers and chunk indexes, which grow with the tables, and slack.
constexpr std::size_t reason_bytes = 256;
// Every flush rewrites the last, partly filled chunk, and its old place cannot be reused while SWMR readers exist.
constexpr std::size_t event_chunk_bytes = 64 * 1024;

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

std::size_t name_bytes_for(std::span<const node_description> nodes) {
    std::size_t longest = 16;
    for (const auto& node : nodes) {
        longest = std::max(longest, node.name.size());
    }
    return (longest + 7) / 8 * 8;
}

std::vector<node_entry> entries_of(std::span<const node_description> nodes) {
    std::vector<node_entry> entries;
    for (const auto& node : nodes) {
        entries.push_back({static_cast<std::uint32_t>(entries.size()), &node});
    }
    return entries;
}

std::vector<link_entry> entries_of(std::span<const link_description> links, const std::vector<std::string>& names) {
    std::vector<link_entry> entries;
    for (const auto& link : links) {
        entries.push_back({&link, names.at(link.from), names.at(link.to)});
    }
    return entries;
}

void write_header(H5::H5File& file, const run_header& header) {
    auto root = file.openGroup("/");
    add_text(root, "schema", header.schema);
    add_integer(root, "schema_version", header.schema_version);
    add_text(root, "description", table_text::file);
    // These four attributes change later; SWMR allows that only for existing attributes of a fixed size.
    add_fixed_text(root, "status", 16, name_of(run_status::running));
    add_fixed_text(root, "stop_reason", reason_bytes, "");
    add_flag(root, "converged", false);
    add_fixed_text(root, "finished", 32, "");
    add_text(root, "created", header.created);
    add_text(root, "software_version", header.software_version);
    add_text(root, "git_version", header.git_version);
    add_text(root, "libraries", nlohmann::json(header.libraries).dump());
    add_integer(root, "seed", header.seed);
    add_text(root, "clock", header.clock);
    add_real(root, "time_scale", header.time_scale);
    add_text(root, "command", header.command);
    add_text(root, "config", header.config);
    add_text(root, "identity", header.identity);
}

} // namespace

const char* name_of(run_status status) {
    switch (status) {
    case run_status::running: return "running";
    case run_status::complete: return "complete";
    case run_status::aborted: return "aborted";
    }
    return "unknown";
}

struct recorder::state {
    hdf5_file file;
    std::string created;
    recorder_options options;
    std::vector<std::string> names;
    std::vector<node_role> roles;
    std::vector<std::int32_t> clusters; ///< By node, as the run began; -1: none.
    typed_table<node_entry> nodes;
    typed_table<link_entry> links;
    typed_table<rank_description> ranks;
    typed_table<stage_description> stages;
    typed_table<chain_description> chains;
    typed_table<samples_description> samples;
    typed_table<round_row> rounds;
    typed_table<federation_row> federations;
    typed_table<probe_row> probes;
    typed_table<request_row> requests;
    typed_table<token_row> tokens;
    typed_table<service_row> services;
    typed_table<plan_row> plans;
    typed_table<tuning_row> tunings;
    typed_table<service_candidate_row> service_candidates;
    typed_table<service_client_row> service_clients;
    typed_table<service_policy_row> service_policies;
    typed_table<node_record> clients, energy, memory, traffic;
    typed_table<communication_row> communication;
    typed_table<transport_row> transport;
    typed_table<event_row> events;
    typed_table<fidelity_row> fidelity;

    state(hdf5_file made, const recorder_options& chosen, std::span<const node_description> described)
        : state(std::move(made), chosen, described, name_bytes_for(described)) {}

    std::vector<hdf5_table*> tables() {
        return {&nodes.table(),           &links.table(),
                &rounds.table(),          &clients.table(),
                &energy.table(),          &memory.table(),
                &traffic.table(),         &communication.table(),
                &transport.table(),       &events.table(),
                &fidelity.table(),        &federations.table(),
                &probes.table(),          &requests.table(),
                &tokens.table(),          &services.table(),
                &ranks.table(),           &stages.table(),
                &samples.table(),         &plans.table(),
                &chains.table(),          &service_candidates.table(),
                &service_clients.table(), &service_policies.table(),
                &tunings.table()};
    }

    void set_status(run_status status, const std::string& reason, bool converged) {
        hdf5_guarded(file.path(), "write the status", [&] {
            auto root = file.handle().openGroup("/");
            set_text(root, "stop_reason", reason);
            set_flag(root, "converged", converged);
            set_text(root, "finished", status == run_status::running ? "" : utc_now());
            set_text(root, "status", name_of(status));
        });
    }

    /// The events that are kept where that is a part of them: those of clusters at equal distances in their order, whole,
    /// so that what an event waited for is among them; and those between edges and the cloud.
    std::vector<event_row> sample_of(std::span<const event_row> all) const {
        std::vector<event_row> sample;
        if (options.events > 0.0 && options.events < 1.0) {
            std::copy_if(all.begin(), all.end(), std::back_inserter(sample), [this](const event_row& event) {
                const auto cluster = std::max(clusters.at(event.node), clusters.at(event.peer));
                return cluster <= 0 ||
                       std::floor((cluster + 1) * options.events) > std::floor(cluster * options.events);
            });
        }
        return sample;
    }

private:
    state(hdf5_file made, const recorder_options& chosen, std::span<const node_description> described,
          std::size_t width)
        : file(std::move(made))
        , options(chosen)
        , nodes(make("/topology/nodes", table_text::nodes, topology_node_columns(width)))
        , links(make("/topology/links", table_text::links, topology_link_columns(width)))
        , ranks(make("/topology/ranks", table_text::ranks, topology_rank_columns()))
        , stages(make("/topology/stages", table_text::stages, topology_stage_columns()))
        , chains(make("/topology/chains", table_text::chains, topology_chain_columns()))
        , samples(make("/topology/samples", table_text::samples, topology_samples_columns(width)))
        , rounds(make("/rounds", table_text::rounds, round_columns(chosen.next_tokens)))
        , federations(make("/federations", table_text::federations, federation_columns()))
        , probes(make("/accuracy_by_domain", table_text::probes, probe_columns(chosen.next_tokens)))
        , requests(make("/inference", table_text::requests, request_columns(chosen.image_bytes, chosen.next_tokens)))
        , tokens(make("/tokens", table_text::tokens, token_columns()))
        , services(make("/service", table_text::services, service_columns(width)))
        , plans(make("/plan/front", table_text::plans, plan_columns()))
        , tunings(make("/plan/tunings", table_text::tunings, tuning_columns()))
        , service_candidates(
              make("/service_candidates", table_text::service_candidates, service_candidate_columns(width)))
        , service_clients(make("/service_clients", table_text::service_clients, service_client_columns(width)))
        , service_policies(make("/service_policies", table_text::service_policies, service_policy_columns()))
        , clients(make("/clients", table_text::clients, client_columns(width)))
        , energy(make("/energy", table_text::energy, energy_columns(width)))
        , memory(make("/memory", table_text::memory, memory_columns(width, chosen.next_tokens)))
        , traffic(make("/communication/nodes", table_text::traffic, node_traffic_columns(width)))
        , communication(make("/communication/links", table_text::by_link, communication_columns()))
        , transport(make("/communication/transport", table_text::transport, transport_columns()))
        , events(make("/events", table_text::events, event_columns(), {event_chunk_bytes, true}))
        , fidelity(make("/fidelity", table_text::fidelity, fidelity_columns(), {event_chunk_bytes, true})) {
        for (const auto& node : described) {
            names.push_back(node.name);
            roles.push_back(node.role);
            clusters.push_back(node.cluster);
        }
    }

    template <typename Row>
    typed_table<Row> make(const char* path, const char* description, std::vector<column<Row>> columns,
                          table_options layout = {}) {
        auto table = hdf5_table::create(file, path, description, infos(columns), layout);
        return {std::move(table), std::move(columns)};
    }
};

recorder::recorder(std::unique_ptr<state> made): state_(std::move(made)) {}
recorder::recorder(recorder&&) noexcept = default;

recorder recorder::create(const std::string& path, const run_header& header, std::span<const node_description> nodes,
                          std::span<const link_description> links, const recorder_options& options) {
    auto written = header;
    written.created = header.created.empty() ? utc_now() : header.created;
    auto file = hdf5_file::create(path, options.overwrite);
    try {
        // A link's row is the longest, because it has the names of both ends; 256 bytes are enough for any row of the
        // topology.
        file.reserve(metadata_room + header.config.size() + header.identity.size() +
                     (nodes.size() + links.size()) * (256 + 2 * name_bytes_for(nodes)) +
                     (options.ranks.size() + options.stages.size() + options.chains.size() + options.samples.size()) *
                         400);
        hdf5_guarded(path, "write the header", [&] { write_header(file.handle(), written); });
        auto made = std::make_unique<state>(std::move(file), options, nodes);
        made->created = written.created;
        hdf5_guarded(path, "write the header", [&] {
            auto topology = made->file.handle().openGroup("/topology");
            add_text(topology, "description", table_text::topology);
            auto communication = made->file.handle().openGroup("/communication");
            add_text(communication, "description", table_text::communication);
            auto plan = made->file.handle().openGroup("/plan");
            add_text(plan, "description", table_text::plan);
        });
        made->nodes.append(entries_of(nodes));
        made->links.append(entries_of(links, made->names));
        made->ranks.append(options.ranks);
        made->stages.append(options.stages);
        made->chains.append(options.chains);
        made->samples.append(options.samples);
        recorder out(std::move(made));
        if (!options.hidden) {
            out.publish();
        }
        return out;
    } catch (const runtime_failure& failure) {
        throw usage_error(std::string("output ") + failure.what() + "; choose another path with --output");
    }
}

void recorder::check_output(const std::string& path, bool overwrite) { hdf5_file::check(path, overwrite); }

void recorder::publish() {
    namespace fs = std::filesystem;
    const fs::path target(path());
    std::error_code ignored;
    if (fs::exists(target, ignored) && !hdf5_file::opens(target.string())) {
        auto aside = target;
        aside.replace_extension(".torn.h5");
        fs::rename(target, aside, ignored);
    }
    state_->file.publish();
}

recorder::~recorder() {
    if (state_ == nullptr) {
        return;
    }
    try {
        if (state_->file.open() && state_->file.published()) {
            finish(run_status::aborted, "ended early, by an error or an interruption", false);
        }
    } catch (const std::exception&) {
        state_->file.abandon(); // The file keeps saying "running" and that it was not closed, which is true.
    }
    if (state_->file.abandoned()) {
        static_cast<void>(state_.release()); // Otherwise its tables would try to write.
    }
}

void recorder::write_round(const round_data& data) {
    auto& to = *state_;
    if (!to.file.open()) {
        throw runtime_failure("'" + to.file.path() + "': the file is closed; no more rounds can be written");
    }
    const auto communication = communication_of(data.events);
    std::vector<node_record> records;
    records.reserve(data.nodes.size());
    for (const auto& row : data.nodes) {
        records.push_back({&row, to.names.at(row.node), to.roles.at(row.node)});
    }
    const auto sampled = to.sample_of(data.events);
    const auto kept_events = to.options.events < 1.0 ? std::span<const event_row>(sampled) : data.events;
    to.file.reserve(
        metadata_room + to.rounds.table().growth(data.rounds.size()) + to.clients.table().growth(records.size()) +
        to.energy.table().growth(records.size()) + to.memory.table().growth(records.size()) +
        to.traffic.table().growth(records.size()) + to.communication.table().growth(communication.size()) +
        to.transport.table().growth(data.transports.size()) + to.events.table().growth(kept_events.size()) +
        to.fidelity.table().growth(data.fidelity.size()) + to.federations.table().growth(data.federations.size()));
    to.events.append(kept_events);
    to.clients.append(records);
    to.energy.append(records);
    to.memory.append(records);
    to.traffic.append(records);
    to.communication.append(communication);
    to.transport.append(data.transports);
    to.fidelity.append(data.fidelity);
    to.federations.append(data.federations);
    to.rounds.append(data.rounds);
    to.file.flush();
}

namespace {

/// Appends rows outside of rounds.
template <typename Row>
void append_now(hdf5_file& file, typed_table<Row>& table, std::span<const Row> rows) {
    file.reserve(metadata_room + table.table().growth(rows.size()));
    table.append(rows);
    file.flush();
}

} // namespace

void recorder::write_clusters(std::span<const link_description> links, std::span<const chain_description> chains,
                              std::span<const samples_description> samples) {
    const auto entries = entries_of(links, state_->names);
    append_now(state_->file, state_->links, std::span<const link_entry>(entries));
    append_now(state_->file, state_->chains, chains);
    append_now(state_->file, state_->samples, samples);
}

void recorder::write_probes(std::span<const probe_row> rows) { append_now(state_->file, state_->probes, rows); }

void recorder::write_tokens(std::span<const token_row> rows) { append_now(state_->file, state_->tokens, rows); }

void recorder::write_requests(std::span<const request_row> rows) { append_now(state_->file, state_->requests, rows); }

void recorder::write_services(std::span<const service_row> rows) { append_now(state_->file, state_->services, rows); }

void recorder::write_service_candidates(std::span<const service_candidate_row> rows) {
    append_now(state_->file, state_->service_candidates, rows);
}

void recorder::write_service_clients(std::span<const service_client_row> rows) {
    append_now(state_->file, state_->service_clients, rows);
}

void recorder::write_service_policies(std::span<const service_policy_row> rows) {
    append_now(state_->file, state_->service_policies, rows);
}

void recorder::finish(run_status status, const std::string& stop_reason, bool converged) {
    auto& file = state_->file;
    if (!file.open()) {
        throw runtime_failure("'" + file.path() + "': the file is closed already");
    }
    file.flush(); // Before the status changes, so that no complete file lacks rows.
    state_->set_status(status, stop_reason, converged);
    for (auto* table : state_->tables()) {
        table->close();
    }
    file.close();
}

void recorder::write_plans(std::span<const plan_row> rows) { append_now(state_->file, state_->plans, rows); }

void recorder::write_tunings(std::span<const tuning_row> rows) { append_now(state_->file, state_->tunings, rows); }

const std::string& recorder::path() const { return state_->file.path(); }
const std::string& recorder::created() const { return state_->created; }

} // namespace gaisnet
