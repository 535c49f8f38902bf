#include "base/error.hpp"
#include "model/files/safetensors.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;

/// An empty folder that is removed with the fixture.
class safetensors_test : public in_temporary_folder {
protected:
    /// Header length, header and data bytes as they are, valid or not.
    fs::path raw_file(const std::string& header, const std::string& data) {
        const std::uint64_t length = header.size();
        return plain_file(std::string(reinterpret_cast<const char*>(&length), 8) + header + data);
    }
    fs::path plain_file(const std::string& bytes) {
        const auto path = folder / "sample.safetensors";
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }
    std::vector<std::string> names_in_folder() {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder)) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    fs::path folder = temporary;
};

/// The file must be refused by one usage_error that names it and holds every one of `words`.
void expect_refused(const fs::path& path, const std::vector<std::string>& words) {
    try {
        const safetensors_file file(path);
        ADD_FAILURE() << "accepted, but should fail with: " << testing::PrintToString(words);
    } catch (const usage_error& problem) {
        const std::string message = problem.what();
        EXPECT_NE(message.find(path.string()), std::string::npos) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        for (const auto& word : words) {
            EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
        }
    }
}

std::string f32(const std::string& name, const std::string& shape, const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

struct bad_header {
    const char* kind;
    std::string header;
    std::size_t data_bytes;
    std::vector<std::string> words;
};

TEST_F(safetensors_test, refuses_each_kind_of_bad_header) {
    const std::vector<bad_header> cases = {
        {"not JSON", "{\"a\":", 0, {"not valid JSON"}},
        {"garbage after the object", "{} x", 0, {"not valid JSON"}},
        {"an array", "[1]", 0, {"not a JSON object"}},
        {"leading white space", " {}", 0, {"not a JSON object"}},
        {"no header", "", 0, {"not a JSON object"}},
        {"invalid UTF-8", "{\"\xff\":1}", 0, {"not valid JSON"}},
        {"tensor named twice",
         "{" + f32("a", "[1]", "[0,4]") + "," + f32("a", "[1]", "[4,8]") + "}",
         8,
         {"'a'", "twice"}},
        {"field given twice",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}",
         4,
         {"'shape'", "twice"}},
        {"metadata key twice", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, {"'k'", "twice"}},
        {"metadata not an object", "{\"__metadata__\":[\"x\"]}", 0, {"__metadata__"}},
        {"metadata not strings", "{\"__metadata__\":{\"heads\":3}}", 0, {"'heads'", "not a string"}},
        {"deep nesting", "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0, {"nested"}},
        {"tensor not an object", "{\"a\":7}", 0, {"'a'", "object"}},
        {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, {"'a'", "'dtype'"}},
        {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, {"'a'", "'shape'"}},
        {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, {"'a'", "'data_offsets'"}},
        {"unknown field",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}",
         4,
         {"'a'", "'x'"}},
        {"unknown dtype", "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, {"'a'", "F31"}},
        {"dtype not a string", "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, {"'a'", "32"}},
        {"shape not an array", "{" + f32("a", "1", "[0,4]") + "}", 4, {"'a'", "not an array"}},
        {"negative extent", "{" + f32("a", "[-1]", "[0,4]") + "}", 4, {"'a'", "'-1'"}},
        {"fractional extent", "{" + f32("a", "[1.0]", "[0,4]") + "}", 4, {"'a'", "'1.0'"}},
        {"extent beyond 64 bits", "{" + f32("a", "[18446744073709551616]", "[0,4]") + "}", 4, {"'a'", "accepted"}},
        {"number beyond all ranges", "{" + f32("a", "[3e424]", "[0,4]") + "}", 4, {"out of range"}},
        {"elements overflow",
         "{" + f32("a", "[4294967296,4294967296]", "[0,4]") + "}",
         4,
         {"'a'", "elements overflows"}},
        {"bytes overflow", "{" + f32("a", "[4611686018427387904]", "[0,4]") + "}", 4, {"'a'", "bytes overflows"}},
        {"three offsets", "{" + f32("a", "[1]", "[0,4,8]") + "}", 8, {"'a'", "[0,4,8]"}},
        {"negative offset", "{" + f32("a", "[1]", "[-4,0]") + "}", 4, {"'a'", "[-4,0]"}},
        {"offsets swapped", "{" + f32("a", "[1]", "[4,0]") + "}", 4, {"'a'", "[4,0]"}},
        {"size is not that of the shape",
         "{" + f32("a", "[2,3]", "[0,20]") + "}",
         20,
         {"'a'", "20 bytes", "[2, 3]", "24"}},
        {"truncated data", "{" + f32("a", "[4]", "[0,16]") + "}", 15, {"'a'", "16", "15 bytes", "truncated"}},
        {"overlap",
         "{" + f32("a", "[2]", "[0,8]") + "," + f32("b", "[2]", "[4,12]") + "}",
         12,
         {"'b'", "byte 4", "overlaps tensor 'a'", "8"}},
        {"same bytes twice",
         "{" + f32("a", "[2]", "[0,8]") + "," + f32("b", "[2]", "[0,8]") + "}",
         8,
         {"'b'", "overlaps tensor 'a'"}},
        {"gap", "{" + f32("a", "[1]", "[0,4]") + "," + f32("b", "[1]", "[8,12]") + "}", 12, {"gap of 4 bytes", "'b'"}},
        {"gap at the start", "{" + f32("a", "[1]", "[4,8]") + "}", 8, {"gap of 4 bytes", "'a'"}},
        {"trailing bytes", "{" + f32("a", "[1]", "[0,4]") + "}", 7, {"3 trailing bytes", "byte 4 of 7"}},
        {"data without a tensor", "{}", 2, {"2 trailing bytes"}},
    };
    for (const auto& sample : cases) {
        SCOPED_TRACE(sample.kind);
        expect_refused(raw_file(sample.header, std::string(sample.data_bytes, '\1')), sample.words);
    }
}

TEST_F(safetensors_test, refuses_files_that_are_not_safetensors) {
    expect_refused(folder / "missing.safetensors", {"No such file"});
    expect_refused(folder, {"neither model.safetensors nor"});
    expect_refused("/dev/null", {"cannot read"});
    const auto pipe = folder / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    expect_refused(pipe, {"cannot read"}); // And does not wait for a writer.

    expect_refused(plain_file(""), {"0 bytes"});
    expect_refused(plain_file("1234567"), {"7 bytes"});
    expect_refused(plain_file(std::string("\xe9\x03\0\0\0\0\0\0", 8) + "{}"), {"1001", "only 2", "truncated"});
    expect_refused(plain_file(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + "{}"), {"100000001", "at most 100000000"});
    expect_refused(plain_file(std::string(8, '\xff') + "{}"), {"18446744073709551615"});
    expect_refused(plain_file("version https://git-lfs.github.com/spec/v1\n"), {"Git LFS"});
    expect_refused(plain_file("PK\x03\x04 and so on, for long enough"), {"PyTorch pickle"});
    expect_refused(plain_file(std::string("PK\x03\x04\0\0 cls_token.npy and so on", 30)), {"NumPy archive"});
    expect_refused(plain_file("\x80\x02}q\x01and so on"), {"PyTorch pickle"});
    expect_refused(plain_file(std::string("\x80\x04\x95\x10\0\0\0\0\0\0", 10)), {"PyTorch pickle"});
    expect_refused(plain_file("GGUF\x03 and so on"), {"GGUF"});
    expect_refused(plain_file("\n  <!DOCTYPE html><html>"), {"HTML"});
    expect_refused(plain_file("<html><body>404"), {"HTML"});
    expect_refused(plain_file("{\"architectures\": [\"ViT\"]}"), {"it is JSON"});
}

TEST_F(safetensors_test, a_model_in_several_files_is_one) {
    const std::vector<float> a{1, 2, 3}, b{4}, c{5, 6};
    write_safetensors(folder / "model-00001-of-00002.safetensors", {{"a", {3}, a}, {"b", {}, b}}, {{"mean", "0.5"}});
    write_safetensors(folder / "model-00002-of-00002.safetensors", {{"c", {2}, c}});
    const auto index = folder / "model.safetensors.index.json";
    const std::string start = "{\"metadata\": {\"total_size\": 24}, \"weight_map\": {",
                      first =
                          "\"a\": \"model-00001-of-00002.safetensors\", \"b\": \"model-00001-of-00002.safetensors\"",
                      second = ", \"c\": \"model-00002-of-00002.safetensors\"";
    const auto write = [&](const std::string& text) { std::ofstream(index) << text; };
    write(start + first + second + "}}");
    for (const auto& path : {index, folder}) {
        const safetensors_file model(path);
        EXPECT_EQ(model.path(), index);
        EXPECT_EQ(model.tensors().size(), 3U);
        EXPECT_EQ(model.files().size(), 2U);
        EXPECT_EQ(model.float32("a"), a);
        EXPECT_EQ(model.float32("b"), b);
        EXPECT_EQ(model.float32("c"), c);
        EXPECT_EQ(model.metadata().at("mean"), "0.5");
    }
    write(start + first + ", \"c\": \"model-00001-of-00002.safetensors\"}}");
    expect_refused(index, {"'c' is not in model-00001"});
    write(start + first + second + ", \"d\": \"model-00002-of-00002.safetensors\"}}");
    expect_refused(index, {"'d' is not in model-00002"});
    write(start + first + ", \"c\": \"../model-00002-of-00002.safetensors\"}}");
    expect_refused(index, {"'c' no .safetensors file beside it"});
    write(start + first + ", \"c\": 7}}");
    expect_refused(index, {"'c' no .safetensors file beside it"});
    write(start + "}}");
    expect_refused(index, {"no weight_map"});
    std::ofstream(folder / "self.safetensors") << R"({"weight_map": {"a": "self.safetensors"}})"; // is no end of itself
    expect_refused(folder / "self.safetensors", {"self.safetensors", "it is JSON"});
    write("{\"weight_map\": [");
    expect_refused(index, {"no weight_map"});
    write(start + first + second + "}}");
    write_safetensors(folder / "model-00002-of-00002.safetensors", {{"c", {2}, c}, {"b", {}, b}});
    expect_refused(index, {"'b' is in two of its files"});
    fs::remove(folder / "model-00002-of-00002.safetensors");
    expect_refused(index, {"model-00002-of-00002.safetensors", "No such file"});
    write_safetensors(folder / "model.safetensors", {{"c", {2}, c}}); // a single file comes first
    EXPECT_EQ(safetensors_file(folder).tensors().size(), 1U);
}

TEST_F(safetensors_test, a_hostile_name_cannot_break_the_message) {
    const std::string name = "a\\n\\u001b[31m" + std::string(5000, 'x');
    const auto path = raw_file("{" + f32(name, "[1]", "[0,8]") + "}", "12345678");
    expect_refused(path, {"a\\x0a\\x1b[31mxxx", "..."});
    try {
        const safetensors_file file(path);
    } catch (const usage_error& problem) {
        EXPECT_LT(std::strlen(problem.what()), 500U + path.string().size());
    }
}

TEST_F(safetensors_test, accepts_what_the_format_allows) {
    // Any order of keys, padding after the header, scalars, empty tensors anywhere, unaligned tensors, no tensors.
    const auto path = raw_file(
        "{\"z\":{\"data_offsets\":[1,5],\"shape\":[],\"dtype\":\"F32\"},\"e\":{\"dtype\":\"I64\",\"shape\":[0,7],"
        "\"data_offsets\":[5,5]},\"b\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}   ",
        std::string("\1\0\0\x20\x41", 5));
    const safetensors_file file(path);
    EXPECT_EQ(file.tensors().size(), 3U);
    EXPECT_EQ(file.at("z").elements, 1);
    EXPECT_EQ(file.float32("z"), std::vector<float>{10.0F}); // 0x41200000
    EXPECT_TRUE(file.int64("e").empty());
    EXPECT_EQ(file.find("missing"), nullptr);
    EXPECT_TRUE(safetensors_file(raw_file("{}", "")).tensors().empty());
}

TEST_F(safetensors_test, access_refuses_other_names_dtypes_and_sizes) {
    const safetensors_file file(
        raw_file("{\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", "12345678"));
    const auto message = [](auto&& call) {
        try {
            call();
        } catch (const usage_error& problem) {
            return std::string(problem.what());
        }
        return std::string("nothing thrown");
    };
    EXPECT_NE(message([&] { file.float32("d"); }).find("'d' has the dtype F64; accepted here: F32"), std::string::npos);
    EXPECT_NE(message([&] { file.int64("d"); }).find("'d' has the dtype F64; accepted here: I64"), std::string::npos);
    EXPECT_NE(message([&] { file.float32("q"); }).find("no tensor 'q'"), std::string::npos);
    std::vector<float> two(2);
    EXPECT_NE(message([&] { file.read_float32("d", two); }).find("1 elements, not 2"), std::string::npos);
}

TEST(float16_conversion, equals_the_definition_for_every_bit_pattern) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const int sign = (bits & 0x8000U) != 0 ? -1 : 1;
        const int exponent = static_cast<int>((bits >> 10) & 0x1fU);
        const int fraction = static_cast<int>(bits & 0x3ffU);
        const float converted = float16_to_float32(static_cast<std::uint16_t>(bits));
        EXPECT_EQ(std::signbit(converted), sign < 0) << bits;
        if (exponent == 31 && fraction != 0) {
            EXPECT_TRUE(std::isnan(converted)) << bits;
        } else if (exponent == 31) {
            EXPECT_TRUE(std::isinf(converted)) << bits;
        } else {
            // IEEE 754, binary16: bias 15, 10 bits of fraction, subnormals without the hidden one.
            const double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
            EXPECT_EQ(static_cast<double>(converted), sign * value) << bits;
        }
    }
}

