#include "transport/loopback.hpp"

#include "transport/conformance.hpp"

namespace gaisnet {
namespace {

TEST(loopback, conforms_with_one_to_four_ranks) {
    for (int ranks = 1; ranks <= 4; ++ranks) {
        auto world = loopback_world(ranks);
        std::vector<std::jthread> threads;
        for (auto& one : world) {
            threads.emplace_back([&network = *one] { conformance::everything({network}); });
        }
    }
}

} // namespace
} // namespace gaisnet
