#pragma once

#include "results/rows.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// What the file says about the run as a whole: its root attributes.
struct run_header {
    std::string schema = "gaisnet";
    std::uint64_t schema_version = 6;
    std::string software_version;
    std::string git_version;
    std::map<std::string, std::string> libraries; ///< Name to version.
    std::string config;                           ///< Resolved configuration, as a file that can be run again.
    std::string identity;                         ///< What decides the results; a resumed run must have the same.
    std::uint64_t seed = 0;
    std::string clock; ///< "virtual" or "real"
    double time_scale = 1.0;
    std::string command;
    std::string created; ///< UTC, ISO 8601; empty: now.
};

enum class run_status { running, complete, aborted };
const char* name_of(run_status);

struct recorder_options {
    bool overwrite = false;                  ///< Replace an existing file.
    bool events = true;                      ///< Keep the event table.
    std::vector<rank_description> ranks{};   ///< Where the ranks run.
    std::vector<stage_description> stages{}; ///< What was measured.
    std::vector<samples_description> samples{};
    std::size_t image_bytes = 64; ///< Room for names of images in /inference; longer ones are cut.
    bool hidden = false;          ///< The caller calls publish().
};

/// One round's results, all edges together.
struct round_data {
    std::span<const round_row> rounds;
    std::span<const node_row> nodes;
    std::span<const event_row>
        events; ///< All of the round's, also when they are not kept: traffic is summed from them.
    std::span<const transport_row> transports;
    std::span<const fidelity_row> fidelity{};
    std::span<const federation_row> federations{};
};

/// Writes the results file of a run, on rank 0. Every round is flushed and can be read by other processes while the run
/// goes on; a kill leaves all rounds written before. Not thread safe.
class recorder {
public:
    /// Makes the file with its topology; what had the name before stays as it was until it is there in full. Throws
    /// usage_error when that is not possible: path not writable, file exists (and not options.overwrite), another process
    /// writes it, no room on the disk.
    static recorder create(const std::string& path, const run_header& header, std::span<const node_description> nodes,
                           std::span<const link_description> links, const recorder_options& options = {});
    /// With options.hidden: gives the file its name now. A file there that HDF5 cannot open is kept, as NAME.torn.h5.
    void publish();

    /// Throws what create() would throw for this path, and makes nothing.
    static void check_output(const std::string& path, bool overwrite);

    recorder(recorder&&) noexcept;
    recorder& operator=(recorder&&) = delete;
    /// Marks the run as aborted when finish() was not called.
    ~recorder();

    /// Appends a round to all tables and flushes. Throws runtime_failure naming file and reason (disk full); the file
    /// then keeps the rounds before, and no more can be written when the reason was not lack of room.
    void write_round(const round_data& data);
    /// How good models are on domains.
    void write_probes(std::span<const probe_row>);
    void write_requests(std::span<const request_row>);
    void write_services(std::span<const service_row>);
    /// Writes everything, then status, reason (at most 256 bytes) and whether the training converged, and closes the
    /// file. Only then can a file say "complete". Throws runtime_failure. Nothing can be written afterwards.
    void finish(run_status status, const std::string& stop_reason, bool converged);

    const std::string& path() const;
    /// When the run began, as the file says.
    const std::string& created() const;

private:
    struct state;
    explicit recorder(std::unique_ptr<state> made);
    std::unique_ptr<state> state_;
};

} // namespace gaisnet