TEST(bfloat16_conversion, is_the_upper_half_of_float32) {
    EXPECT_EQ(bfloat16_to_float32(0x3f80), 1.0F);
    EXPECT_EQ(bfloat16_to_float32(0xc049), -3.140625F);
    EXPECT_EQ(bfloat16_to_float32(0x0001), std::ldexp(1.0F, -133));
    EXPECT_TRUE(std::isinf(bfloat16_to_float32(0x7f80)));
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const int exponent = static_cast<int>((bits >> 7) & 0xffU);
        const int fraction = static_cast<int>(bits & 0x7fU);
        const float converted = bfloat16_to_float32(static_cast<std::uint16_t>(bits));
        if (exponent == 255) {
            EXPECT_EQ(std::isnan(converted), fraction != 0) << bits;
        } else {
            const double value =
                exponent == 0 ? std::ldexp(fraction, -133) : std::ldexp(128 + fraction, exponent - 134);
            EXPECT_EQ(static_cast<double>(converted), (bits & 0x8000U) != 0 ? -value : value) << bits;
        }
    }
}

TEST_F(safetensors_test, reads_half_precision_tensors) {
    // 1.5 and -2 in binary16 (0x3e00, 0xc000) and in bfloat16 (0x3fc0, 0xc000).
    const safetensors_file file(raw_file("{\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
                                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[4,8]}}",
                                         std::string("\x00\x3e\x00\xc0\xc0\x3f\x00\xc0", 8)));
    EXPECT_EQ(file.float32("h"), (std::vector<float>{1.5F, -2.0F}));
    EXPECT_EQ(file.float32("b"), (std::vector<float>{1.5F, -2.0F}));
}

