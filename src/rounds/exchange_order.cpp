#include "rounds/exchange_order.hpp"

#include <algorithm>
#include <utility>

namespace gaisnet {

std::vector<decided_exchange> exchange_order::take() {
    std::stable_sort(all_.begin(), all_.end(), [](const placed& a, const placed& b) {
        return std::tuple(a.wave, a.start_s, a.what.is_average()) < std::tuple(b.wave, b.start_s, b.what.is_average());
    });
    std::vector<decided_exchange> order;
    for (auto& one : std::exchange(all_, {})) {
        order.push_back(std::move(one.what));
    }
    return order;
}

} // namespace gaisnet
