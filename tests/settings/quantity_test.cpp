#include "settings/quantity.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct unit_case {
    dimension what;
    const char* text;
    double si;
};

// Prefixes are powers of 1000, those with an i powers of 1024; a byte has 8 bits; 0 dBm is 1 mW.
TEST(quantity, every_unit_comes_out_in_si) {
    const unit_case cases[] = {
        {dimension::rate, "3 bit/s", 3},
        {dimension::rate, "3 kbit/s", 3e3},
        {dimension::rate, "3 Mbit/s", 3e6},
        {dimension::rate, "3 Gbit/s", 3e9},
        {dimension::rate, "3 B/s", 24},
        {dimension::rate, "3 kB/s", 24e3},
        {dimension::rate, "3 MB/s", 24e6},
        {dimension::rate, "3 GB/s", 24e9},
        {dimension::time, "5 ns", 5e-9},
        {dimension::time, "5 us", 5e-6},
        {dimension::time, "5 ms", 5e-3},
        {dimension::time, "5 s", 5},
        {dimension::time, "5 min", 300},
        {dimension::time, "5 h", 18000},
        {dimension::frequency, "7 Hz", 7},
        {dimension::frequency, "7 kHz", 7e3},
        {dimension::frequency, "7 MHz", 7e6},
        {dimension::frequency, "7 GHz", 7e9},
        {dimension::compute_rate, "2 FLOP/s", 2},
        {dimension::compute_rate, "2 kFLOP/s", 2e3},
        {dimension::compute_rate, "2 MFLOP/s", 2e6},
        {dimension::compute_rate, "2 GFLOP/s", 2e9},
        {dimension::compute_rate, "2 TFLOP/s", 2e12},
        {dimension::compute_rate, "2 PFLOP/s", 2e15},
        {dimension::power, "4 mW", 4e-3},
        {dimension::power, "4 W", 4},
        {dimension::power, "4 kW", 4e3},
        {dimension::power, "0 dBm", 1e-3},
        {dimension::power, "30 dBm", 1},
        {dimension::power, "23 dBm", 0.19952623149688797},
        {dimension::power, "-10 dBm", 1e-4},
        {dimension::energy, "6 uJ", 6e-6},
        {dimension::energy, "6 mJ", 6e-3},
        {dimension::energy, "6 J", 6},
        {dimension::energy, "6 kJ", 6e3},
        {dimension::energy, "6 Wh", 21600},
        {dimension::length, "2 mm", 2e-3},
        {dimension::length, "2 km", 2e3},
        {dimension::speed, "36 km/h", 10},
        {dimension::energy, "2 mWh", 7.2},
        {dimension::decibel, "-3 dB", -3},
        {dimension::size, "2 B", 2},
        {dimension::size, "2 kB", 2e3},
        {dimension::size, "2 MB", 2e6},
        {dimension::size, "2 GB", 2e9},
        {dimension::size, "2 KiB", 2048},
        {dimension::size, "2 MiB", 2097152},
        {dimension::size, "2 GiB", 2147483648.0},
        {dimension::number, "0.25", 0.25},
        {dimension::number, "25 %", 0.25},
    };
    for (const auto& one : cases) {
        EXPECT_NEAR(parse_quantity(one.text, one.what), one.si, 1e-12 * std::abs(one.si)) << one.text;
    }
}

// What a message offers must be accepted, and the list above must not have forgotten a unit: 8 + 6 + 4 + 6 + 4 + 6 + 7 + 4 + 2 + 2.
TEST(quantity, units_that_messages_name_are_accepted) {
    int units = 0;
    for (const auto what :
         {dimension::rate, dimension::time, dimension::frequency, dimension::compute_rate, dimension::power,
          dimension::energy, dimension::size, dimension::length, dimension::speed, dimension::decibel}) {
        std::stringstream list(accepted_units(what));
        for (std::string unit; std::getline(list, unit, ',');) {
            EXPECT_GT(parse_quantity("1 " + unit, what), 0.0) << unit;
            ++units;
        }
    }
    EXPECT_EQ(units, 49);
    EXPECT_EQ(accepted_units(dimension::number), "");
}

TEST(quantity, spelling_of_numbers_and_spaces) {
    EXPECT_DOUBLE_EQ(parse_quantity("50Mbit/s", dimension::rate), 50e6);
    EXPECT_DOUBLE_EQ(parse_quantity("  50 \t Mbit/s ", dimension::rate), 50e6);
    EXPECT_DOUBLE_EQ(parse_quantity("1.5e3 ms", dimension::time), 1.5);
    EXPECT_DOUBLE_EQ(parse_quantity("+2 s", dimension::time), 2);
    EXPECT_DOUBLE_EQ(parse_quantity("-2 s", dimension::time), -2);
}

