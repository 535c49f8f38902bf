#pragma once

#include "base/bytes.hpp"
#include "transport/transport.hpp"

#include <utility>
#include <vector>

namespace gaisnet {

/// Returns rank 0's value on every rank. Every rank has to call it.
template <typename T>
T share_from_root(transport& network, const T& value) {
    byte_writer out;
    if (network.rank() == 0) {
        out.put(value);
    }
    auto bytes = out.take();
    network.broadcast(bytes, 0);
    byte_reader in(bytes);
    return in.get<T>();
}

/// Returns the values of all ranks at rank 0, indexed by rank; empty elsewhere. Every rank has to call it.
template <typename T>
std::vector<T> collect_at_root(transport& network, const T& value) {
    byte_writer out;
    out.put(value);
    std::vector<T> all;
    for (const auto& part : network.gather(out.take(), 0)) {
        byte_reader in(part);
        all.push_back(in.get<T>());
    }
    return all;
}

/// Returns the values of all ranks on every rank, indexed by rank. Every rank has to call it.
template <typename T>
std::vector<T> collect_everywhere(transport& network, const T& value) {
    return share_from_root(network, collect_at_root(network, value));
}

} // namespace gaisnet
