#include "base/error.hpp"
#include "data/batch_loader.hpp"
#include "data/image_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>
#include <set>
#include <thread>

namespace gaisnet {
namespace {

/// Sample i is a 2 x 2 image whose value is i; one may be damaged, and loading may take a while.
class numbered final : public dataset {
public:
    explicit numbered(std::size_t size): size_(size) {}
    std::size_t size() const override { return size_; }
    std::int64_t label(std::size_t sample) const override { return static_cast<std::int64_t>(sample % 3); }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return std::to_string(sample); }
    image load(std::size_t sample) const override {
        std::this_thread::sleep_for(delay);
        ++loads;
        if (sample == damaged) {
            throw decode_error("sample " + name(sample) + ": is damaged");
        }
        return {2, 2, std::vector<std::uint8_t>(12, static_cast<std::uint8_t>(sample))};
    }

    std::size_t damaged = static_cast<std::size_t>(-1);
    std::chrono::milliseconds delay{0};
    mutable std::atomic<int> loads = 0;

private:
    std::size_t size_;
    std::vector<std::string> classes_{"a", "b", "c"};
};

loader_settings loading(std::int64_t batch, std::string owner = "c1.1") {
    loader_settings out;
    out.form.transform = {2, {0, 0, 0}, {1.0F / 255, 1.0F / 255, 1.0F / 255}}; // the value itself
    out.batch = batch;
    out.owner = std::move(owner);
    return out;
}

std::vector<std::size_t> samples_in(const labelled_batch& batch) {
    std::vector<std::size_t> out;
    for (std::int64_t i = 0; i < batch.inputs.shape[0]; ++i) {
        const auto sample = static_cast<std::size_t>(std::lround(batch.inputs.as<float>()[i * 12]));
        EXPECT_EQ(batch.labels.as<std::int64_t>()[i], static_cast<std::int64_t>(sample % 3));
        out.push_back(sample);
    }
    return out;
}

const std::vector<std::size_t> mine{3, 5, 8, 13, 21, 34, 55, 89, 144, 233};

TEST(loader, an_epoch_holds_every_sample_once_in_an_order_of_its_own) {
    const numbered data(240);
    image_supply supply(2, 0);
    batch_loader loader(data, mine, loading(4), supply);
    ASSERT_EQ(loader.batches(), 3);
    std::set<std::vector<std::size_t>> orders;
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
        std::vector<std::size_t> seen;
        for (std::int64_t b = 0; b < 3; ++b) {
            const auto& batch = loader.get(epoch, b);
            EXPECT_THAT(batch.inputs.shape, testing::ElementsAre(b < 2 ? 4 : 2, 3, 2, 2));
            EXPECT_THAT(batch.labels.shape, testing::ElementsAre(b < 2 ? 4 : 2));
            EXPECT_EQ(batch.labels.type, element_type::int64);
            const auto some = samples_in(batch);
            seen.insert(seen.end(), some.begin(), some.end());
        }
        const auto order = epoch_order(1, "c1.1", epoch, mine.size());
        for (std::size_t i = 0; i < seen.size(); ++i) {
            EXPECT_EQ(seen[i], mine[order[i]]);
        }
        orders.insert(seen);
        std::sort(seen.begin(), seen.end());
        EXPECT_EQ(seen, mine);
    }
    EXPECT_EQ(orders.size(), 3U);
    EXPECT_NE(epoch_order(1, "c1.1", 0, 10), epoch_order(1, "c2.1", 0, 10));
    EXPECT_NE(epoch_order(1, "c1.1", 0, 10), epoch_order(2, "c1.1", 0, 10));
}

