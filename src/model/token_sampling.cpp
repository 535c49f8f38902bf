#include "model/token_sampling.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace gaisnet {

std::int64_t choose_token(std::span<const float> logits, const sampling_rule& rule, double uniform) {
    const auto best = std::max_element(logits.begin(), logits.end());
    if (rule.temperature <= 0.0) {
        return best - logits.begin();
    }
    std::vector<std::int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
    });
    if (rule.top_k > 0 && static_cast<std::size_t>(rule.top_k) < order.size()) {
        order.resize(static_cast<std::size_t>(rule.top_k));
    }
    std::vector<double> chances;
    double sum = 0.0;
    for (const auto token : order) {
        const auto below = static_cast<double>(logits[static_cast<std::size_t>(token)]) - static_cast<double>(*best);
        chances.push_back(std::exp(below / rule.temperature));
        sum += chances.back();
    }
    std::size_t left = 0;
    double kept = 0.0;
    while (left < chances.size() && (left == 0 || kept < rule.top_p * sum)) {
        kept += chances[left++];
    }
    double wanted = uniform * kept;
    for (std::size_t i = 0; i < left; ++i) {
        wanted -= chances[i];
        if (wanted < 0.0) {
            return order[i];
        }
    }
    return order[left - 1]; // rounding leaves something over
}

token_chooser make_token_chooser(const sampling_rule& rule, std::uint64_t seed, std::string requester) {
    return [rule, seed, requester = std::move(requester)](std::span<const float> logits, std::int64_t request,
                                                          std::int64_t token) {
        random_stream stream(seed, "generate", requester, static_cast<std::uint32_t>(request),
                             static_cast<std::uint32_t>(token));
        return choose_token(logits, rule, stream.uniform());
    };
}

} // namespace gaisnet