TEST_F(safetensors_test, writes_what_it_reads) {
    const std::vector<float> matrix = {1.0F, -0.0F, 3.5e-42F, std::numeric_limits<float>::infinity(), 1e30F, -7.25F};
    const std::vector<std::int64_t> labels = {std::numeric_limits<std::int64_t>::min(), -1, 0};
    const float scalar = 0.1F;
    const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"odd \"key\"\n", "\xc3\xa4 \\ \t"}};
    const auto path = folder / "out.safetensors";
    auto view = tensor_view::allocate({2}, element_type::int64);
    view.as<std::int64_t>()[0] = 5;
    view.as<std::int64_t>()[1] = 6;

    write_safetensors(path,
                      {{"head.weight", {2, 3}, matrix},
                       {"labels", {3}, labels},
                       {"loss", {}, std::span(&scalar, 1)},
                       {"name with \"quotes\"", {0, 4}, std::span<const float>()},
                       {"view", view}},
                      metadata);

    const safetensors_file file(path);
    EXPECT_EQ(file.metadata(), metadata);
    ASSERT_EQ(file.tensors().size(), 5U);
    const auto read = file.float32("head.weight");
    EXPECT_EQ(std::memcmp(read.data(), matrix.data(), matrix.size() * sizeof(float)), 0);
    EXPECT_EQ(file.at("head.weight").shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(file.int64("labels"), labels);
    EXPECT_EQ(file.int64("view"), (std::vector<std::int64_t>{5, 6}));
    EXPECT_EQ(file.float32("loss"), std::vector<float>{0.1F});
    EXPECT_EQ(file.at("name with \"quotes\"").elements, 0);
    EXPECT_EQ(names_in_folder(), std::vector<std::string>{"out.safetensors"});

    // Alignment that PyTorch's loader needs: the data at 8 bytes, every int64 tensor before the float32 ones.
    std::uint64_t length = 0;
    std::memcpy(&length, file.files().front()->bytes().data(), 8);
    EXPECT_EQ(length % 8, 0U);
    for (const auto& tensor : file.tensors()) {
        EXPECT_EQ(tensor.begin % (tensor.dtype == "I64" ? 8 : 4), 0U) << tensor.name;
    }
}