TEST(loader, batches_do_not_depend_on_the_order_of_the_calls) {
    const numbered data(240);
    image_supply supply(2, 0);
    batch_loader forward(data, mine, loading(4), supply), jumping(data, mine, loading(4), supply);
    std::vector<std::vector<std::size_t>> expected;
    for (std::int64_t i = 0; i < 9; ++i) {
        expected.push_back(samples_in(forward.get(i / 3, i % 3)));
    }
    for (const std::int64_t i : {8, 0, 0, 1, 3, 2, 7, 8, 4, 5, 6}) {
        EXPECT_EQ(samples_in(jumping.get(i / 3, i % 3)), expected[static_cast<std::size_t>(i)]) << i;
    }
}

TEST(loader, asking_again_decodes_nothing_again) {
    const numbered data(240);
    image_supply supply(2, 0);
    {
        batch_loader loader(data, mine, loading(5), supply);
        const auto* first = loader.get(0, 0).inputs.data;
        EXPECT_EQ(loader.get(0, 0).inputs.data, first);
        loader.get(0, 1);
    }
    EXPECT_EQ(data.loads, 4 * 5); // two batches asked for, two ahead of them
}

TEST(loader, a_batch_outlives_its_loader) {
    const numbered data(240);
    image_supply supply(2, 0);
    labelled_batch kept;
    {
        batch_loader loader(data, mine, loading(10), supply);
        kept = loader.get(0, 0);
        loader.get(1, 0);
    }
    auto samples = samples_in(kept);
    std::sort(samples.begin(), samples.end());
    EXPECT_EQ(samples, mine);
}

// The damaged sample spoils its own batch, every time it is asked for, and no other.
TEST(loader, an_error_reaches_who_asks_for_that_batch_and_nobody_else) {
    numbered data(240);
    const auto order = epoch_order(1, "c1.1", 0, mine.size());
    data.damaged = mine[order[5]]; // the second batch of four of epoch 0
    image_supply supply(2, 0);
    batch_loader loader(data, mine, loading(4), supply);
    EXPECT_EQ(loader.get(0, 0).inputs.shape[0], 4);
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            loader.get(0, 1);
            ADD_FAILURE() << "the damage went unnoticed";
        } catch (const decode_error& problem) {
            EXPECT_THAT(problem.what(), testing::HasSubstr(std::to_string(data.damaged)));
        }
    }
    EXPECT_EQ(loader.get(0, 2).inputs.shape[0], 2);
    EXPECT_EQ(loader.get(0, 0).inputs.shape[0], 4); // decoding ahead meets the damage again
    EXPECT_EQ(loader.get(0, 2).inputs.shape[0], 2);
}

TEST(loader, unusable_requests_are_refused) {
    const numbered data(240);
    image_supply supply(2, 0);
    EXPECT_THROW(batch_loader(data, {}, loading(4), supply), usage_error);
    EXPECT_THROW(batch_loader(data, mine, loading(0), supply), usage_error);
    batch_loader loader(data, mine, loading(4), supply);
    EXPECT_THROW(loader.get(0, 3), std::out_of_range);
    EXPECT_THROW(loader.get(0, -1), std::out_of_range);
    EXPECT_THROW(loader.get(-1, 0), std::out_of_range);
}

TEST(loader, many_loaders_share_one_supply) {
    const numbered data(240);
    image_supply supply(2, 0);
    std::vector<std::unique_ptr<batch_loader>> loaders;
    for (int i = 0; i < 1000; ++i) {
        loaders.push_back(std::make_unique<batch_loader>(data, mine, loading(2, "c" + std::to_string(i)), supply));
    }
    for (std::int64_t b = 0; b < 2; ++b) {
        for (std::size_t i = 0; i < loaders.size(); ++i) {
            const auto order = epoch_order(1, "c" + std::to_string(i), 0, mine.size());
            const auto first = static_cast<std::size_t>(2 * b);
            ASSERT_THAT(samples_in(loaders[i]->get(0, b)),
                        testing::ElementsAre(mine[order[first]], mine[order[first + 1]]));
        }
    }
}

