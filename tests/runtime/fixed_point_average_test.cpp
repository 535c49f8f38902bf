#include "runtime/fixed_point_average.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gaisnet {
namespace {

const std::vector<tunable_slice> whole{{0, 0, 0, 3}, {1, 3, 3, 2}};
const auto two_tensors = average_layout::of({3, 2});

contribution make(std::uint32_t index, std::vector<float> values, std::int64_t weight) {
    auto tensor = tensor_view::allocate({static_cast<std::int64_t>(values.size())});
    std::copy(values.begin(), values.end(), tensor.as<float>());
    return {0, index, &whole, std::move(tensor), weight};
}

TEST(fixed_point_average, is_the_weighted_mean_within_one_quantum) {
    fixed_point_average sums(two_tensors, 10, 2);
    sums.add(make(0, {1.0F, -2.0F, 0.5F, 100.0F, 0.0F}, 3));
    sums.add(make(1, {2.0F, 4.0F, 0.25F, -900.0F, 1e-6F}, 7));
    const auto average = sums.result({"a", "b"});
    const double expected[] = {1.7, 2.2, 0.325, -600.0, 0.7e-6};
    for (int i = 0; i < 5; ++i) {
        EXPECT_NEAR(average.as<float>()[i], expected[i],
                    std::abs(expected[i]) * 6e-8 + std::ldexp(1.0, -sums.scale_bits()));
    }
}

TEST(fixed_point_average, does_not_depend_on_order_or_grouping) {
    constexpr int parts = 9;
    std::vector<contribution> given;
    for (std::uint32_t i = 0; i < parts; ++i) {
        random_stream stream(5, "test", std::to_string(i));
        std::vector<float> values(5);
        for (auto& value : values) {
            value = static_cast<float>(stream.normal());
        }
        given.push_back(make(i, values, static_cast<std::int64_t>(1 + stream.below(90))));
    }
    fixed_point_average forward(two_tensors, 900, parts), left(two_tensors, 900, parts), right(two_tensors, 900, parts);
    for (const auto& one : given) {
        forward.add(one);
    }
    for (int i = parts - 1; i >= 0; --i) { // two ranks, other order
        (i % 3 == 0 ? left : right).add(given[static_cast<std::size_t>(i)]);
    }
    for (std::size_t i = 0; i < left.buffer()->size(); ++i) {
        (*left.buffer())[i] += (*right.buffer())[i];
    }
    const std::vector<std::string> names(parts, "x");
    const auto a = forward.result(names), b = left.result(names);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(a.as<float>()[i], b.as<float>()[i]);
    }
}

TEST(fixed_point_average, equal_contributions_change_nothing_beyond_a_quantum) {
    fixed_point_average sums(two_tensors, 30, 3);
    const std::vector<float> values{0.1F, -0.7F, 3.3F, 1e-3F, -5.0F};
    for (std::uint32_t i = 0; i < 3; ++i) {
        sums.add(make(i, values, 10));
    }
    const auto average = sums.result({"a", "b", "c"});
    for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(average.as<float>()[i], values[i],
                    std::ldexp(1.0, -sums.scale_bits()) + 1e-7 * std::abs(values[i]));
    }
}

TEST(fixed_point_average, the_largest_sum_fits) {
    // W B 2^s < 2^62 at the bound, for weights of any size.
    for (const std::int64_t weight : {1L, 7L, 3670L, 1'000'000'000L}) {
        fixed_point_average sums(two_tensors, weight, 1);
        sums.add(make(0, {1024.0F, -1024.0F, 1024.0F, 1024.0F, -1024.0F}, weight));
        EXPECT_LT(std::abs(static_cast<double>((*sums.buffer())[0])), std::ldexp(1.0, 62));
        EXPECT_EQ(sums.result({"a"}).as<float>()[1], -1024.0F);
    }
}

TEST(fixed_point_average, a_bad_value_names_its_contributor) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 2000.0F}) {
        fixed_point_average sums(two_tensors, 10, 2);
        sums.add(make(0, {1, 2, 3, 4, 5}, 5));
        sums.add(make(1, {1, 2, bad, 4, 5}, 5));
        try {
            sums.result({"c0.1", "c1.1"});
            FAIL() << bad << " was averaged";
        } catch (const runtime_failure& problem) {
            const std::string text = problem.what();
            EXPECT_NE(text.find("c1.1"), std::string::npos) << text;
            EXPECT_EQ(text.find("c0.1"), std::string::npos) << text;
        }
        EXPECT_TRUE(std::isnan(sums.result({"c0.1", "c1.1"}, true).as<float>()[0])) << "where a trial may diverge";
    }
}

} // namespace
} // namespace gaisnet
