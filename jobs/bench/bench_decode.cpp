// Images a second that a rank's decoding gives, by threads: what jobs/bench.sh --only decode prints.
// Usage: bench_decode [FOLDER OF IMAGES]

#include "data/batch_loader.hpp"
#include "data/image_folder.hpp"
#include "data/procedural.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace {

using namespace gaisnet;

constexpr int side = 224;
constexpr std::size_t batch = 64;

/// Procedural images, each value by its definition: as they were drawn before there was a faster way.
class value_by_value final : public dataset {
public:
    explicit value_by_value(const procedural_spec& spec): spec_(spec), names_(make_procedural(spec)) {}
    std::size_t size() const override { return names_->size(); }
    std::int64_t label(std::size_t sample) const override { return names_->label(sample); }
    const std::vector<std::string>& class_names() const override { return names_->class_names(); }
    std::string name(std::size_t sample) const override { return names_->name(sample); }
    image load(std::size_t sample) const override { return draw_value_by_value(spec_, sample); }

private:
    procedural_spec spec_;
    std::unique_ptr<dataset> names_;
};

/// Images a second of one epoch.
double rate_of_epoch(batch_loader& loader, std::int64_t epoch, std::size_t images) {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < loader.batches(); ++i) {
        loader.get(epoch, i);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(images) / took.count();
}

/// Decoded anew each time, and kept: an epoch after one that filled the memory.
void measure(const char* what, const dataset& data, std::size_t images, bool augment, std::size_t threads) {
    std::vector<std::size_t> samples(std::min(images, data.size()));
    std::iota(samples.begin(), samples.end(), 0U);
    loader_settings settings;
    settings.form.transform.size = side;
    settings.batch = batch;
    settings.augment = augment;
    settings.owner = "bench";
    const auto rate = [&](std::uint64_t memory) {
        image_supply supply(threads, memory);
        batch_loader loader(data, samples, settings, supply);
        if (memory > 0) {
            rate_of_epoch(loader, 0, samples.size());
        }
        return rate_of_epoch(loader, memory > 0 ? 2 : 0, samples.size()); // nothing of epoch 2 has been begun
    };
    fmt::print("{:<30} {:>7} {:>10.0f} {:>10.0f}\n", what, threads, rate(0), rate(std::uint64_t{8} << 30));
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
    try {
        fmt::print("{:<30} {:>7} {:>10} {:>10}\n", "images/s, 224 x 224 pixels", "threads", "each time", "kept");
        const procedural_spec spec{0, 6, side, 1200, 1};
        const auto cores = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
        measure("procedural, value by value", value_by_value(spec), 128, false, 1);
        const auto drawn = make_procedural(spec);
        std::unique_ptr<dataset> photos;
        if (argc > 1) {
            photos = std::make_unique<image_folder>(image_folder::without_labels(argv[1], "FOLDER"));
        }
        for (std::size_t threads = 1; threads <= cores; threads *= 2) {
            measure("procedural", *drawn, 512, false, threads);
            if (photos) {
                measure("photos, cropped and flipped", *photos, 512, true, threads);
            }
        }
        return 0;
    } catch (const std::exception& problem) {
        fmt::print(stderr, "bench_decode: error: {}\n", problem.what());
        return 1;
    }
}
