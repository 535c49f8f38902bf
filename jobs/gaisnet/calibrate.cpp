#include "commands.hpp"

#include "experiment/backbone.hpp"
#include "experiment/measurement.hpp"
#include "experiment/preparation.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace gaisnet {

namespace {

exit_code calibrate(const command_line& given, session& here) {
    const auto run = prepare(given, here, false);
    const auto loaded = load_backbone(*run.scene, here);
    const double flop_s = here.root() ? measure_chain(*run.deploy, loaded.backbone) : 0.0;
    here.network().barrier();
    const auto link = here.ranks() > 1 ? measure_link(here.network()) : measured_link();
    if (!here.root()) {
        return exit_code::ok;
    }
    constexpr double giga = 1e9, mega = 1e6, micro = 1e-6;
    fmt::print("# Measured on {}: a chain of this scenario, forward and backward, {} thread(s).\n", here.host(),
               run.scene->runtime.threads);
    fmt::print("[device.client]\nrate = {:.4g} GFLOP/s\n", flop_s / giga);
    if (here.ranks() > 1) {
        fmt::print("\n# Between ranks 0 and 1, by messages that go to and fro.\n[link.d2d]\nrate = {:.4g} Mbit/s\n"
                   "latency = {:.4g} us\n",
                   link.rate_bit_s / mega, link.latency_s / micro);
    } else {
        fmt::print("\n# Start it with jobs/mpirun.sh -n 2 to measure the link between two ranks, too.\n");
    }
    std::fflush(stdout);
    return exit_code::ok;
}

const registration<command_action> registered_calibrate{{"calibrate", calibrate}};

} // namespace

} // namespace gaisnet