TEST(loader, augmentation_is_drawn_from_the_sample_and_the_epoch) {
    class gradient final : public dataset {
    public:
        std::size_t size() const override { return 1; }
        std::int64_t label(std::size_t) const override { return 0; }
        const std::vector<std::string>& class_names() const override { return classes; }
        std::string name(std::size_t) const override { return "only"; }
        image load(std::size_t) const override {
            image out{16, 16, std::vector<std::uint8_t>(768)};
            for (std::size_t i = 0; i < 768; ++i) {
                out.rgb[i] = static_cast<std::uint8_t>(i / 3);
            }
            return out;
        }
        std::vector<std::string> classes{"one"};
    };
    const gradient data;
    image_supply supply(2, 0);
    auto with = loading(1);
    with.augment = true;
    with.form.transform.size = 8;
    batch_loader loader(data, {0}, with, supply);
    for (std::uint32_t epoch = 0; epoch < 2; ++epoch) {
        std::vector<float> expected(192);
        transform_train(data.load(0), with.form.transform, with.seed, "only", epoch, expected.data());
        const auto& batch = loader.get(epoch, 0);
        EXPECT_EQ(std::vector<float>(batch.inputs.as<float>(), batch.inputs.as<float>() + 192), expected);
    }
}

TEST(loader, validation_batches_keep_their_order) {
    const numbered data(240);
    image_supply supply(3, 0);
    EXPECT_EQ(samples_in(load_batch(data, {9, 2, 200}, loading(1).form, supply)),
              (std::vector<std::size_t>{9, 2, 200}));
}

TEST(image_supply, decodes_what_fits_once_and_the_rest_each_time) {
    const numbered data(240);
    image_supply supply(2, 4 * 12); // four images
    batch_loader loader(data, mine, loading(5), supply);
    const auto epoch = [&](std::int64_t number) {
        std::vector<std::size_t> seen;
        for (std::int64_t b = 0; b < 2; ++b) {
            const auto some = samples_in(loader.get(number, b));
            seen.insert(seen.end(), some.begin(), some.end());
        }
        return seen;
    };
    std::vector<std::vector<std::size_t>> seen;
    for (std::int64_t number = 0; number < 3; ++number) {
        seen.push_back(epoch(number));
    }
    EXPECT_EQ(supply.kept_bytes(), 4U * 12U);
    for (auto& samples : seen) {
        std::sort(samples.begin(), samples.end());
        EXPECT_EQ(samples, mine);
    }
    loader.get(2, 1); // what is ahead has been begun
    loader.get(3, 0);
    loader.get(3, 1);
    // Ten images the first time, six each other time, and at most two batches of five ahead.
    EXPECT_GE(data.loads, 10 + 3 * 6);
    EXPECT_LE(data.loads, 10 + 4 * 6);
}

TEST(image_supply, keeps_each_quality_of_a_sample_apart) {
    const numbered data(240);
    image_supply supply(1, 1 << 20);
    const auto plain = supply.sensed(data, 100, {}, 1);
    const auto noisy = supply.sensed(data, 100, {0, 0, 0.5}, 1);
    EXPECT_NE(plain->rgb, noisy->rgb);
    EXPECT_EQ(supply.sensed(data, 100, {}, 1), plain);
    EXPECT_EQ(supply.sensed(data, 100, {0, 0, 0.5}, 1), noisy);
    EXPECT_EQ(degrade(data.load(100), {0, 0, 0.5}, 1, "100").rgb, noisy->rgb);
}

TEST(image_supply, some_of_the_machines_memory_is_free) {
    EXPECT_GT(available_memory(), std::uint64_t{1} << 20);
    EXPECT_LT(available_memory(), std::uint64_t{1} << 50);
}

TEST(image_supply, a_damaged_image_is_not_kept) {
    numbered data(240);
    data.damaged = 7;
    image_supply supply(1, 1 << 20);
    EXPECT_THROW(supply.sensed(data, 7, {}, 1), decode_error);
    EXPECT_THROW(supply.sensed(data, 7, {}, 1), decode_error);
    EXPECT_EQ(supply.kept_bytes(), 0U);
}

