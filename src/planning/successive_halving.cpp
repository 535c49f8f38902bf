#include "planning/successive_halving.hpp"

#include <algorithm>
#include <numeric>

namespace gaisnet {

namespace {

bool stands_better(const trial_score& a, const trial_score& b) {
    if (a.failed || b.failed) {
        return !a.failed && b.failed;
    }
    if (a.reached != b.reached) {
        return a.reached;
    }
    if (!a.reached && a.accuracy != b.accuracy) {
        return a.accuracy > b.accuracy;
    }
    return a.cost < b.cost;
}

} // namespace

std::vector<std::size_t> ranking(std::span<const trial_score> scores) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return stands_better(scores[a], scores[b]); });
    return order;
}

std::vector<std::size_t> better_half(std::span<const trial_score> scores) {
    auto order = ranking(scores);
    order.resize((order.size() + 1) / 2);
    std::erase_if(order, [&](std::size_t one) { return scores[one].failed; });
    return order;
}

} // namespace gaisnet
