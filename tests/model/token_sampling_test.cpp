#include "model/token_sampling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

namespace gaisnet {
namespace {

/// Logits of these probabilities.
std::vector<float> logits_of(const std::vector<double>& chances) {
    std::vector<float> out;
    for (const auto one : chances) {
        out.push_back(static_cast<float>(std::log(one)) + 3.0F);
    }
    return out;
}

/// How often each token comes when the uniform number takes all values.
std::map<std::int64_t, double> shares(const std::vector<float>& logits, const sampling_rule& rule) {
    std::map<std::int64_t, double> out;
    constexpr int steps = 10'000;
    for (int i = 0; i < steps; ++i) {
        out[choose_token(logits, rule, (i + 0.5) / steps)] += 1.0 / steps;
    }
    return out;
}

TEST(token_sampling, the_likeliest_of_equal_ones_the_first) {
    EXPECT_EQ(choose_token(logits_of({0.1, 0.4, 0.4, 0.1}), {}, 0.99), 1);
}

TEST(token_sampling, tokens_come_with_their_probabilities) {
    const auto found = shares(logits_of({0.1, 0.6, 0.3}), {.temperature = 1.0});
    EXPECT_NEAR(found.at(0), 0.1, 1e-3);
    EXPECT_NEAR(found.at(1), 0.6, 1e-3);
    EXPECT_NEAR(found.at(2), 0.3, 1e-3);
    const auto colder = shares(logits_of({0.1, 0.6, 0.3}), {.temperature = 0.5}); // squares
    EXPECT_NEAR(colder.at(0), 0.01 / 0.46, 1e-3);
    EXPECT_NEAR(colder.at(1), 0.36 / 0.46, 1e-3);
}

TEST(token_sampling, a_few_likeliest_share_all) {
    const auto two = shares(logits_of({0.1, 0.6, 0.3}), {.temperature = 1.0, .top_k = 2});
    EXPECT_EQ(two.size(), 2U);
    EXPECT_NEAR(two.at(1), 2.0 / 3.0, 1e-3);
    const auto nucleus = shares(logits_of({0.1, 0.5, 0.3, 0.1}), {.temperature = 1.0, .top_p = 0.6});
    EXPECT_EQ(nucleus.size(), 2U) << "0.5 are too few, 0.8 are enough";
    EXPECT_NEAR(nucleus.at(1), 5.0 / 8.0, 1e-3);
    EXPECT_EQ(shares(logits_of({0.1, 0.6, 0.3}), {.temperature = 1.0, .top_p = 1e-9}).size(), 1U);
}

} // namespace
} // namespace gaisnet