TEST(image_supply, a_batch_is_decoded_by_all_threads_at_once) {
    // Each image waits until three others are being decoded as well.
    class meeting final : public dataset {
    public:
        std::size_t size() const override { return 4; }
        std::int64_t label(std::size_t) const override { return 0; }
        const std::vector<std::string>& class_names() const override { return classes; }
        std::string name(std::size_t sample) const override { return std::to_string(sample); }
        image load(std::size_t) const override {
            ++there;
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
            while (there < 4 && std::chrono::steady_clock::now() < end) {
                std::this_thread::yield();
            }
            return {1, 1, std::vector<std::uint8_t>(3, static_cast<std::uint8_t>(there))};
        }
        mutable std::atomic<int> there = 0;
        std::vector<std::string> classes{"one"};
    };
    const meeting data;
    image_supply supply(4, 0);
    const auto batch = load_batch(data, {0, 1, 2, 3}, {{1, {0, 0, 0}, {1.0F / 255, 1.0F / 255, 1.0F / 255}}}, supply);
    for (int i = 0; i < 12; ++i) {
        EXPECT_EQ(std::lround(batch.inputs.as<float>()[i]), 4);
    }
}

TEST(decode_pool, what_is_urgent_comes_first) {
    decode_pool pool;
    std::promise<void> begun, go_on;
    std::vector<int> order;
    pool.submit<void>([&] {
        begun.set_value();
        go_on.get_future().wait();
    });
    begun.get_future().wait(); // the only thread is busy
    auto later = pool.submit<void>([&] { order.push_back(2); });
    auto now = pool.submit<void>([&] { order.push_back(1); }, decode_pool::haste::now);
    go_on.set_value();
    later.get();
    now.get();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(decode_pool, ends_at_once_and_breaks_the_promises_of_what_is_left) {
    std::future<int> running, waiting;
    std::atomic<bool> started = false;
    {
        decode_pool pool;
        running = pool.submit<int>([&started] {
            started = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            return 1;
        });
        waiting = pool.submit<int>([] { return 2; });
        while (!started) {
            std::this_thread::yield();
        }
    }
    EXPECT_EQ(running.get(), 1);
    EXPECT_THROW(waiting.get(), std::future_error);
}

// A wake-up lost between the worker's look at the stop flag and its sleep would leave one of these hanging.
TEST(decode_pool, an_idle_pool_always_ends) {
    for (int i = 0; i < 2000; ++i) {
        decode_pool pool(2);
        if (i % 2 == 0) {
            pool.submit<int>([] { return 1; });
        }
    }
}

// A start point that is given up in the middle of an epoch waits for what is being decoded for it, and no longer.
TEST(loader, may_end_early) {
    numbered data(240);
    data.delay = std::chrono::milliseconds(2);
    image_supply supply(2, 0);
    {
        batch_loader loader(data, mine, loading(2), supply);
        loader.get(0, 0);
    }
    const int loads = data.loads;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(data.loads, loads); // nothing of it is left running
}

TEST(loader, a_stream_has_new_samples_each_round_and_forgets_the_oldest) {
    const numbered data(240);
    image_supply supply(2, 0);
    auto stream = loading(3);
    stream.stream = sample_stream{6, 2, 2}; // six at hand, two new ones each round of two epochs
    batch_loader loader(data, mine, stream, supply);
    EXPECT_EQ(loader.batches(), 2);
    const auto epoch_of = [&](std::int64_t epoch) {
        std::set<std::size_t> seen;
        for (std::int64_t b = 0; b < 2; ++b) {
            for (const auto sample : samples_in(loader.get(epoch, b))) {
                seen.insert(sample);
            }
        }
        return seen;
    };
    const auto first = epoch_of(0);
    EXPECT_EQ(first.size(), 6U);
    EXPECT_EQ(epoch_of(1), first) << "the same round";
    std::set<std::size_t> ever = first, before = first;
    for (std::int64_t round = 1; round < 3; ++round) {
        const auto now = epoch_of(2 * round);
        EXPECT_EQ(now.size(), 6U);
        std::set<std::size_t> fresh;
        std::set_difference(now.begin(), now.end(), before.begin(), before.end(), std::inserter(fresh, fresh.end()));
        EXPECT_EQ(fresh.size(), 2U);
        ever.insert(now.begin(), now.end());
        before = now;
    }
    EXPECT_EQ(ever, std::set<std::size_t>(mine.begin(), mine.end())) << "6 + 2 + 2 are all ten";
    EXPECT_EQ(epoch_of(0), first) << "a function of the epoch";
}

TEST(loader, quality_changes_labels_and_pixels_of_training_samples) {
    const numbered data(240);
    image_supply supply(2, 0);
    std::vector<std::size_t> many(200);
    std::iota(many.begin(), many.end(), 0U);
    const auto labels_of = [&](double noise) {
        auto how = loading(200);
        how.quality.label_noise = noise;
        batch_loader loader(data, many, how, supply);
        const auto& batch = loader.get(0, 0);
        std::size_t wrong = 0;
        for (std::int64_t i = 0; i < 200; ++i) {
            const auto sample = std::lround(batch.inputs.as<float>()[i * 12]);
            wrong += batch.labels.as<std::int64_t>()[i] != sample % 3 ? 1U : 0U;
        }
        return wrong;
    };
    EXPECT_EQ(labels_of(0.0), 0U);
    EXPECT_EQ(labels_of(1.0), 200U) << "never the true one";
    EXPECT_NEAR(static_cast<double>(labels_of(0.3)), 60.0, 4 * std::sqrt(200 * 0.3 * 0.7));
}

TEST(quality, noise_has_its_deviation_and_blur_keeps_the_mean) {
    image grey{64, 64, std::vector<std::uint8_t>(64 * 64 * 3, 128)};
    const auto noisy = degrade(grey, {0, 0, 0.05}, 1, "a");
    double sum = 0, square = 0;
    for (const auto value : noisy.rgb) {
        const double off = static_cast<double>(value) - 128.0;
        sum += off;
        square += off * off;
    }
    const auto n = static_cast<double>(noisy.rgb.size());
    EXPECT_NEAR(sum / n, 0.0, 4 * 12.75 / std::sqrt(n));
    EXPECT_NEAR(std::sqrt(square / n), 0.05 * 255, 0.3);
    EXPECT_EQ(degrade(grey, {0, 0, 0.05}, 1, "a").rgb, noisy.rgb);
    EXPECT_NE(degrade(grey, {0, 0, 0.05}, 1, "b").rgb, noisy.rgb);

    image point{31, 31, std::vector<std::uint8_t>(31 * 31 * 3, 0)};
    for (int y = 13; y < 18; ++y) {
        for (int x = 13; x < 18; ++x) {
            point.rgb[static_cast<std::size_t>((y * 31 + x) * 3)] = 250; // red
        }
    }
    const auto soft = degrade(point, {0, 2.0, 0}, 1, "a");
    double red = 0, spread = 0;
    for (int y = 0; y < 31; ++y) {
        for (int x = 0; x < 31; ++x) {
            const double value = soft.rgb[static_cast<std::size_t>((y * 31 + x) * 3)];
            red += value;
            spread += value * (x - 15) * (x - 15);
            EXPECT_EQ(soft.rgb[static_cast<std::size_t>((y * 31 + x) * 3 + 1)], 0);
        }
    }
    EXPECT_NEAR(red, 25 * 250, 0.02 * 25 * 250) << "rounded to bytes";
    EXPECT_NEAR(spread / red, 2.0 + 4.0, 0.3) << "variance of a square of five plus that of the blur";
    EXPECT_EQ(degrade(grey, {0, 2.0, 0}, 1, "a").rgb, grey.rgb);
}

} // namespace
} // namespace gaisnet
