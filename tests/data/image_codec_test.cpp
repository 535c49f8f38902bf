#include "base/error.hpp"
#include "data/image_codec.hpp"
#include "support/temporary_folder.hpp"

#include <cstdio> // before jpeglib.h, which needs FILE

#include <jpeglib.h>
#include <png.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using bytes = std::vector<std::uint8_t>;
using pixel = std::array<int, 3>;

/// A folder of its own for every test, removed at its end.
class codec : public in_temporary_folder {
protected:
    fs::path file(const std::string& name, const bytes& content) const {
        std::ofstream out(folder_ / name, std::ios::binary);
        out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
        return folder_ / name;
    }

    /// The message of the decode_error that `path` must give; it must name the file.
    static std::string failure(const fs::path& path) {
        try {
            decode_image(path);
        } catch (const decode_error& problem) {
            EXPECT_THAT(problem.what(), testing::HasSubstr(path.filename().string()));
            return problem.what();
        }
        ADD_FAILURE() << path << " was decoded";
        return {};
    }

    fs::path folder_ = temporary;
};

/// One JPEG made by libjpeg itself. \param samples [height, width, channels] in `space`.
bytes make_jpeg(int width, int height, const bytes& samples, J_COLOR_SPACE space, J_COLOR_SPACE stored,
                bool adobe_marker, bool progressive = false) {
    jpeg_compress_struct info{};
    jpeg_error_mgr errors{};
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* memory = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &memory, &size);
    info.image_width = static_cast<JDIMENSION>(width);
    info.image_height = static_cast<JDIMENSION>(height);
    info.input_components = space == JCS_GRAYSCALE ? 1 : space == JCS_RGB ? 3 : 4;
    info.in_color_space = space;
    jpeg_set_defaults(&info);
    jpeg_set_colorspace(&info, stored);
    jpeg_set_quality(&info, 100, TRUE);
    info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    info.write_Adobe_marker = adobe_marker ? TRUE : FALSE;
    if (progressive) {
        jpeg_simple_progression(&info);
    }
    jpeg_start_compress(&info, TRUE);
    const auto stride = static_cast<std::size_t>(width * info.input_components);
    while (info.next_scanline < info.image_height) {
        auto* row = const_cast<JSAMPROW>(samples.data() + info.next_scanline * stride);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    bytes out(memory, memory + size);
    std::free(memory);
    return out;
}

/// A smooth picture, on which a JPEG of quality 100 loses next to nothing.
bytes ramp(int width, int height, int channels) {
    bytes out;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            for (int c = 0; c < channels; ++c) {
                out.push_back(static_cast<std::uint8_t>(40 + 3 * x + 2 * y + 30 * c));
            }
        }
    }
    return out;
}

/// One PNG made by libpng's low-level writer. \param rows packed as the file holds them (16 bit: high byte first).
bytes make_png(int width, int height, int depth, int type, const bytes& rows,
               const std::vector<png_color>& palette = {}, const bytes& palette_alpha = {}) {
    bytes out;
    auto* png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    auto* info = png_create_info_struct(png);
    png_set_write_fn(
        png, &out,
        [](png_structp target, png_bytep data, png_size_t size) {
            auto* to = static_cast<bytes*>(png_get_io_ptr(target));
            to->insert(to->end(), data, data + size);
        },
        nullptr);
    png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), depth, type,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!palette.empty()) {
        png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
    }
    if (!palette_alpha.empty()) {
        png_set_tRNS(png, info, palette_alpha.data(), static_cast<int>(palette_alpha.size()), nullptr);
    }
    png_write_info(png, info);
    if (!rows.empty()) {
        const auto stride = rows.size() / static_cast<std::size_t>(height);
        for (int y = 0; y < height; ++y) {
            png_write_row(png, rows.data() + static_cast<std::size_t>(y) * stride);
        }
        png_write_end(png, info);
    } else { // a promise of pixels, and none of them
        png_write_chunk(png, reinterpret_cast<png_const_bytep>("IDAT"), reinterpret_cast<png_const_bytep>("x"), 1);
    }
    png_destroy_write_struct(&png, &info);
    return out;
}

pixel at(const image& picture, int x, int y) {
    const auto* p = picture.rgb.data() + (y * picture.width + x) * 3;
    return {p[0], p[1], p[2]};
}

testing::Matcher<pixel> near(int r, int g, int b, int tolerance) {
    const auto close = [tolerance](int v) {
        return testing::AllOf(testing::Ge(v - tolerance), testing::Le(v + tolerance));
    };
    return testing::ElementsAre(close(r), close(g), close(b));
}

TEST_F(codec, jpeg_rgb_baseline_and_progressive) {
    const auto samples = ramp(24, 16, 3);
    for (const bool progressive : {false, true}) {
        const auto path = file("a.jpg", make_jpeg(24, 16, samples, JCS_RGB, JCS_YCbCr, false, progressive));
        const auto picture = decode_image(path);
        ASSERT_EQ(picture.width, 24);
        ASSERT_EQ(picture.height, 16);
        ASSERT_EQ(picture.rgb.size(), samples.size());
        for (std::size_t i = 0; i < samples.size(); ++i) {
            ASSERT_NEAR(picture.rgb[i], samples[i], 3) << i;
        }
    }
}

