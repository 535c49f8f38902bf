#include "experiment/measurement.hpp"

#include "base/text.hpp"
#include "commands.hpp"
#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "model/torch_stage.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <map>

namespace gaisnet {

namespace {

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Latency (s) and rate (bit/s) between ranks 0 and 1, at rank 0, by messages that go to and fro.
std::pair<double, double> measure_link(transport& network) {
    constexpr std::int64_t large = 1 << 20; // float32
    constexpr int trips = 20;
    const channel there{0, 1, message_kind::forward}, back{1, 0, message_kind::forward};
    const auto receive = [&] {
        for (;;) {
            if (auto arrived = network.poll()) {
                return std::move(arrived->tensor);
            }
        }
    };
    const auto round_trip = [&](std::int64_t elements) {
        double best = std::numeric_limits<double>::infinity();
        for (int i = 0; i < trips; ++i) {
            if (network.rank() == 0) {
                const double start = wall_seconds();
                network.send(1, {there, tensor_view::allocate({elements})});
                receive();
                best = std::min(best, wall_seconds() - start);
            } else if (network.rank() == 1) {
                network.send(0, {back, receive()});
            }
            while (!network.idle()) {}
        }
        network.barrier();
        return best;
    };
    const double small = round_trip(1), big = round_trip(large);
    constexpr double bits = 32.0;
    return {small / 2.0, static_cast<double>(large) * bits / std::max((big - small) / 2.0, 1e-12)};
}

} // namespace

exit_code calibrate(const command_line& given, session& here) {
    const auto run = prepare(given, here, false);
    const auto backbone = load_backbone(*run.scene, here);
    double flops = 0.0, seconds = 0.0;
    if (here.root()) {
        const auto speeds = measure_stages(*run.deploy, backbone.backbone);
        std::map<std::string, const stage_speed*> table;
        for (const auto& one : speeds) {
            table[one.shape] = &one;
        }
        for (const auto& seat : run.deploy->chains.front()) { // a whole chain, forward and backward
            const auto& speed = *table.at(shape_of(seat.spec));
            flops += seat.spec.forward_flops(1);
            seconds += seat.spec.forward_flops(1) / std::max(speed.forward_flop_s, 1.0);
            if (seat.spec.runs_backward()) {
                flops += seat.spec.backward_flops(1);
                seconds += seat.spec.backward_flops(1) / std::max(speed.backward_flop_s, 1.0);
            }
        }
    }
    here.network().barrier();
    const auto link = here.ranks() > 1 ? measure_link(here.network()) : std::pair{0.0, 0.0};
    if (here.root()) {
        constexpr double giga = 1e9, mega = 1e6, micro = 1e-6;
        fmt::print("# Measured on {}: a chain of this scenario, forward and backward, {} thread(s).\n", here.host(),
                   run.scene->runtime.threads);
        fmt::print("[device.client]\nrate = {:.4g} GFLOP/s\n", flops / seconds / giga);
        if (here.ranks() > 1) {
            fmt::print("\n# Between ranks 0 and 1, by messages that go to and fro.\n[link.d2d]\nrate = {:.4g} Mbit/s\n"
                       "latency = {:.4g} us\n",
                       link.second / mega, link.first / micro);
        } else {
            fmt::print("\n# Start it with jobs/mpirun.sh -n 2 to measure the link between two ranks, too.\n");
        }
        std::fflush(stdout);
    }
    return exit_code::ok;
}

} // namespace gaisnet
