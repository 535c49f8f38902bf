// network.file: JSON or CSV, and back.

#include "fuzz.hpp"

#include "scenario/network.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gaisnet;
    fuzz::expect_own_error([&] { read_network_file(fuzz::put("network", {data, size})); });
    return 0;
}
