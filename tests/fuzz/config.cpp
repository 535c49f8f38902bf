// A configuration file, up to the scenario.

#include "fuzz.hpp"

#include "scenario/scenario.hpp"
#include "settings/options.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gaisnet;
    const auto path = fuzz::put("run.cfg", {data, size});
    fuzz::expect_own_error([&] {
        const auto given = parse_command_line({"plan", "--config", path}, {});
        read_scenario(given.values);
    });
    return 0;
}
