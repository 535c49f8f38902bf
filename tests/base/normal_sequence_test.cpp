#include "base/normal_sequence.hpp"
#include "base/random.hpp"
#include "data/noisy_bytes.hpp"
#include "data/procedural.hpp"
#include "data/quality.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace gaisnet {
namespace {

std::uint64_t hash_of(const image& picture, std::uint64_t before = 0) {
    return stable_hash({reinterpret_cast<const char*>(picture.rgb.data()), picture.rgb.size()}, before);
}

TEST(normal_sequence, gives_what_the_stream_would_give_next) {
    random_stream stream(3, "noise", "c0.1", 4, 5);
    stream.uniform();
    stream.uniform();
    const normal_sequence normals(stream);
    std::vector<float> nearly(100'000);
    normals.approximate(0, nearly);
    std::size_t unknown = 0;
    for (std::size_t i = 0; i < nearly.size(); ++i) {
        const double drawn = stream.normal();
        ASSERT_EQ(normals.exact(i), drawn);
        if (std::isnan(nearly[i])) {
            ++unknown;
        } else {
            ASSERT_NEAR(nearly[i], drawn, normal_sequence::tolerance) << i;
        }
    }
    EXPECT_GT(unknown, 0U); // 5e-5 of them
    EXPECT_LT(unknown, 30U);
}

TEST(normal_sequence, any_part_of_it_is_the_same_as_in_the_whole) {
    const normal_sequence normals(random_stream(1, "noise", "a"));
    std::vector<float> whole(2000), part(700);
    normals.approximate(0, whole);
    normals.approximate(1234, part);
    for (std::size_t i = 0; i < part.size(); ++i) {
        EXPECT_TRUE(part[i] == whole[1234 + i] || std::isnan(part[i])) << i;
    }
}

TEST(normal_sequence, begins_only_where_a_block_ends) {
    random_stream stream(1, "noise", "a");
    stream.uniform();
    EXPECT_THROW(normal_sequence{stream}, std::logic_error);
}

TEST(add_noise, asks_for_the_exact_byte_wherever_the_nearly_right_one_is_in_doubt) {
    const normal_sequence normals(random_stream(1, "noise", "b"));
    // On a boundary without noise, not a number, and far from doubt.
    const std::vector<double> clean{10.5, 11.5 - 1e-11, std::numeric_limits<double>::quiet_NaN(), 12.0, -3.0, 300.0};
    std::vector<std::uint8_t> bytes(clean.size());
    std::vector<std::size_t> asked;
    add_noise({clean, 1.0, 0.0}, normals, 0, bytes, [&](std::size_t i) {
        asked.push_back(i);
        return std::uint8_t{77};
    });
    EXPECT_EQ(asked, (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_EQ(bytes, (std::vector<std::uint8_t>{77, 77, 77, 12, 0, 255}));
}

// The hashes are those of images that were drawn value by value with random_stream::normal() and std::lround, before
// there was a faster way.
TEST(add_noise, drawn_images_are_the_same_as_value_by_value) {
    struct known {
        int domain;
        std::int64_t size;
        std::uint64_t hash;
    };
    for (const auto& one : std::vector<known>{{0, 16, 0xf6604742892ea6c4},
                                              {0, 33, 0xa6e80b55bb444286},
                                              {0, 64, 0xc450e5373db16978},
                                              {0, 224, 0x130138698808358b},
                                              {1, 33, 0xa56fff805974e97c},
                                              {1, 64, 0xc00d92b08250ec9e},
                                              {2, 33, 0x7c99799413826359},
                                              {2, 64, 0xc28a1dae8c71801a},
                                              {3, 33, 0x86ceda883553e713},
                                              {3, 64, 0xdf943836089b6e83},
                                              {7, 33, 0x063bfaed1acf3eb1},
                                              {7, 224, 0x0993b9f9d8156f72}}) {
        const auto data = make_procedural({one.domain, 10, one.size, 1200, 5});
        std::uint64_t hash = 0;
        for (std::size_t i = 0; i < 40; ++i) {
            hash = hash_of(data->load(i * 29), hash); // four of each class
        }
        EXPECT_EQ(hash, one.hash) << "domain " << one.domain << ", " << one.size << " pixels";
    }
}

TEST(add_noise, short_cuts_change_no_value_of_a_drawing) {
    for (int domain = 0; domain < 4; ++domain) {
        const procedural_spec spec{domain, 10, 45, 1200, 9};
        const auto data = make_procedural(spec);
        for (std::size_t i = 0; i < 10; ++i) { // each class
            EXPECT_EQ(data->load(i).rgb, draw_value_by_value(spec, i).rgb) << domain << ", " << i;
        }
    }
}

TEST(add_noise, sensed_images_are_the_same_as_value_by_value) {
    image picture;
    picture.width = 97;
    picture.height = 61;
    for (std::size_t i = 0; i < 97 * 61 * 3; ++i) {
        picture.rgb.push_back(static_cast<std::uint8_t>(i * 37 % 256));
    }
    EXPECT_EQ(hash_of(degrade(picture, {0, 0, 0.003}, 9, "c0.1/7")), 0xac2c4cde10da18b7);
    EXPECT_EQ(hash_of(degrade(picture, {0, 0, 0.1}, 9, "c0.1/7")), 0x5582ddaad7fdbf41);
    EXPECT_EQ(hash_of(degrade(picture, {0, 0, 1.5}, 9, "c0.1/7")), 0xb83504d10c82cb70);
}

} // namespace
} // namespace gaisnet
