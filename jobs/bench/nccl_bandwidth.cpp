// Measures what the transports of a run carry between GPUs: messages from rank 0 to rank 1, and the integer sums of an
// average over all ranks, host copies included. Usage: jobs/mpirun.sh -n N build/.../nccl_bandwidth [--share-gpu]
// [--mpi]; --mpi leaves NCCL out. Prints lines "what bytes seconds GB/s formula".

#include "base/error.hpp"
#include "base/stopwatch.hpp"
#include "experiment/session.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <cstdio>
#include <numeric>
#include <set>
#include <string>
#include <thread>

namespace {

using namespace gaisnet;
void print(const char* what, double bytes, double seconds, double rate, const char* formula) {
    fmt::print("{:<8} {:>12.0f} B {:>12.6f} s {:>9.2f} GB/s   {}\n", what, bytes, seconds, rate / 1e9, formula);
    std::fflush(stdout);
}

/// The best of some series of messages of `elements` floats from rank 0 to rank 1.
void measure_messages(transport& network, std::int64_t elements) {
    constexpr int messages = 20, series = 5;
    const auto tensor = to_view(at::ones({elements}, at::kCUDA));
    const channel route{0, 1, message_kind::forward};
    double best = 1e300;
    for (int i = 0; i < series; ++i) {
        exchange next{route, 0, 1, tensor_view::shape_only({elements}), {}};
        network.expect(std::vector<exchange>(messages, next));
        network.barrier();
        const stopwatch watch;
        for (int sent = 0; sent < messages && network.rank() == 0; ++sent) {
            network.send(1, {route, tensor});
        }
        for (int got = 0; got < messages && network.rank() == 1;) {
            got += network.poll() ? 1 : 0;
        }
        while (!network.idle()) {}
        network.barrier();
        best = std::min(best, watch.seconds() / messages);
    }
    if (network.rank() == 0) {
        const auto bytes = static_cast<double>(tensor.bytes());
        print("message", bytes, best, bytes / best, "bytes / time");
    }
}

void measure_sums(transport& network, std::size_t elements) {
    std::vector<int> everyone(static_cast<std::size_t>(network.ranks()));
    std::iota(everyone.begin(), everyone.end(), 0);
    network.prepare(everyone);
    const auto buffer = std::make_shared<std::vector<std::int64_t>>(elements, 1);
    double best = 1e300;
    for (int i = 0; i < 5; ++i) {
        network.expect({{{}, 0, 0, {}, everyone}});
        network.barrier();
        const stopwatch watch;
        const auto pending = network.sum(buffer, everyone);
        while (!pending->done()) {
            network.poll();
        }
        network.barrier();
        best = std::min(best, watch.seconds());
    }
    if (network.rank() == 0) {
        const auto bytes = static_cast<double>(elements * sizeof(std::int64_t));
        const auto n = static_cast<double>(network.ranks());
        print("sum", bytes, best, bytes / best * 2.0 * (n - 1.0) / n, "bytes / time x 2 (n - 1) / n (bus bandwidth)");
    }
}

void measure(session& here, const std::set<std::string>& options) {
    here.find_devices(device_choice::cuda, options.contains("--share-gpu"), !options.contains("--mpi"));
    here.watch("bandwidth", 10.0);
    here.open_devices();
    auto& network = here.network();
    if (network.ranks() < 2) {
        throw usage_error("two ranks or more are needed");
    }
    network.connect({{0, 1}});
    // Ranks of one GPU talk over sockets.
    const std::int64_t largest = options.contains("--share-gpu") ? 16 : 256;
    for (std::int64_t megabytes = 1; megabytes <= largest; megabytes *= 4) {
        measure_messages(network, megabytes * 1'000'000 / 4);
    }
    for (std::int64_t megabytes = 1; megabytes <= largest; megabytes *= 16) {
        measure_sums(network, static_cast<std::size_t>(megabytes) * 1'000'000 / 8);
    }
    network.barrier();
}

} // namespace

int main(int argc, char** argv) {
    std::unique_ptr<session> here;
    try {
        here = std::make_unique<session>(argc, argv);
        const std::set<std::string> options(argv + 1, argv + argc);
        for (const auto& option : options) {
            if (option != "--share-gpu" && option != "--mpi") {
                throw usage_error("unknown option '" + option + "'; --share-gpu and --mpi are accepted");
            }
        }
        measure(*here, options);
        return 0;
    } catch (const std::exception& problem) {
        const auto* known = dynamic_cast<const error*>(&problem);
        if (!known || !known->on_all_ranks() || !here || here->root()) {
            fmt::print(stderr, "nccl_bandwidth: error: {}\n", problem.what());
        }
        std::fflush(nullptr);
        if (here) {
            here->abort(1);
        }
        return 1;
    }
}
