#pragma once

#include "experiment/run_ending.hpp"
#include "experiment/session.hpp"
#include "results/inference_report.hpp"
#include "settings/configuration.hpp"

#include <memory>
#include <string>

namespace gaisnet {

/// A session of inference: requests of start points are answered by the chains of their clusters. Every rank makes one
/// and makes the same calls. It writes the results file, checkpoints and predictions, as its settings say.
class inference {
public:
    /// \throws usage_error for what the user has to change.
    inference(configuration, session&);
    ~inference();
    inference(const inference&) = delete;
    inference& operator=(const inference&) = delete;

    /// What the requests would cost, at rank 0; nothing is computed or written.
    inference_summary forecast();
    /// Answers all requests, or goes on with them until it is told to stop.
    run_ending run();
    /// After a complete run, at rank 0.
    const inference_summary& outcome() const;
    /// Nodes, placement and cuts, as text.
    std::string description() const;
    /// The file of predictions.
    std::string predictions() const;

private:
    class parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
