#pragma once

#include <vector>

namespace gaisnet {

/// Predicts the benefit of fine-tuning: the accuracy after n rounds is ceiling - (ceiling - start) ratio^n, fitted to
/// the measurements so far. The fit weighs measurements (standard deviation 0.02) against prior beliefs about ceiling
/// (0.2) and ratio (0.3), over a grid; without measurements it returns the prior.
class gain_curve {
public:
    /// \param start accuracy before any round, 0..1. \param data_fit how well the data match the domain, 0..1: the
    /// expected ceiling is start + data_fit (1 - start).
    gain_curve(double start, double data_fit);

    /// Adds the accuracy that was measured after the next round.
    void add(double accuracy);
    /// Number of measured rounds.
    std::size_t rounds() const { return measured_.size(); }
    /// Accuracy after some rounds: measured if known, otherwise predicted.
    double at(std::size_t rounds) const;
    double ceiling() const { return ceiling_; }
    double ratio() const { return ratio_; }

private:
    void fit();

    double start_, believed_ceiling_, ceiling_, ratio_;
    std::vector<double> measured_;
};

} // namespace gaisnet
