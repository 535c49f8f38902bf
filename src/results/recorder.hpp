#pragma once

#include "results/rows.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Information about the whole run, stored as root attributes.
struct run_header {
    std::string schema = "gaisnet";
    std::uint64_t schema_version = 6;
    std::string software_version;
    std::string git_version;
    std::map<std::string, std::string> libraries; ///< Name to version.
    std::string config;                           ///< Resolved configuration, usable as a config file.
    std::string identity;                         ///< Decides the results; a resumed run must have the same.
    std::uint64_t seed = 0;
    std::string clock; ///< "virtual" or "real"
    double time_scale = 1.0;
    std::string command;
    std::string created; ///< UTC, ISO 8601; empty: now.
};

enum class run_status { running, complete, aborted };
const char* name_of(run_status);

struct recorder_options {
    bool overwrite = false; ///< Replace an existing file.
    /// Of whose clusters events are kept: 0 none, 1 all; 0.01: of every hundredth cluster, and all between edges and cloud.
    double events = 1;
    std::vector<rank_description> ranks{};   ///< Where the ranks ran.
    std::vector<stage_description> stages{}; ///< Measured speeds.
    std::vector<chain_description> chains{};
    std::vector<samples_description> samples{};
    static constexpr std::size_t most_bytes = 1024;
    std::size_t image_bytes = 64; ///< Space for an image's name or a text in /inference; longer ones are cut.
    bool next_tokens = false;     ///< Models tell next tokens: there are columns for perplexity.
    bool hidden = false;          ///< The file stays hidden until publish().
};

/// One round's results, all edges together.
struct round_data {
    std::span<const round_row> rounds;
    std::span<const node_row> nodes;
    std::span<const event_row>
        events; ///< All events of the round, even if they are not stored: the traffic is summed from them.
    std::span<const transport_row> transports;
    std::span<const fidelity_row> fidelity{};
    std::span<const federation_row> federations{};
};

/// Writes the results file of a run, on rank 0. Every round is flushed, so other processes can read it while the run
/// continues, and a kill does not damage earlier rounds. Not thread safe.
class recorder {
public:
    /// Creates the file with its topology; an existing file of that name is replaced only when the new one is complete.
    /// Throws usage_error when that is not possible: path not writable, file exists (without options.overwrite),
    /// another process writes it, disk full.
    static recorder create(const std::string& path, const run_header& header, std::span<const node_description> nodes,
                           std::span<const link_description> links, const recorder_options& options = {});
    /// With options.hidden: gives the file its name. An existing file that HDF5 cannot open is kept as NAME.torn.h5.
    void publish();

    /// Throws what create() would throw for this path; creates nothing.
    static void check_output(const std::string& path, bool overwrite);

    recorder(recorder&&) noexcept;
    recorder& operator=(recorder&&) = delete;
    /// Marks the run as aborted when finish() was not called.
    ~recorder();

    /// Appends a round to all tables and flushes. Throws runtime_failure naming the file and the reason (disk full).
    /// The file then keeps the earlier rounds; further rounds can be written only if the disk was full.
    void write_round(const round_data& data);
    /// Appends the links, chains and samples of clusters that have changed.
    void write_clusters(std::span<const link_description>, std::span<const chain_description>,
                        std::span<const samples_description>);
    /// Appends the accuracy of models on domains.
    void write_probes(std::span<const probe_row>);
    void write_requests(std::span<const request_row>);
    void write_tokens(std::span<const token_row>);
    void write_services(std::span<const service_row>);
    void write_plans(std::span<const plan_row>);
    void write_tunings(std::span<const tuning_row>);
    void write_service_candidates(std::span<const service_candidate_row>);
    void write_service_clients(std::span<const service_client_row>);
    void write_service_policies(std::span<const service_policy_row>);
    /// Writes everything, then the status, the reason (at most 256 bytes) and whether the training converged, and
    /// closes the file. Only then can a file say "complete". Throws runtime_failure. Nothing can be written afterwards.
    void finish(run_status status, const std::string& stop_reason, bool converged);

    const std::string& path() const;
    /// Start time of the run, as stored in the file.
    const std::string& created() const;

private:
    struct state;
    explicit recorder(std::unique_ptr<state> made);
    std::unique_ptr<state> state_;
};

} // namespace gaisnet
