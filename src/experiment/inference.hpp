#pragma once

#include "experiment/run_ending.hpp"
#include "experiment/session.hpp"
#include "results/inference_report.hpp"
#include "settings/configuration.hpp"

#include <memory>
#include <string>

namespace gaisnet {

/// A session of inference: the chains of the clusters answer requests of their start points. Every rank makes one and
/// makes the same calls. It writes the results file, checkpoints and predictions, as configured.
class inference {
public:
    /// \throws usage_error for everything that the user has to change.
    inference(configuration, session&);
    ~inference();
    inference(const inference&) = delete;
    inference& operator=(const inference&) = delete;

    /// The cost of the requests, at rank 0; computes and writes nothing.
    inference_summary forecast();
    /// Answers all requests, or as many as it can before it is told to stop.
    run_ending run();
    /// Only after a complete run, at rank 0.
    const inference_summary& outcome() const;
    /// What decided the latency, and on which assumptions it rests: see request_advice(). After a complete run, at rank 0.
    std::string advice() const;
    /// Nodes, placement and cuts, as text.
    std::string description() const;
    /// Path of the file of predictions.
    std::string predictions() const;

private:
    class parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