TEST(quantity, nothing_needs_no_unit_but_everything_else_does) {
    EXPECT_EQ(parse_quantity("0", dimension::rate), 0.0);
    EXPECT_EQ(parse_quantity("0.0", dimension::size), 0.0);
    EXPECT_THAT([] { parse_quantity("50", dimension::rate); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("a unit is missing"), HasSubstr("Mbit/s"))));
}

TEST(quantity, typing_errors_in_units_get_a_hint) {
    EXPECT_THAT([] { parse_quantity("50 Mbits/s", dimension::rate); },
                ThrowsMessage<usage_error>(AllOf(HasSubstr("\"Mbits/s\""), HasSubstr("did you mean Mbit/s?"))));
    EXPECT_THAT([] { parse_quantity("3 dbm", dimension::power); },
                ThrowsMessage<usage_error>(HasSubstr("did you mean dBm?")));
    EXPECT_THAT([] { parse_quantity("5Mbps", dimension::rate); },
                ThrowsMessage<usage_error>(HasSubstr("did you mean Mbit/s?")));
    EXPECT_THAT([] { parse_quantity("3 msec", dimension::time); },
                ThrowsMessage<usage_error>(HasSubstr("did you mean ms?")));
}

// A unit of another dimension is refused with the right ones named, even where one letter would make it fit.
TEST(quantity, units_of_other_dimensions_are_refused) {
    EXPECT_THAT(
        [] { parse_quantity("5 parsec", dimension::time); },
        ThrowsMessage<usage_error>(AllOf(HasSubstr("unknown unit \"parsec\""), HasSubstr("ns, us, ms, s, min, h"))));
    EXPECT_THROW(parse_quantity("5 W", dimension::energy), usage_error);
    EXPECT_THROW(parse_quantity("23 dBm", dimension::energy), usage_error);
    EXPECT_THROW(parse_quantity("5 Mbit", dimension::rate), usage_error);
    EXPECT_THROW(parse_quantity("5 mbit/s", dimension::rate), usage_error); // a millibit is nothing
    EXPECT_THROW(parse_quantity("5 %", dimension::time), usage_error);
    EXPECT_THAT([] { parse_quantity("5 s", dimension::number); }, ThrowsMessage<usage_error>(HasSubstr("no unit")));
}

TEST(quantity, what_is_no_finite_number_is_refused) {
    for (const char* text : {"", " ", "fast", "Mbit/s", "inf s", "nan s", "-inf s", "1e999 s", "--5 s", "0x10 s",
                             "1,5 s", "5 s s", "5 s 3"}) {
        EXPECT_THROW(parse_quantity(text, dimension::time), usage_error) << text;
    }
}

TEST(parse_distribution, one_value_is_a_constant) {
    const auto value = parse_distribution(" 2 TFLOP/s ", dimension::compute_rate);
    EXPECT_EQ(value.kind, distribution::family::constant);
    EXPECT_EQ(value.parameters, std::vector<double>{2e12});
    EXPECT_EQ(value.text, "2 TFLOP/s");
}

TEST(parse_distribution, uniform_draws_within_its_bounds) {
    const auto value = parse_distribution("uniform(0.2, 2) TFLOP/s", dimension::compute_rate);
    ASSERT_EQ(value.kind, distribution::family::uniform);
    EXPECT_EQ(value.parameters, (std::vector<double>{0.2e12, 2e12}));
    EXPECT_EQ(value.lowest(), 0.2e12);
    random_stream stream(1, "test", "uniform");
    double sum = 0;
    for (int i = 0; i < 1000; ++i) {
        const double drawn = value.draw(stream);
        ASSERT_GE(drawn, 0.2e12);
        ASSERT_LT(drawn, 2e12);
        sum += drawn;
    }
    EXPECT_NEAR(sum / 1000, 1.1e12, 0.08e12); // five standard deviations of the mean: 5 x 1.8e12 / sqrt(12 x 1000)
}

TEST(parse_distribution, choice_draws_every_value) {
    const auto value = parse_distribution("choice(4,1, 2) GFLOP/s", dimension::compute_rate);
    ASSERT_EQ(value.kind, distribution::family::choice);
    EXPECT_EQ(value.parameters, (std::vector<double>{4e9, 1e9, 2e9}));
    EXPECT_EQ(value.lowest(), 1e9);
    random_stream stream(1, "test", "choice");
    int drawn[3] = {0, 0, 0};
    for (int i = 0; i < 300; ++i) {
        const double one = value.draw(stream);
        ASSERT_THAT(one, testing::AnyOf(4e9, 1e9, 2e9));
        ++drawn[one == 4e9 ? 0 : one == 1e9 ? 1 : 2];
    }
    EXPECT_THAT(drawn, testing::Each(testing::Gt(50)));
}

