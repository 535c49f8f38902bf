#include "planning/gain_curve.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace gaisnet {
namespace {

TEST(gain_curve, believes_what_the_data_allow_before_anything_is_measured) {
    const gain_curve fitting(0.2, 1.0), unfit(0.2, 0.0), half(0.2, 0.5);
    EXPECT_DOUBLE_EQ(fitting.at(0), 0.2);
    EXPECT_DOUBLE_EQ(fitting.at(1), 0.6); // half of what is missing, every round
    EXPECT_DOUBLE_EQ(fitting.at(2), 0.8);
    EXPECT_DOUBLE_EQ(unfit.at(5), 0.2);
    EXPECT_DOUBLE_EQ(half.at(1), 0.4);
}

TEST(gain_curve, finds_the_curve_that_measurements_follow) {
    gain_curve curve(0.1, 1.0);
    const auto truth = [](int n) { return 0.7 - 0.6 * std::pow(0.8, n); };
    for (int n = 1; n <= 8; ++n) {
        curve.add(truth(n));
    }
    EXPECT_NEAR(curve.at(12), truth(12), 0.03);
    EXPECT_NEAR(curve.ceiling(), 0.7, 0.06);
    EXPECT_DOUBLE_EQ(curve.at(3), truth(3)) << "what was measured is not predicted";
}

TEST(gain_curve, a_model_that_does_not_gain_is_not_believed_to) {
    gain_curve curve(0.8, 1.0);
    for (int n = 0; n < 4; ++n) {
        curve.add(0.8);
    }
    EXPECT_LT(curve.at(5), 0.84);
}

} // namespace
} // namespace gaisnet
