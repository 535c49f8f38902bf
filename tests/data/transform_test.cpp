#include "data/transform.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace gaisnet {
namespace {

/// A picture without symmetries, given by a formula that the makers of the golden numbers used too.
image formula(int width, int height) {
    image out{width, height, {}};
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            for (int c = 0; c < 3; ++c) {
                out.rgb.push_back(static_cast<std::uint8_t>((x * 37 + y * 91 + c * 53 + (x * y * 7) % 29 * 5) % 256));
            }
        }
    }
    return out;
}

void expect_near(const std::vector<float>& values, const std::vector<float>& golden, float tolerance) {
    ASSERT_EQ(values.size(), golden.size());
    for (std::size_t i = 0; i < golden.size(); ++i) {
        EXPECT_NEAR(values[i], golden[i], tolerance) << "value " << i;
    }
}

// PyTorch 1.13: torch.nn.functional.interpolate(x, size=(4, 4), mode="bilinear", antialias=True) in float64.
TEST(resample, shrinking_equals_pytorch_with_antialias) {
    std::vector<float> out(48);
    resample(formula(17, 12), 0, 0, 17, 12, 4, out.data());
    expect_near(out, {115.572421F, 113.711207F, 112.584483F, 111.229167F, 107.493827F, 129.842912F, 114.069732F,
                      122.996473F, 150.612875F, 137.840613F, 132.891954F, 156.927690F, 143.227183F, 112.992241F,
                      113.750862F, 125.363095F, 137.334325F, 130.738793F, 147.929310F, 122.832341F, 141.756614F,
                      135.958621F, 139.802299F, 138.747795F, 121.891534F, 114.727203F, 124.883525F, 117.370370F,
                      121.560516F, 122.516379F, 122.833621F, 118.680556F, 129.381944F, 127.904310F, 107.577586F,
                      105.229167F, 131.546737F, 113.629885F, 134.736398F, 114.089947F, 128.387125F, 144.186973F,
                      155.520307F, 120.705467F, 141.544643F, 132.923276F, 123.750862F, 120.886905F},
                2e-3F);
}

// Pillow 9.4, each channel as a float image (mode "F", so nothing is rounded between the passes):
// resize((3, 3), BILINEAR, box=(2.5, 1.25, 11.75, 9.5)).
TEST(resample, a_box_between_pixels_equals_pillow) {
    std::vector<float> out(27);
    resample(formula(17, 12), 2.5, 1.25, 9.25, 8.25, 3, out.data());
    expect_near(out, {118.71111F, 117.13215F, 113.73383F, 136.16609F, 133.18571F, 118.58110F, 161.36542F,
                      119.45475F, 129.12479F, 137.12497F, 121.66739F, 150.49915F, 137.60901F, 132.97203F,
                      134.84138F, 119.65665F, 105.06762F, 120.78209F, 130.74504F, 110.17041F, 108.20779F,
                      141.00302F, 119.92889F, 152.37173F, 118.79934F, 146.74599F, 161.11308F},
                2e-3F);
}

// PyTorch again, enlarging 3 x 3 to 5 x 5: plain bilinear interpolation.
TEST(resample, enlarging_equals_pytorch) {
    image corner{3, 3, {}};
    const auto whole = formula(17, 12);
    for (std::size_t y = 0; y < 3; ++y) {
        corner.rgb.insert(corner.rgb.end(), whole.rgb.begin() + static_cast<std::ptrdiff_t>(y * 51),
                          whole.rgb.begin() + static_cast<std::ptrdiff_t>(y * 51 + 9));
    }
    std::vector<float> out(75);
    resample(corner, 0, 0, 3, 3, 5, out.data());
    out.resize(25); // the first channel shows it
    expect_near(out,
                {0.0F,   14.8F,  37.0F,  59.2F,   74.0F, 36.4F,  56.8F,  87.4F,  118.0F, 138.4F, 91.0F, 119.8F, 163.0F,
                 206.2F, 235.0F, 145.6F, 121.36F, 85.0F, 140.8F, 178.0F, 182.0F, 122.4F, 33.0F,  97.2F, 140.0F},
                2e-3F);
}