TEST_F(codec, jpeg_grey_gives_three_equal_channels) {
    const auto samples = ramp(16, 8, 1);
    const auto picture = decode_image(file("g.jpg", make_jpeg(16, 8, samples, JCS_GRAYSCALE, JCS_GRAYSCALE, false)));
    EXPECT_THAT(at(picture, 5, 3), near(61, 61, 61, 2)); // 40 + 3 x 5 + 2 x 3
}

// Pure red is full magenta and yellow ink. Adobe's files hold 255 - ink and say so by their marker, others hold ink.
TEST_F(codec, jpeg_cmyk_of_either_convention) {
    bytes adobe, plain;
    for (int i = 0; i < 64; ++i) {
        adobe.insert(adobe.end(), {255, 0, 0, 255});
        plain.insert(plain.end(), {0, 255, 255, 0});
    }
    EXPECT_THAT(at(decode_image(file("a.jpg", make_jpeg(8, 8, adobe, JCS_CMYK, JCS_CMYK, true))), 4, 4),
                near(255, 0, 0, 2));
    EXPECT_THAT(at(decode_image(file("y.jpg", make_jpeg(8, 8, adobe, JCS_CMYK, JCS_YCCK, true))), 4, 4),
                near(255, 0, 0, 4));
    EXPECT_THAT(at(decode_image(file("p.jpg", make_jpeg(8, 8, plain, JCS_CMYK, JCS_CMYK, false))), 4, 4),
                near(255, 0, 0, 2));
}

// Half black ink over half cyan: red = (1 - c)(1 - k) = 0.25, green and blue = 1 - k = 0.5.
TEST_F(codec, jpeg_cmyk_multiplies_ink_and_black) {
    bytes plain;
    for (int i = 0; i < 64; ++i) {
        plain.insert(plain.end(), {128, 0, 0, 128});
    }
    EXPECT_THAT(at(decode_image(file("k.jpg", make_jpeg(8, 8, plain, JCS_CMYK, JCS_CMYK, false))), 3, 3),
                near(63, 127, 127, 2));
}

TEST_F(codec, png_round_trip_is_exact) {
    const image picture{7, 5, ramp(7, 5, 3)};
    write_png(folder_ / "r.png", picture);
    const auto again = decode_image(folder_ / "r.png");
    EXPECT_EQ(again.width, 7);
    EXPECT_EQ(again.height, 5);
    EXPECT_EQ(again.rgb, picture.rgb);
}

TEST_F(codec, png_palette_and_grey) {
    const auto palette =
        decode_image(file("p.png", make_png(2, 1, 8, PNG_COLOR_TYPE_PALETTE, {1, 0}, {{10, 20, 30}, {200, 100, 50}})));
    EXPECT_EQ(at(palette, 0, 0), (pixel{200, 100, 50}));
    EXPECT_EQ(at(palette, 1, 0), (pixel{10, 20, 30}));
    const auto grey = decode_image(file("g.png", make_png(2, 1, 8, PNG_COLOR_TYPE_GRAY, {77, 200})));
    EXPECT_EQ(at(grey, 0, 0), (pixel{77, 77, 77}));
    const auto bits = decode_image(file("b.png", make_png(8, 1, 1, PNG_COLOR_TYPE_GRAY, {0b01000000})));
    EXPECT_EQ(at(bits, 0, 0), (pixel{0, 0, 0}));
    EXPECT_EQ(at(bits, 1, 0), (pixel{255, 255, 255}));
}

// Without a gamma chunk the samples are sRGB, whatever their depth: 0x6400 of 65535 is 100 of 255.
TEST_F(codec, png_of_16_bits_keeps_its_brightness) {
    const auto picture =
        decode_image(file("d.png", make_png(1, 1, 16, PNG_COLOR_TYPE_RGB, {0x64, 0x64, 0xc8, 0xc8, 0x0a, 0x0a})));
    EXPECT_THAT(at(picture, 0, 0), near(100, 200, 10, 1));
}

// White paper shows through. Mixed in linear light, half of it is 0.498 of the light: 255 x sRGB(0.498) = 187.
TEST_F(codec, png_transparency_is_laid_over_white) {
    const auto picture = decode_image(
        file("a.png", make_png(3, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, {9, 9, 9, 0, 40, 50, 60, 255, 0, 0, 0, 128})));
    EXPECT_EQ(at(picture, 0, 0), (pixel{255, 255, 255}));
    EXPECT_EQ(at(picture, 1, 0), (pixel{40, 50, 60}));
    EXPECT_THAT(at(picture, 2, 0), near(187, 187, 187, 2));
    const auto palette = decode_image(
        file("t.png", make_png(2, 1, 8, PNG_COLOR_TYPE_PALETTE, {0, 1}, {{10, 20, 30}, {5, 6, 7}}, {255, 0})));
    EXPECT_EQ(at(palette, 0, 0), (pixel{10, 20, 30}));
    EXPECT_EQ(at(palette, 1, 0), (pixel{255, 255, 255}));
}