TEST_F(safetensors_test, writer_replaces_an_older_file_and_keeps_a_mapped_one_intact) {
    const auto path = folder / "out.safetensors";
    const float old_value = 1.0F;
    const float new_value = 2.0F;
    write_safetensors(path, {{"a", {1}, std::span(&old_value, 1)}});
    const safetensors_file before(path);
    write_safetensors(path, {{"a", {1}, std::span(&new_value, 1)}});
    EXPECT_EQ(before.float32("a"), std::vector<float>{1.0F});
    EXPECT_EQ(safetensors_file(path).float32("a"), std::vector<float>{2.0F});
}

/// The writer must fail with a runtime_failure that holds every one of `words`.
void expect_not_written(const fs::path& path, const std::vector<tensor_to_write>& tensors,
                        const std::vector<std::string>& words) {
    try {
        write_safetensors(path, tensors);
        ADD_FAILURE() << "written, but should fail with: " << testing::PrintToString(words);
    } catch (const runtime_failure& problem) {
        for (const auto& word : words) {
            EXPECT_NE(std::string(problem.what()).find(word), std::string::npos) << problem.what();
        }
    }
}

TEST_F(safetensors_test, writer_refuses_contradictions_and_bad_targets) {
    const std::vector<float> two = {1.0F, 2.0F};
    const auto path = folder / "out.safetensors";
    expect_not_written(path, {{"a", {3}, two}}, {"'a'", "8 bytes", "[3]"});
    expect_not_written(path, {{"a", {-2}, two}}, {"'a'"});
    expect_not_written(path, {{"a", {2}, two}, {"a", {2}, two}}, {"'a'", "taken"});
    expect_not_written(path, {{"__metadata__", {2}, two}}, {"'__metadata__'"});
    expect_not_written(path, {{"\xff", {2}, two}}, {"not UTF-8"});
    expect_not_written(folder / "missing" / "out.safetensors", {{"a", {2}, two}}, {"missing", "No such file"});
    // Renaming over a device or a folder would do harm.
    expect_not_written("/dev/full", {{"a", {2}, two}}, {"/dev/full", "not a regular file"});
    expect_not_written(folder, {{"a", {2}, two}}, {"not a regular file"});
    EXPECT_TRUE(names_in_folder().empty());
}

