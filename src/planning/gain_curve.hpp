#pragma once

#include <vector>

namespace gaisnet {

/// What fine-tuning will bring: accuracy after n rounds, ceiling - (ceiling - start) ratio^n, fitted to what was
/// measured so far. Before there is anything to fit, what is believed stands: the best fit weighs measurements
/// (standard deviation 0.02) against beliefs about the ceiling (0.2) and the ratio (0.3), over a grid.
class gain_curve {
public:
    /// \param start accuracy before any round, 0..1. \param data_fit how well the data at hand suit the domain, 0..1:
    /// that part of what is missing to 1 is believed to be reachable in the end.
    gain_curve(double start, double data_fit);

    /// Accuracy that was measured after the next round.
    void add(double accuracy);
    /// Rounds so far.
    std::size_t rounds() const { return measured_.size(); }
    /// Measured as far as it was, predicted beyond.
    double at(std::size_t rounds) const;
    double ceiling() const { return ceiling_; }
    double ratio() const { return ratio_; }

private:
    void fit();

    double start_, believed_ceiling_, ceiling_, ratio_;
    std::vector<double> measured_;
};

} // namespace gaisnet
