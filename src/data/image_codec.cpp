#include "data/image_codec.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"

#include <cstdio> // before jpeglib.h, which needs FILE

#include <jpeglib.h>

#include <jerror.h> // after jpeglib.h
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <iterator>
#include <string_view>

namespace gaisnet {

namespace {

constexpr std::uint64_t largest_image_pixels = 1ULL << 28;
constexpr const char* too_large_text = "has more than 2^28 pixels";

/// libjpeg reports through callbacks; errors leave by longjmp, which must not cross objects with destructors.
struct jpeg_errors {
    jpeg_error_mgr base{};
    std::jmp_buf escape{};
    char text[JMSG_LENGTH_MAX]{};
};

void jpeg_failed(j_common_ptr info) {
    auto* errors = reinterpret_cast<jpeg_errors*>(info->err);
    info->err->format_message(info, errors->text);
    std::longjmp(errors->escape, 1);
}

void jpeg_warned(j_common_ptr info, int level) {
    if (level >= 0) {
        return; // a trace message
    }
    // Odd headers are harmless, and so are stray bytes between two segments. Within a scan, which restart markers
    // divide, they mean garbled data. All other warnings also mean garbled data: libjpeg would fill the rest with grey.
    const int code = info->err->msg_code;
    const int marker = info->err->msg_parm.i[1];
    const bool between_segments = code == JWRN_EXTRANEOUS_DATA && (marker < JPEG_RST0 || marker > JPEG_RST0 + 7);
    if (code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM && code != JWRN_BOGUS_PROGRESSION && !between_segments) {
        jpeg_failed(info);
    }
}

/// A header may claim a size that no memory can hold.
bool too_large(std::uint64_t width, std::uint64_t height) { return width * height > largest_image_pixels; }

/// Plain C in one function, so that longjmp skips no destructor. \returns false with errors.text set.
bool decode_jpeg_into(const std::uint8_t* data, std::size_t size, jpeg_errors& errors, image& out) {
    jpeg_decompress_struct info{};
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = jpeg_failed;
    errors.base.emit_message = jpeg_warned;
    if (setjmp(errors.escape)) {
        jpeg_destroy_decompress(&info);
        return false;
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, data, size);
    jpeg_read_header(&info, TRUE);
    if (too_large(info.image_width, info.image_height)) {
        jpeg_destroy_decompress(&info);
        std::strncpy(errors.text, too_large_text, sizeof(errors.text) - 1);
        return false;
    }
    const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    const bool inverted = info.saw_Adobe_marker != 0;
    info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info);
    out.width = static_cast<int>(info.output_width);
    out.height = static_cast<int>(info.output_height);
    const auto row_bytes =
        static_cast<std::size_t>(info.output_width) * static_cast<std::size_t>(info.output_components);
    out.rgb.resize(static_cast<std::size_t>(info.output_width) * info.output_height * 3);
    JSAMPARRAY row = (*info.mem->alloc_sarray)(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE,
                                               static_cast<JDIMENSION>(row_bytes), 1);
    while (info.output_scanline < info.output_height) {
        auto* to = out.rgb.data() + static_cast<std::size_t>(info.output_scanline) * info.output_width * 3;
        jpeg_read_scanlines(&info, row, 1);
        if (!cmyk) {
            std::memcpy(to, row[0], row_bytes);
            continue;
        }
        for (std::size_t x = 0; x < info.output_width; ++x) {
            // Adobe's files store 255 - ink, which is the remaining light.
            const auto left = [&](std::size_t c) { return inverted ? row[0][x * 4 + c] : 255 - row[0][x * 4 + c]; };
            for (std::size_t c = 0; c < 3; ++c) {
                to[x * 3 + c] = static_cast<std::uint8_t>((left(c) * left(3) + 127) / 255);
            }
        }
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return true;
}

/// Removes the chunks that define a colour space: weights are trained on the raw numbers, as PIL returns them.
std::vector<std::uint8_t> without_colour_chunks(const std::vector<std::uint8_t>& bytes) {
    constexpr std::size_t mark = 8, frame = 12; // bytes of the signature; bytes of a chunk besides its data
    std::vector<std::uint8_t> out(bytes.begin(), bytes.begin() + mark);
    for (std::size_t at = mark; at < bytes.size();) {
        std::size_t length = bytes.size() - at; // of the remaining bytes; a truncated chunk is kept truncated
        if (bytes.size() - at >= frame) {
            const auto* head = bytes.data() + at;
            const auto content =
                (std::size_t{head[0]} << 24) | (std::size_t{head[1]} << 16) | (std::size_t{head[2]} << 8) | head[3];
            length = std::min(length, content + frame);
            const std::string_view name(reinterpret_cast<const char*>(head + 4), 4);
            if (name == "gAMA" || name == "cHRM" || name == "sRGB" || name == "iCCP") {
                at += length;
                continue;
            }
        }
        out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
        at += length;
    }
    return out;
}

image decode_png(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    const auto reject = [&] {
        const std::string reason = png.message;
        png_image_free(&png);
        throw decode_error(path.string() + ": " + reason);
    };
    if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
        reject();
    }
    if (too_large(png.width, png.height)) {
        png_image_free(&png);
        throw decode_error(path.string() + ": " + too_large_text);
    }
    png.format = PNG_FORMAT_RGB;
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; // else 16-bit files without a colour space would be read as linear light
    image out;
    out.width = static_cast<int>(png.width);
    out.height = static_cast<int>(png.height);
    out.rgb.resize(PNG_IMAGE_SIZE(png));
    const png_color white{255, 255, 255};
    if (!png_image_finish_read(&png, &white, out.rgb.data(), 0, nullptr)) {
        reject();
    }
    return out;
}

} // namespace

namespace {

std::vector<std::uint8_t> content_of(const std::filesystem::path& path) {
    try {
        auto in = open_input(path.string());
        return {std::istreambuf_iterator<char>(in), {}};
    } catch (const usage_error& problem) {
        throw decode_error(problem.what());
    }
}

} // namespace

image decode_image(const std::filesystem::path& path) {
    const auto bytes = content_of(path);
    constexpr std::array<std::uint8_t, 8> png_mark{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (bytes.size() >= png_mark.size() && std::equal(png_mark.begin(), png_mark.end(), bytes.begin())) {
        return decode_png(path, without_colour_chunks(bytes));
    }
    if (bytes.size() < 2 || bytes[0] != 0xff || bytes[1] != 0xd8) {
        throw decode_error(path.string() + ": is neither JPEG nor PNG");
    }
    image out;
    jpeg_errors errors;
    if (!decode_jpeg_into(bytes.data(), bytes.size(), errors, out)) {
        throw decode_error(path.string() + ": " + errors.text);
    }
    return out;
}

void write_png(const std::filesystem::path& path, const image& picture) {
    ensure(picture.rgb.size() == static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3,
           "an image has three bytes a pixel");
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = static_cast<png_uint_32>(picture.width);
    png.height = static_cast<png_uint_32>(picture.height);
    png.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&png, path.c_str(), 0, picture.rgb.data(), 0, nullptr)) {
        throw runtime_failure("cannot write " + path.string() + ": " + png.message);
    }
}

} // namespace gaisnet
