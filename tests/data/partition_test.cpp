#include "base/error.hpp"
#include "data/dataset.hpp"
#include "data/partition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

namespace gaisnet {
namespace {

using testing::HasSubstr;

/// Labels without images.
class labels_only final : public dataset {
public:
    labels_only(std::vector<std::string> classes, std::vector<std::int64_t> labels)
        : classes_(std::move(classes))
        , labels_(std::move(labels)) {}
    std::size_t size() const override { return labels_.size(); }
    std::int64_t label(std::size_t sample) const override { return labels_[sample]; }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return std::to_string(sample); }
    image load(std::size_t) const override { return {}; }

private:
    std::vector<std::string> classes_;
    std::vector<std::int64_t> labels_;
};

/// The five flower classes and their numbers of photographs.
labels_only flowers() {
    const std::vector<std::size_t> counts{633, 898, 641, 699, 799};
    std::vector<std::int64_t> labels;
    for (std::size_t label = 0; label < counts.size(); ++label) {
        labels.insert(labels.end(), counts[label], static_cast<std::int64_t>(label));
    }
    return {{"daisy", "dandelion", "roses", "sunflowers", "tulips"}, labels};
}

std::string refusal(const std::function<void()>& act) {
    try {
        act();
    } catch (const usage_error& problem) {
        return problem.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return {};
}

TEST(split, keeps_four_to_one_in_every_class) {
    const auto data = flowers();
    const auto split = stratified_split(data, 0.8, 1);
    std::vector<int> train(5), validation(5);
    for (const auto sample : split.train) {
        ++train[static_cast<std::size_t>(data.label(sample))];
    }
    for (const auto sample : split.validation) {
        ++validation[static_cast<std::size_t>(data.label(sample))];
    }
    // 0.8 of 633, 898, 641, 699 and 799, to the nearest whole number
    EXPECT_THAT(train, testing::ElementsAre(506, 718, 513, 559, 639));
    EXPECT_THAT(validation, testing::ElementsAre(127, 180, 128, 140, 160));
}

TEST(split, holds_every_sample_once_and_ascending) {
    const auto split = stratified_split(flowers(), 0.8, 1);
    auto all = split.train;
    all.insert(all.end(), split.validation.begin(), split.validation.end());
    std::sort(all.begin(), all.end());
    std::vector<std::size_t> every(3670);
    std::iota(every.begin(), every.end(), 0U);
    EXPECT_EQ(all, every);
    EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
    EXPECT_TRUE(std::is_sorted(split.validation.begin(), split.validation.end()));
}

TEST(split, texts_of_files_with_one_text_are_split_together) {
    const labels_only files({"a", "b", "c", "d", "e", "book"}, {0, 1, 2, 3, 4, 5, 5, 5, 5, 5});
    const auto split = split_of_texts(files, 0.8, 1);
    EXPECT_EQ(split.train.size(), 8U);
    EXPECT_EQ(split.validation.size(), 2U) << "one of the files, and one of the book's texts";
    EXPECT_LT(split.validation.at(0), 5U);
    EXPECT_GE(split.validation.at(1), 5U);
    // A single one goes with another file's.
    EXPECT_EQ(split_of_texts(labels_only({"a", "b"}, {0, 1, 1, 1}), 0.75, 1).train.size(), 3U);
    EXPECT_EQ(split_of_texts(labels_only({"a", "b"}, {0, 1}), 0.8, 1).validation.size(), 1U);
    // With two texts or more of each file nothing is different.
    const labels_only two({"a", "b"}, {0, 0, 0, 1, 1, 1});
    EXPECT_EQ(split_of_texts(two, 0.8, 3).train, stratified_split(two, 0.8, 3).train);
    EXPECT_THAT(refusal([] { split_of_texts(labels_only({"a"}, {0}), 0.8, 1); }),
                testing::AllOf(testing::HasSubstr("one text"), testing::HasSubstr("at least two")));
}

TEST(split, depends_on_the_seed_and_on_nothing_else) {
    EXPECT_EQ(stratified_split(flowers(), 0.8, 1).train, stratified_split(flowers(), 0.8, 1).train);
    EXPECT_NE(stratified_split(flowers(), 0.8, 1).train, stratified_split(flowers(), 0.8, 2).train);
    // Another class beside it moves no sample of this one.
    const labels_only one({"a"}, std::vector<std::int64_t>(100, 0));
    std::vector<std::int64_t> two_labels(100, 0);
    two_labels.resize(150, 1);
    const labels_only two({"a", "b"}, two_labels);
    auto of_two = stratified_split(two, 0.8, 5).train;
    std::erase_if(of_two, [](std::size_t sample) { return sample >= 100; });
    EXPECT_EQ(of_two, stratified_split(one, 0.8, 5).train);
}

TEST(split, leaves_no_class_out_on_either_side) {
    const labels_only data({"a", "b"}, {0, 0, 1, 1});
    for (const double fraction : {0.01, 0.99}) {
        const auto split = stratified_split(data, fraction, 3);
        EXPECT_EQ(split.train.size(), 2U);
        EXPECT_EQ(data.label(split.train[0]), 0);
        EXPECT_EQ(data.label(split.train[1]), 1);
    }
    EXPECT_THAT(refusal([] {
                    stratified_split(labels_only({"a", "lonely"}, {0, 0, 1}), 0.8, 1);
                }),
                HasSubstr("lonely"));
    EXPECT_THAT(refusal([&] { stratified_split(data, 1.0, 1); }), HasSubstr("data.train_fraction = 1.0"));
}

/// 103 samples of one class.
labels_only one_class(std::size_t count) { return {{"a"}, std::vector<std::int64_t>(count, 0)}; }

std::vector<std::size_t> all_of(const dataset& data) {
    std::vector<std::size_t> samples(data.size());
    std::iota(samples.begin(), samples.end(), 0U);
    return samples;
}

using shares = std::vector<std::vector<std::size_t>>;

/// Nobody has a sample that another has, and nobody has nothing.
void expect_disjoint(const shares& parts) {
    std::set<std::size_t> seen;
    for (const auto& part : parts) {
        EXPECT_FALSE(part.empty());
        for (const auto sample : part) {
            EXPECT_TRUE(seen.insert(sample).second) << sample << " is given twice";
        }
    }
}

std::size_t total(const shares& parts) {
    return std::accumulate(parts.begin(), parts.end(), std::size_t{0},
                           [](std::size_t sum, const auto& part) { return sum + part.size(); });
}

std::size_t classes_in(const dataset& data, const std::vector<std::size_t>& samples) {
    const auto counts = label_histogram(data, samples);
    return static_cast<std::size_t>(std::count_if(counts.begin(), counts.end(), [](auto n) { return n > 0; }));
}

TEST(partition, deals_out_equal_shares_without_repeats) {
    const auto data = one_class(103);
    const auto samples = all_of(data);
    const auto parts = partition(data, samples, 4, 0, {}, 1);
    ASSERT_EQ(parts.size(), 4U);
    std::vector<std::size_t> all;
    for (const auto& part : parts) {
        EXPECT_GE(part.size(), 25U);
        EXPECT_LE(part.size(), 26U);
        all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_FALSE(std::is_sorted(all.begin(), all.end())); // dealt at random
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, samples);
    EXPECT_EQ(partition(data, samples, 4, 0, {}, 1), parts);
    EXPECT_NE(partition(data, samples, 4, 0, {}, 2), parts);
}

TEST(partition, per_cluster_fixes_the_number_and_more_clusters_change_no_share) {
    const auto data = one_class(100);
    const auto samples = all_of(data);
    const auto two = partition(data, samples, 2, 20, {}, 1), five = partition(data, samples, 5, 20, {}, 1);
    for (const auto& part : five) {
        EXPECT_EQ(part.size(), 20U);
    }
    EXPECT_EQ(five[0], two[0]);
    EXPECT_EQ(five[1], two[1]);
}

TEST(partition, too_many_samples_a_cluster_are_refused_with_the_numbers) {
    const auto data = one_class(100);
    const auto samples = all_of(data);
    const auto ask = [&](std::size_t parts, std::size_t each) {
        return refusal([&] { partition(data, samples, parts, each, {}, 1); });
    };
    EXPECT_THAT(ask(6, 17), testing::AllOf(HasSubstr("data.per_cluster = 17"), HasSubstr("6 start points"),
                                           HasSubstr("of 100"), HasSubstr("at most 16 each")));
    EXPECT_THAT(ask(101, 0), HasSubstr("101 start points"));
    EXPECT_THAT(ask(4, std::size_t{1} << 62), HasSubstr("4611686018427387904")); // 4 x 2^62 is 0 in 64 bits
}

/// Mean over start points of the sum of squared shares of classes: 1/5 when all are alike, 1 when each has one class.
double concentration(const dataset& data, const shares& parts) {
    double sum = 0;
    for (const auto& part : parts) {
        for (const auto count : label_histogram(data, part)) {
            const double share = static_cast<double>(count) / static_cast<double>(part.size());
            sum += share * share / static_cast<double>(parts.size());
        }
    }
    return sum;
}

TEST(partition, dirichlet_goes_from_one_class_each_to_all_alike) {
    const auto data = flowers();
    const auto samples = all_of(data);
    for (const std::size_t each : {std::size_t{0}, std::size_t{100}}) {
        double before = 1.01;
        for (const double alpha : {0.01, 0.3, 3.0, 1000.0}) {
            double mean = 0;
            for (std::uint64_t seed = 1; seed <= 20; ++seed) {
                const auto parts = partition(data, samples, 10, each, {"dirichlet", alpha}, seed);
                expect_disjoint(parts);
                EXPECT_EQ(total(parts), each == 0 ? samples.size() : 1000U);
                mean += concentration(data, parts) / 20;
            }
            EXPECT_LT(mean, before) << alpha;
            before = mean;
        }
        EXPECT_NEAR(before, 0.204, 0.01) << "the classes of flowers are not of one size";
    }
}

TEST(partition, quantity_gives_different_amounts_of_the_same_mix) {
    const auto data = flowers();
    const auto samples = all_of(data);
    double spread = 0;
    for (const double alpha : {100.0, 0.5}) {
        const auto parts = partition(data, samples, 6, 0, {"quantity", alpha}, 3);
        expect_disjoint(parts);
        EXPECT_EQ(total(parts), samples.size());
        const auto [least, most] = std::minmax_element(
            parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
        EXPECT_GT(static_cast<double>(most->size() - least->size()), spread);
        spread = static_cast<double>(most->size() - least->size());
        EXPECT_EQ(classes_in(data, *most), 5U);
    }
    EXPECT_GT(spread, 600.0);
    EXPECT_EQ(total(partition(data, samples, 6, 50, {"quantity", 0.5}, 3)), 300U);
}

TEST(partition, some_classes_of_each_start_point) {
    const auto data = flowers();
    const auto samples = all_of(data);
    for (const int count : {1, 2, 4, 5}) {
        for (const std::size_t each : {std::size_t{0}, std::size_t{60}}) {
            const auto parts = partition(data, samples, 7, each, {"classes", static_cast<double>(count)}, 1);
            expect_disjoint(parts);
            std::vector<std::size_t> all;
            for (const auto& part : parts) {
                EXPECT_EQ(classes_in(data, part), static_cast<std::size_t>(count));
                all.insert(all.end(), part.begin(), part.end());
                if (each > 0) {
                    EXPECT_EQ(part.size(), 60U);
                }
            }
            EXPECT_EQ(classes_in(data, all), 5U) << "start points differ";
        }
    }
    EXPECT_THAT(refusal([&] {
                    partition(data, samples, 2, 0, {"classes", 6}, 1);
                }),
                testing::AllOf(HasSubstr("classes(6)"), HasSubstr("5 classes")));
    EXPECT_THAT(refusal([&] {
                    partition(data, samples, 2, 1000, {"classes", 1}, 1);
                }),
                testing::AllOf(HasSubstr("data.per_cluster = 1000"), HasSubstr("too few")));
}

TEST(partition, the_same_classes_for_all_give_as_much_data_whatever_their_number) {
    const auto data = flowers();
    const auto samples = all_of(data);
    std::set<std::int64_t> before;
    for (const int count : {1, 2, 3, 4, 5}) {
        const auto parts =
            partition(data, samples, 6, 0, {"classes", static_cast<double>(count), class_scope::all_start_points}, 1);
        expect_disjoint(parts);
        EXPECT_EQ(total(parts), 633U) << "the smallest class";
        std::vector<std::size_t> all;
        for (const auto& part : parts) {
            all.insert(all.end(), part.begin(), part.end());
        }
        std::set<std::int64_t> seen;
        for (const auto sample : all) {
            seen.insert(data.label(sample));
        }
        EXPECT_EQ(seen.size(), static_cast<std::size_t>(count));
        EXPECT_TRUE(std::includes(seen.begin(), seen.end(), before.begin(), before.end()))
            << "one class more each time";
        before = seen;
        const auto counts = label_histogram(data, all);
        EXPECT_LE(*std::max_element(counts.begin(), counts.end()), 633 / count + 1);
    }
}

} // namespace
} // namespace gaisnet
