#include "base/error.hpp"
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

TEST(partition, deals_out_equal_shares_without_repeats) {
    std::vector<std::size_t> samples(103);
    std::iota(samples.begin(), samples.end(), 1000U);
    const auto parts = partition_iid(samples, 4, 0, 1);
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
    EXPECT_EQ(partition_iid(samples, 4, 0, 1), parts);
    EXPECT_NE(partition_iid(samples, 4, 0, 2), parts);
}

TEST(partition, per_cluster_fixes_the_number_and_more_clusters_change_no_share) {
    std::vector<std::size_t> samples(100);
    std::iota(samples.begin(), samples.end(), 0U);
    const auto two = partition_iid(samples, 2, 20, 1), five = partition_iid(samples, 5, 20, 1);
    for (const auto& part : five) {
        EXPECT_EQ(part.size(), 20U);
    }
    EXPECT_EQ(five[0], two[0]);
    EXPECT_EQ(five[1], two[1]);
}

TEST(partition, too_many_samples_a_cluster_are_refused_with_the_numbers) {
    const std::vector<std::size_t> samples(100);
    EXPECT_THAT(refusal([&] { partition_iid(samples, 6, 17, 1); }),
                testing::AllOf(HasSubstr("data.per_cluster = 17"), HasSubstr("6 start points"), HasSubstr("of 100"),
                               HasSubstr("at most 16 each")));
    EXPECT_THAT(refusal([&] { partition_iid(samples, 101, 0, 1); }), HasSubstr("101 start points"));
    // 4 x 2^62 is 0 in 64 bits
    EXPECT_THAT(refusal([&] { partition_iid(samples, 4, std::size_t{1} << 62, 1); }), HasSubstr("4611686018427387904"));
}

} // namespace
} // namespace gaisnet
