// Inputs made on a device against those of the CPU's loader. The device is the CPU here: the same code.

#include "data/batch_loader.hpp"
#include "model/torch/device_images.hpp"
#include "model/torch/torch_support.hpp"

#include "base/random.hpp"
#include "data/image_codec.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

namespace gaisnet {
namespace {

/// Random images of several sizes.
class random_images final : public dataset {
public:
    explicit random_images(std::vector<std::pair<int, int>> sizes): sizes_(std::move(sizes)) {}
    std::size_t size() const override { return 40; }
    std::int64_t label(std::size_t sample) const override { return static_cast<std::int64_t>(sample % 2); }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return std::to_string(sample); }
    image load(std::size_t sample) const override {
        ++loads;
        if (sample == damaged) {
            throw decode_error("sample " + name(sample) + ": is damaged");
        }
        const auto [width, height] = sizes_[sample % sizes_.size()];
        image out{width, height, {}};
        random_stream draw(1, "test", name(sample));
        for (int i = 0; i < width * height * 3; ++i) {
            out.rgb.push_back(static_cast<std::uint8_t>(draw.bits() >> 24));
        }
        return out;
    }
    std::size_t damaged = static_cast<std::size_t>(-1);
    mutable std::atomic<int> loads = 0;

private:
    std::vector<std::pair<int, int>> sizes_;
    std::vector<std::string> classes_{"a", "b"};
};

const transform_spec transform{24, {0.4F, 0.5F, 0.6F}, {0.2F, 0.25F, 0.3F}};

std::vector<std::size_t> some_samples() {
    std::vector<std::size_t> all(12);
    std::iota(all.begin(), all.end(), 3U);
    return all;
}

/// Larger, smaller, wider and higher than the input, and just as large.
const std::vector<std::pair<int, int>> mixed{{40, 31}, {11, 9}, {80, 25}, {24, 24}, {20, 70}};

TEST(device_images, validation_batches_are_those_of_the_loader) {
    for (const auto& sizes : {mixed, {{24, 24}}, {{37, 53}}}) {
        const random_images data(sizes);
        image_supply supply(2, 0);
        device_images images(at::kCPU, 1 << 20, supply, transform, 7);
        const auto expected = to_torch(load_batch(data, some_samples(), {transform}, supply).inputs);
        const auto got = images.validation_batch({&data, some_samples()});
        EXPECT_EQ(got.sizes(), expected.sizes());
        EXPECT_LT((got - expected).abs().max().item<float>(), 2e-5F);
    }
}

TEST(device_images, training_batches_have_the_loaders_crops_and_flips) {
    for (const auto& sizes : {mixed, {{24, 24}}, {{37, 53}}}) {
        const random_images data(sizes);
        image_supply supply(2, 0);
        device_images images(at::kCPU, 1 << 20, supply, transform, 7);
        loader_settings settings;
        settings.form.transform = transform;
        settings.batch = 5;
        settings.augment = true;
        settings.seed = 7;
        settings.owner = "c0.1";
        settings.quality = {0.0, 0.8, 0.1};
        batch_loader loader(data, some_samples(), settings, supply);
        sample_schedule schedule(some_samples(), 5, 7, "c0.1");
        for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
            for (std::int64_t batch = 0; batch < 3; ++batch) {
                const auto expected = to_torch(loader.get(epoch, batch).inputs);
                const auto got = images.training_batch({&data, schedule.batch(epoch, batch), settings.quality},
                                                       static_cast<std::uint32_t>(epoch));
                EXPECT_EQ(got.sizes(), expected.sizes());
                EXPECT_LT((got - expected).abs().max().item<float>(), 2e-5F);
            }
        }
    }
}

TEST(device_images, what_fits_stays_and_the_rest_comes_each_time) {
    const random_images data({{24, 24}});
    constexpr std::uint64_t bytes = 24 * 24 * 3;
    image_supply supply(2, 0);
    device_images images(at::kCPU, 4 * bytes + 10, supply, transform, 7);
    const auto first = images.validation_batch({&data, some_samples()});
    EXPECT_EQ(data.loads, 12);
    EXPECT_EQ(images.kept_bytes(), 4 * bytes);
    EXPECT_TRUE(images.validation_batch({&data, some_samples()}).equal(first));
    EXPECT_EQ(data.loads, 12 + 8);
}

TEST(device_images, a_sample_may_be_twice_in_a_batch) {
    const random_images data({{24, 24}});
    image_supply supply(2, 0);
    device_images images(at::kCPU, 0, supply, transform, 7);
    const auto got = images.validation_batch({&data, {5, 6, 5}});
    EXPECT_TRUE(got[0].equal(got[2]));
    EXPECT_FALSE(got[0].equal(got[1]));
}

TEST(device_images, damage_reaches_who_asks_for_it) {
    random_images data({{24, 24}});
    data.damaged = 7;
    image_supply supply(2, 0);
    device_images images(at::kCPU, 1 << 20, supply, transform, 7);
    images.expect({&data, {6, 7, 8}});
    EXPECT_NO_THROW(images.validation_batch({&data, {6, 8}}));
    EXPECT_THROW(images.validation_batch({&data, {6, 7}}), decode_error);
    EXPECT_THROW(images.validation_batch({&data, {7}}), decode_error);
}

} // namespace
} // namespace gaisnet
