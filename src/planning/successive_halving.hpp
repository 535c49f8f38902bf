#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace gaisnet {

// Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
// AISTATS 2016): all candidates train for a while, the worse half is dropped, and so on until one is left. Here each rung
// has as many rounds as the first.

/// How a candidate stands after a rung.
struct trial_score {
    bool failed = false;  ///< It does not fit, or its training diverged.
    bool reached = false; ///< It has reached the target; without a target nobody has.
    double accuracy = 0;
    double cost = 0; ///< What it has used so far: until the target, or in all.
};

/// Indices, best first: those that have reached the target, by cost; then by accuracy, of equal ones by cost; those that
/// failed last. What is still equal keeps its order.
std::vector<std::size_t> ranking(std::span<const trial_score>);

/// Indices of those that go on, best first: the better half, rounded up, without those that failed.
std::vector<std::size_t> better_half(std::span<const trial_score>);

} // namespace gaisnet
