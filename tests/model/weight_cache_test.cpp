// The image of weights that ranks share: made once, checked, and made again where it is damaged.

#include "model/files/weight_store.hpp"
#include "model/weight_files.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using weight_files::any_note_has;
using weight_files::expect_holds;
using weight_files::timm_checkpoint;
using weight_files::tiny;
using weight_files::weight_store_test;

TEST_F(weight_store_test, image_is_made_once_and_depends_on_content_not_on_path) {
    const auto weights = timm_checkpoint(tiny());
    weights.write(file);
    const auto first = weight_store::open(file, tiny(), cache);
    ASSERT_EQ(images().size(), 1U);
    const auto made = fs::last_write_time(images().front());
    std::ofstream(cache / ("." + images().front().filename().string() + ".1-0.tmp")) << "left by a killed process";

    fs::rename(file, folder / "moved.safetensors");
    const auto again = weight_store::open(folder / "moved.safetensors", tiny(), cache);
    expect_holds(*again, weights);
    EXPECT_EQ(images().size(), 1U);
    EXPECT_EQ(fs::last_write_time(images().front()), made);

    auto changed = weights;
    changed.tensors["norm.bias"].values[0] += 1.0F;
    changed.write(file);
    const auto other = weight_store::open(file, tiny(), cache);
    expect_holds(*other, changed);
    expect_holds(*first, weights);
    EXPECT_NE(other->fingerprint(), first->fingerprint());
    EXPECT_EQ(images().size(), 2U);
}

TEST_F(weight_store_test, racing_opens_agree) {
    const auto weights = timm_checkpoint(tiny());
    weights.write(file);
    std::vector<std::shared_ptr<const weight_store>> stores(8);
    {
        std::vector<std::jthread> threads;
        for (auto& store : stores) {
            threads.emplace_back([&] { store = weight_store::open(file, tiny(), cache); });
        }
    }
    for (const auto& store : stores) {
        expect_holds(*store, weights);
        EXPECT_TRUE(store->shared());
        EXPECT_TRUE(store->notes().empty());
    }
    EXPECT_EQ(images().size(), 1U);
    for (const auto& entry : fs::directory_iterator(cache)) {
        EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
    }
}

TEST_F(weight_store_test, damaged_image_is_made_again) {
    const auto weights = timm_checkpoint(tiny());
    weights.write(file);
    weight_store::open(file, tiny(), cache);
    ASSERT_EQ(images().size(), 1U);
    const auto image = images().front();
    const auto size = fs::file_size(image);
    const auto overwrite = [&](std::uintmax_t offset, char value) {
        std::fstream stream(image, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(static_cast<std::streamoff>(offset)).put(value);
    };
    const std::vector<std::pair<std::string, std::function<void()>>> damages = {
        {"it has only 0 bytes", [&] { fs::resize_file(image, 0); }},
        {"instead of " + std::to_string(size), [&] { fs::resize_file(image, size - 64); }},
        {"instead of " + std::to_string(size), [&] { fs::resize_file(image, size + 1); }},
        {"not an image of version 2", [&] { overwrite(0, 'X'); }},
        {"not an image of version 2", [&] { overwrite(8, 9); }},
        {"checksum of its header", [&] { overwrite(20, 'X'); }},
        {"checksum of its tensors", [&] { overwrite(4096 + 5, 'X'); }},
    };
    for (const auto& [reason, damage] : damages) {
        SCOPED_TRACE(reason);
        damage();
        const auto store = weight_store::open(file, tiny(), cache);
        expect_holds(*store, weights);
        EXPECT_TRUE(store->shared());
        ASSERT_EQ(store->notes().size(), 1U);
        EXPECT_TRUE(any_note_has(*store, reason)) << store->notes().front();
        EXPECT_TRUE(weight_store::open(file, tiny(), cache)->notes().empty());
    }
}

TEST_F(weight_store_test, unusable_cache_means_private_memory_and_a_note) {
    const auto weights = timm_checkpoint(tiny());
    weights.write(file);
    const auto shared = weight_store::open(file, tiny(), cache);

    // A file stands where the folder should be: fails for root too.
    std::ofstream(folder / "not-a-folder") << "x";
    const auto blocked = weight_store::open(file, tiny(), folder / "not-a-folder" / "cache");
    expect_holds(*blocked, weights);
    EXPECT_FALSE(blocked->shared());
    EXPECT_TRUE(any_note_has(*blocked, "every rank keeps its own copy"));
    EXPECT_TRUE(any_note_has(*blocked, std::strerror(ENOTDIR)));
    EXPECT_EQ(blocked->fingerprint(), shared->fingerprint());

    // As on a full disk, the image cannot be written to its end.
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limited { 32 * 1024, before.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
    const auto full = weight_store::open(file, tiny(), folder / "full");
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    expect_holds(*full, weights);
    EXPECT_FALSE(full->shared());
    EXPECT_TRUE(any_note_has(*full, std::strerror(EFBIG)));
    for (const auto& entry : fs::directory_iterator(folder / "full")) {
        EXPECT_EQ(entry.path().filename(), ".lock");
    }
}

TEST_F(weight_store_test, default_cache_follows_the_environment) {
    const auto with = [](const char* xdg, const char* home) {
        xdg == nullptr ? ::unsetenv("XDG_CACHE_HOME") : ::setenv("XDG_CACHE_HOME", xdg, 1);
        home == nullptr ? ::unsetenv("HOME") : ::setenv("HOME", home, 1);
        return weight_store::default_cache_dir();
    };
    const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
    const std::string xdg = std::getenv("XDG_CACHE_HOME") == nullptr ? "" : std::getenv("XDG_CACHE_HOME");
    EXPECT_EQ(with("/x/cache", "/home/a"), "/x/cache/gaisnet");
    EXPECT_EQ(with("relative", "/home/a"), "/home/a/.cache/gaisnet");
    EXPECT_EQ(with(nullptr, "/home/a"), "/home/a/.cache/gaisnet");
    EXPECT_EQ(with(nullptr, nullptr), fs::temp_directory_path() / ("gaisnet-" + std::to_string(::getuid())));

    // And open() takes it when it is given none.
    timm_checkpoint(tiny()).write(file);
    with((folder / "xdg").c_str(), nullptr);
    EXPECT_TRUE(weight_store::open(file, tiny())->shared());
    EXPECT_TRUE(fs::is_directory(folder / "xdg" / "gaisnet"));
    with(xdg.empty() ? nullptr : xdg.c_str(), home.empty() ? nullptr : home.c_str());
}

} // namespace
} // namespace gaisnet
