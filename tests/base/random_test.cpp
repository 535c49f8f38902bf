#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace gaisnet {
namespace {

TEST(random_stream, is_a_pure_function_of_its_name) {
    random_stream a(7, "shuffle", "c1.0", 3, 5);
    random_stream b(7, "shuffle", "c1.0", 3, 5);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(a.bits(), b.bits());
    }
}

TEST(random_stream, every_part_of_the_name_changes_the_numbers) {
    std::set<std::uint32_t> first;
    first.insert(random_stream(7, "shuffle", "c1.0", 3, 5).bits());
    first.insert(random_stream(8, "shuffle", "c1.0", 3, 5).bits());
    first.insert(random_stream(7, "augment", "c1.0", 3, 5).bits());
    first.insert(random_stream(7, "shuffle", "c1.1", 3, 5).bits());
    first.insert(random_stream(7, "shuffle", "c1.0", 4, 5).bits());
    first.insert(random_stream(7, "shuffle", "c1.0", 3, 6).bits());
    EXPECT_EQ(first.size(), 6U);
}

TEST(random_stream, moments_of_the_distributions) {
    random_stream stream(1, "test", "moments");
    constexpr int count = 200'000;
    double uniform = 0, normal = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
        const double u = stream.uniform();
        ASSERT_GE(u, 0.0);
        ASSERT_LT(u, 1.0);
        const double z = stream.normal();
        uniform += u;
        normal += z;
        squares += z * z;
    }
    // Five standard errors of the mean: sqrt(1/12 / n), sqrt(1 / n), sqrt(2 / n).
    EXPECT_NEAR(uniform / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
    EXPECT_NEAR(normal / count, 0.0, 5 * std::sqrt(1.0 / count));
    EXPECT_NEAR(squares / count, 1.0, 5 * std::sqrt(2.0 / count));
}

TEST(random_stream, a_permutation_holds_every_number_once) {
    auto order = random_stream(3, "test", "permutation").permutation(1000);
    EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < order.size(); ++i) {
        EXPECT_EQ(order[i], i);
    }
}

} // namespace
} // namespace gaisnet