TEST(parse_distribution, normal_has_its_mean_and_deviation) {
    auto value = parse_distribution("normal(5, 2) ms", dimension::time);
    EXPECT_LT(value.lowest(), 0.0);
    double sum = 0, squares = 0;
    for (std::uint32_t i = 0; i < 4000; ++i) {
        random_stream stream(1, "test", "normal", 0, i);
        const double drawn = value.draw(stream);
        sum += drawn;
        squares += drawn * drawn;
    }
    const double mean = sum / 4000;
    EXPECT_NEAR(mean, 5e-3, 5 * 2e-3 / std::sqrt(4000.0));
    EXPECT_NEAR(std::sqrt(squares / 4000 - mean * mean), 2e-3, 0.15e-3);
    value.positive = true;
    EXPECT_GT(value.lowest(), 0.0);
    value.most = 6e-3;
    EXPECT_EQ(value.highest(), 6e-3);
    for (std::uint32_t i = 0; i < 1000; ++i) {
        random_stream stream(2, "test", "normal", 0, i);
        EXPECT_LE(value.draw(stream), 6e-3);
    }
}

// normal(23, 6) dBm is log-normal in W: the mean of its decibels is 23, their deviation 6, its median 200 mW.
TEST(parse_distribution, dbm_is_drawn_in_decibels) {
    const auto mean_and_deviation = [](const char* text) {
        const auto value = parse_distribution(text, dimension::power);
        constexpr int draws = 4000;
        double sum = 0, squares = 0;
        random_stream stream(1, "test", "dbm");
        for (int i = 0; i < draws; ++i) {
            const double dbm = 10.0 * std::log10(value.draw(stream) / 1e-3);
            sum += dbm;
            squares += dbm * dbm;
        }
        const double mean = sum / draws;
        return std::pair{mean, std::sqrt(squares / draws - mean * mean)};
    };
    const auto [normal_mean, normal_deviation] = mean_and_deviation("normal(23, 6) dBm");
    EXPECT_NEAR(normal_mean, 23.0, 5 * 6.0 / std::sqrt(4000.0));
    EXPECT_NEAR(normal_deviation, 6.0, 0.4);
    const auto [uniform_mean, uniform_deviation] = mean_and_deviation("uniform(-10, 30) dBm");
    EXPECT_NEAR(uniform_mean, 10.0, 5 * 40.0 / std::sqrt(12.0 * 4000.0));
    EXPECT_NEAR(uniform_deviation, 40.0 / std::sqrt(12.0), 0.4);
    const auto bounds = parse_distribution("uniform(20, 30) dBm", dimension::power);
    EXPECT_NEAR(bounds.lowest(), 0.1, 1e-12);
    EXPECT_NEAR(bounds.highest(), 1.0, 1e-12);
    const auto choice = parse_distribution("choice(20, 30) dBm", dimension::power);
    EXPECT_NEAR(choice.parameters[0], 0.1, 1e-12);
    EXPECT_NEAR(choice.parameters[1], 1.0, 1e-12);
}

TEST(parse_distribution, malformed_ones_say_what_is_wrong) {
    const auto rejects = [](const char* text, const char* because) {
        EXPECT_THAT([text] { parse_distribution(text, dimension::time); },
                    ThrowsMessage<usage_error>(HasSubstr(because)))
            << text;
    };
    rejects("uniform(2, 1) s", "the lower first");
    rejects("uniform(1) s", "two numbers");
    rejects("uniform(1, 2, 3) s", "two numbers");
    rejects("uniform(1, 2 s", "\")\" is missing");
    rejects("uniform(1 s, 2 s)", "behind its parenthesis");
    rejects("uniform(1, 2)", "a unit is missing");
    rejects("choice() s", "not a finite number");
    rejects("choice(1,,2) s", "not a finite number");
    rejects("choice(1, 2) W", "unknown unit \"W\"");
    rejects("normal(1) s", "mean and standard deviation");
    rejects("normal(1, -2) s", "mean and standard deviation");
    rejects("poisson(1) s", "not a finite number");
    rejects("file(/nowhere) s", "/nowhere cannot be read");
}

TEST(quantity, what_no_double_holds_in_si_units_is_refused) {
    EXPECT_THROW(parse_quantity("1e308 Gbit/s", dimension::rate), usage_error);
    EXPECT_THROW(parse_quantity("4000 dBm", dimension::power), usage_error);
    EXPECT_THROW(parse_quantity("-4000 dBm", dimension::power), usage_error);
}

TEST(edit_distance, counts_single_character_edits) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("rounds", "rounds"), 0U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U); // the textbook's example
    EXPECT_EQ(edit_distance("train.lr", "train.rl"), 2U);
}

} // namespace
} // namespace gaisnet
