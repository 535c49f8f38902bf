#include "emulation/half_duplex.hpp"

#include <algorithm>

namespace gaisnet {

void half_duplex_radios::acquire(std::uint32_t sender, std::vector<std::uint32_t> receivers, action go) {
    const auto number = next_++;
    radios_[sender].waiting.push_back(number);
    for (const auto receiver : receivers) {
        radios_[receiver].waiting.push_back(number);
    }
    requests_[number] = {sender, std::move(receivers), std::move(go)};
    serve({sender}, {});
}

void half_duplex_radios::release(std::uint32_t sender, const std::vector<std::uint32_t>& receivers, transfer ended) {
    --radios_.at(sender).sending;
    for (const auto receiver : receivers) {
        --radios_.at(receiver).receiving;
    }
    auto nodes = receivers;
    nodes.push_back(sender);
    serve(std::move(nodes), ended);
}

void half_duplex_radios::forget_waiting() {
    for (auto& [node, one] : radios_) {
        one.waiting.clear();
    }
    requests_.clear();
}

bool half_duplex_radios::can_go(std::uint64_t number) const {
    const auto& wanted = requests_.at(number);
    const auto& from = radios_.at(wanted.sender);
    return from.waiting.front() == number && from.receiving == 0 &&
           std::all_of(wanted.receivers.begin(), wanted.receivers.end(), [&](std::uint32_t receiver) {
               const auto& to = radios_.at(receiver);
               return to.waiting.front() == number && to.sending == 0;
           });
}

/// Grants the requests that can start at these nodes and, after each grant, at the other nodes of that transfer.
void half_duplex_radios::serve(std::vector<std::uint32_t> nodes, std::optional<transfer> released_by) {
    while (!nodes.empty()) {
        const auto& queue = radios_[nodes.back()].waiting;
        if (queue.empty() || !can_go(queue.front())) {
            nodes.pop_back();
            continue;
        }
        const auto granted = std::move(requests_.extract(queue.front()).mapped());
        auto& from = radios_.at(granted.sender);
        from.waiting.pop_front();
        ++from.sending;
        nodes.push_back(granted.sender);
        for (const auto receiver : granted.receivers) {
            auto& to = radios_.at(receiver);
            to.waiting.pop_front();
            ++to.receiving;
            nodes.push_back(receiver);
        }
        granted.go(released_by);
    }
}

} // namespace gaisnet