TEST_F(safetensors_test, failed_write_keeps_the_older_file_and_leaves_nothing_else) {
    const auto path = folder / "out.safetensors";
    const std::vector<float> small = {1.0F};
    write_safetensors(path, {{"a", {1}, small}});
    const std::vector<float> large(64 * 1024);

    // A file-size limit makes write() fail half-way, for every user and on every file system.
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limited { 100 * 1024, before.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
    expect_not_written(path, {{"a", {64 * 1024}, large}}, {path.string(), std::strerror(EFBIG)});
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);

    EXPECT_EQ(names_in_folder(), std::vector<std::string>{"out.safetensors"});
    EXPECT_EQ(safetensors_file(path).float32("a"), small);
}

/// A mounted folder; unmounted even when the test fails.
struct mounted_folder {
    fs::path path;
    ~mounted_folder() { ::umount(path.c_str()); }
};

TEST_F(safetensors_test, full_disk_leaves_no_file) {
    const auto path = folder / "disk";
    fs::create_directory(path);
    if (::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k") != 0) {
        const std::string reason = std::strerror(errno);
        std::cout << "skipped: a small tmpfs for the full-disk test cannot be mounted (" << reason << ")\n";
        GTEST_SKIP() << "mount: " << reason;
    }
    const mounted_folder disk{path};
    const std::vector<float> large(64 * 1024);
    const auto target = disk.path / "out.safetensors";
    expect_not_written(target, {{"a", {64 * 1024}, large}}, {target.string(), std::strerror(ENOSPC)});
    EXPECT_TRUE(fs::is_empty(disk.path));
}

} // namespace
} // namespace gaisnet
