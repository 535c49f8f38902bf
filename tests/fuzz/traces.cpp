// Rates, positions and requests over time. The first byte says which.

#include "fuzz.hpp"

#include "scenario/scenario.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gaisnet;
    if (size == 0) {
        return 0;
    }
    const auto path = fuzz::put("trace", {data + 1, size - 1});
    fuzz::expect_own_error([&] {
        switch (data[0] % 3) {
        case 0: read_rate_trace(path); break;
        case 1: read_paths(path); break;
        default: read_request_trace(path);
        }
    });
    return 0;
}
