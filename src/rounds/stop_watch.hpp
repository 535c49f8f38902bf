#pragma once

#include "scenario/scenario.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// Decides when training ends (train.stop). A resumed run must report its earlier rounds again.
class stop_watch {
public:
    stop_watch(const stop_rule& rule, int rounds): rule_(rule), rounds_(rounds) {}

    /// Takes the validation results of a round (from 1); returns true when it was the last one. \param trained false:
    /// no cluster took part, so the results say nothing about convergence; nor do NaN, of a round without an evaluation.
    bool round_ended(int round, double accuracy, double loss, bool trained = true);

    /// Ends training regardless of the rule, because no round can follow.
    void give_up(std::string reason) { reason_ = std::move(reason); }

    bool stopped() const { return !reason_.empty(); }
    /// Whether the rule was met; `train.stop = rounds` never counts as converged.
    bool converged() const { return converged_; }
    const std::string& reason() const { return reason_; }

private:
    stop_rule rule_;
    int rounds_;
    bool any_ = false;
    double best_ = 0.0;
    int since_best_ = 0;
    bool converged_ = false;
    std::string reason_;
};

} // namespace gaisnet
