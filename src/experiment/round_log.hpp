#pragma once

#include "results/recorder.hpp"
#include "results/rows.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/ledger_run.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gaisnet {

/// Results of a round, at rank 0.
struct round_record {
    round_forecast forecast;
    std::vector<round_result> results; ///< By edge
};

/// Results of a round, means over the edges.
struct round_means {
    double accuracy = 0, loss = 0; ///< NaN of a round without an evaluation.
    bool trained = false;          ///< At any edge.
};
round_means means_of(const std::vector<round_result>&);

/// What the progress line says while the round after these is under way.
std::string told_of(const std::vector<round_record>&, int rounds_wanted);

/// What may be wrong with settings where a model is much worse than one that guesses, whose loss is the logarithm of the
/// number of classes, or of tokens; empty where it is not.
std::string hint_of(const round_means&, const deployment&);

/// Everything in the results file that does not come from the ledger, for all rounds. Rank 0 keeps it; checkpoints hold
/// it.
class round_log {
public:
    void restore(const checkpoint&);
    void save(checkpoint&) const;

    /// \param round from 1. \param carried by transports since the start of the process. \param late see fidelity_row.
    void add(std::uint32_t round, const std::vector<transport_counters>& carried,
             const std::vector<fidelity_row>& late);
    void add(const std::vector<probe_row>&);
    const std::vector<probe_row>& probes() const { return probes_; }
    /// "mpi 12 messages with 3.4 MB": by transport, what this process has counted.
    std::string moved() const;

    /// Writes all rows of a round, and lets its events go. \param file null: nothing is written.
    void write(round_record&, recorder* file) const;

private:
    std::vector<probe_row> probes_;
    std::vector<transport_row> transports_;
    std::vector<fidelity_row> fidelity_;
    std::map<std::string, transport_counters> carried_before_; ///< By transport
};

} // namespace gaisnet
