// The least of numbers that change is that of a search through all of them.

#include "base/tournament.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace gaisnet {
namespace {

TEST(tournament, knows_the_least_of_numbers_that_change) {
    std::mt19937 draw(7);
    tournament all;
    std::vector<double> plain;
    EXPECT_EQ(all.least(), tournament::none);
    for (int step = 0; step < 3'000; ++step) {
        if (plain.size() < 1 + static_cast<std::size_t>(step) / 30) {
            plain.push_back(tournament::none);
            all.resize(plain.size());
        }
        const auto place = draw() % plain.size();
        plain[place] = draw() % 4 == 0 ? tournament::none : static_cast<double>(draw() % 50);
        all.set(place, plain[place]);
        const auto least = std::min_element(plain.begin(), plain.end());
        ASSERT_EQ(all.least(), *least);
        ASSERT_EQ(all.place_of_least(), static_cast<std::size_t>(least - plain.begin())) << "the first of equal ones";
    }
}

} // namespace
} // namespace gaisnet
