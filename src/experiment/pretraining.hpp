#pragma once

#include "experiment/run_ending.hpp"
#include "experiment/session.hpp"
#include "settings/configuration.hpp"

#include <memory>
#include <string>

namespace gaisnet {

/// Trains a foundation model on procedural images or on a folder of images. Every rank makes one and makes the same
/// calls. It writes the model and, until that is complete, checkpoints.
class pretraining {
public:
    /// \throws usage_error for everything that the user has to change.
    pretraining(const configuration&, session&);
    ~pretraining();
    pretraining(const pretraining&) = delete;
    pretraining& operator=(const pretraining&) = delete;

    /// The plan of the run, as text.
    std::string description() const;
    run_ending run();
    /// Summary of a complete run, at rank 0, as text.
    const std::string& outcome() const;

private:
    class parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
