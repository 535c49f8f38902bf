#pragma once

#include "experiment/run_ending.hpp"
#include "experiment/session.hpp"
#include "settings/configuration.hpp"

#include <memory>
#include <string>

namespace gaisnet {

/// Makes a foundation model of procedural images or a folder. Every rank makes one and makes the same calls. It writes
/// the model, and checkpoints until it is done.
class pretraining {
public:
    /// \throws usage_error for what the user has to change.
    pretraining(const configuration&, session&);
    ~pretraining();
    pretraining(const pretraining&) = delete;
    pretraining& operator=(const pretraining&) = delete;

    /// What it is going to do, as text.
    std::string description() const;
    run_ending run();
    /// What a complete run has done, at rank 0, as text.
    const std::string& outcome() const;

private:
    class parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