TEST(validation_transform, takes_images_of_the_right_size_as_they_are) {
    const auto picture = formula(8, 8);
    transform_spec spec{8, {0.5F, 0.25F, 0.0F}, {0.5F, 0.25F, 1.0F}};
    std::vector<float> out(192);
    transform_validation(picture, spec, out.data());
    for (std::size_t i = 0; i < 64; ++i) {
        for (std::size_t c = 0; c < 3; ++c) { // [3, 8, 8] from [8, 8, 3]
            const float expected = (static_cast<float>(picture.rgb[i * 3 + c]) / 255.0F - spec.mean[c]) / spec.std[c];
            ASSERT_NEAR(out[c * 64 + i], expected, 1e-6F);
        }
    }
}

// A picture twice as wide as high, dark at the left and right ends that a centre crop of 224/256 must not see.
TEST(validation_transform, cuts_out_the_centre) {
    image picture{512, 256, std::vector<std::uint8_t>(512 * 256 * 3, 0)};
    for (std::size_t y = 0; y < 256; ++y) {
        for (std::size_t x = 144; x < 368; ++x) { // 224 columns in the middle
            std::fill_n(picture.rgb.begin() + static_cast<std::ptrdiff_t>((y * 512 + x) * 3), 3, std::uint8_t{255});
        }
    }
    const transform_spec spec{224, {0, 0, 0}, {1, 1, 1}};
    std::vector<float> out(3 * 224 * 224);
    transform_validation(picture, spec, out.data());
    EXPECT_NEAR(*std::min_element(out.begin(), out.end()), 1.0F, 1e-5F);
}

TEST(training_transform, is_a_function_of_seed_name_and_epoch) {
    const auto picture = formula(40, 30);
    const transform_spec spec{16, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};
    const auto draw = [&](std::uint64_t seed, const char* name, std::uint32_t epoch) {
        std::vector<float> out(768);
        transform_train(picture, spec, seed, name, epoch, out.data());
        return out;
    };
    EXPECT_EQ(draw(1, "a", 0), draw(1, "a", 0));
    std::set<std::vector<float>> different{draw(1, "a", 0), draw(2, "a", 0), draw(1, "b", 0), draw(1, "a", 1)};
    EXPECT_EQ(different.size(), 4U);
}

// On a picture whose red is x and whose green is y, the output says which part was taken and whether it was flipped.
TEST(training_transform, takes_35_to_100_percent_of_the_area_and_flips_half) {
    constexpr int side = 200;
    image picture{side, side, {}};
    for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
            picture.rgb.insert(picture.rgb.end(), {static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 0});
        }
    }
    const transform_spec spec{20, {0, 0, 0}, {1, 1, 1}};
    std::vector<float> out(1200);
    int flipped = 0;
    double smallest = 1, largest = 0;
    constexpr int draws = 1000;
    for (int i = 0; i < draws; ++i) {
        transform_train(picture, spec, 7, std::to_string(i), 0, out.data());
        // Columns 5 and 15, rows 5 and 15 stand half a width and height apart.
        const double width = (out[15] - out[5]) * 255 * 2, height = (out[400 + 15 * 20] - out[400 + 5 * 20]) * 255 * 2;
        flipped += width < 0 ? 1 : 0;
        const double area = std::abs(width) * height / (side * side), ratio = std::abs(width) / height;
        ASSERT_GT(ratio, 0.75 * 0.97);
        ASSERT_LT(ratio, 4.0 / 3.0 * 1.03);
        smallest = std::min(smallest, area);
        largest = std::max(largest, area);
    }
    EXPECT_GT(smallest, 0.34);
    EXPECT_LT(smallest, 0.40);
    EXPECT_LT(largest, 1.01);
    EXPECT_GT(largest, 0.93);
    EXPECT_NEAR(flipped, draws / 2, 80); // five standard deviations
}

// No part of a picture ten times as wide as high has an accepted ratio and 35 % of the area: what is taken is as high
// as the picture and 4/3 as wide, not the whole picture squeezed.
TEST(training_transform, does_not_squeeze_very_long_pictures) {
    constexpr int width = 250, height = 25;
    image picture{width, height, {}};
    for (int i = 0; i < width * height; ++i) {
        picture.rgb.insert(picture.rgb.end(), {static_cast<std::uint8_t>(i % width), 0, 0});
    }
    const transform_spec spec{20, {0, 0, 0}, {1, 1, 1}};
    std::vector<float> out(1200);
    for (int i = 0; i < 20; ++i) {
        transform_train(picture, spec, 7, std::to_string(i), 0, out.data());
        EXPECT_NEAR(std::abs(out[15] - out[5]) * 255 * 2, height * 4.0 / 3.0, 0.5);
    }
}

} // namespace
} // namespace gaisnet