TEST_F(codec, the_content_decides_and_not_the_name) {
    EXPECT_EQ(decode_image(file("x.jpg", make_png(2, 1, 8, PNG_COLOR_TYPE_GRAY, {1, 2}))).width, 2);
}

TEST_F(codec, cut_off_files_are_damaged) {
    const auto jpeg = make_jpeg(64, 64, ramp(64, 64, 3), JCS_RGB, JCS_YCbCr, false);
    bytes noise(64 * 64 * 3);
    for (std::size_t i = 0; i < noise.size(); ++i) {
        noise[i] = static_cast<std::uint8_t>(i * i * 31 + i * 7);
    }
    const auto png = make_png(64, 64, 8, PNG_COLOR_TYPE_RGB, noise);
    for (const double part : {0.02, 0.3, 0.6, 0.9}) {
        for (const auto& whole : {jpeg, png}) {
            const auto size = static_cast<std::ptrdiff_t>(part * static_cast<double>(whole.size()));
            failure(file("cut.jpg", bytes(whole.begin(), whole.begin() + size)));
        }
    }
    failure(file("no_end.jpg", bytes(jpeg.begin(), jpeg.end() - 2)));
}

// As PIL and torchvision decode them: bytes that belong to nothing, between two segments or before the end.
TEST_F(codec, junk_between_jpeg_segments_is_harmless) {
    const auto whole = make_jpeg(64, 64, ramp(64, 64, 3), JCS_RGB, JCS_YCbCr, false);
    const auto expected = decode_image(file("whole.jpg", whole)).rgb;
    const bytes junk(12, 0x5a);
    auto at_end = whole;
    at_end.insert(at_end.end() - 2, junk.begin(), junk.end());
    EXPECT_EQ(decode_image(file("at_end.jpg", at_end)).rgb, expected);
    auto in_header = whole;
    in_header.insert(in_header.begin() + 20, junk.begin(), junk.end()); // behind the JFIF segment
    EXPECT_EQ(decode_image(file("in_header.jpg", in_header)).rgb, expected);
}

// Numbers are what weights are trained on: gAMA, cHRM, sRGB and iCCP change none of them, as in PIL.
TEST_F(codec, png_colour_chunks_change_no_pixel) {
    const auto plain = make_png(8, 8, 8, PNG_COLOR_TYPE_RGB, ramp(8, 8, 3));
    // gAMA of 1.0 behind the header (8 + 25 bytes): length, name, 100000, checksum.
    const bytes gamma{0, 0, 0, 4, 'g', 'A', 'M', 'A', 0, 1, 0x86, 0xa0, 0x31, 0xe8, 0x96, 0x5f};
    auto with = plain;
    with.insert(with.begin() + 33, gamma.begin(), gamma.end());
    EXPECT_EQ(decode_image(file("gamma.png", with)).rgb, ramp(8, 8, 3));
}

TEST_F(codec, garbled_files_are_damaged) {
    auto jpeg = make_jpeg(64, 64, ramp(64, 64, 3), JCS_RGB, JCS_YCbCr, false);
    jpeg[jpeg.size() - 300] = 0xff; // an end of image, far too early
    jpeg[jpeg.size() - 299] = 0xd9;
    EXPECT_THAT(failure(file("early.jpg", jpeg)), testing::HasSubstr("Corrupt JPEG data"));
    auto png = make_png(64, 64, 8, PNG_COLOR_TYPE_RGB, ramp(64, 64, 3));
    png[png.size() - 30] ^= 0x10; // in the pixels, before their checksum
    failure(file("flip.png", png));
}

TEST_F(codec, other_files_are_named) {
    EXPECT_THAT(failure(file("note.jpg", {'h', 'e', 'l', 'l', 'o'})), testing::HasSubstr("neither JPEG nor PNG"));
    EXPECT_THAT(failure(file("empty.png", {})), testing::HasSubstr("is empty"));
    EXPECT_THAT(failure(folder_ / "nothing.png"), testing::HasSubstr("cannot be read"));
}

TEST_F(codec, a_header_cannot_ask_for_all_memory) {
    EXPECT_THAT(failure(file("huge.png", make_png(900000, 900000, 8, PNG_COLOR_TYPE_RGB, {}))),
                testing::HasSubstr("2^28 pixels"));
    auto jpeg = make_jpeg(16, 16, ramp(16, 16, 3), JCS_RGB, JCS_YCbCr, false);
    const std::array<std::uint8_t, 2> frame{0xff, 0xc0};
    auto size = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
    ASSERT_NE(size, jpeg.end());
    std::fill_n(size + 5, 4, std::uint8_t{0xf0}); // height and width 61680
    EXPECT_THAT(failure(file("huge.jpg", jpeg)), testing::HasSubstr("2^28 pixels"));
}

TEST_F(codec, unwritable_png_is_named) {
    EXPECT_THROW(write_png(folder_ / "no" / "where.png", {1, 1, {1, 2, 3}}), runtime_failure);
}

} // namespace
} // namespace gaisnet
