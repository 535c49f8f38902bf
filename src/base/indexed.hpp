#pragma once

#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

namespace gaisnet {

/// A vector that is indexed by whatever integer names its elements: a cluster, an edge, a stage, an event. The index must
/// be within, as for std::vector.
template <typename T>
class indexed : public std::vector<T> {
public:
    using std::vector<T>::vector;
    indexed() = default;
    indexed(std::vector<T> values): std::vector<T>(std::move(values)) {} // NOLINT(google-explicit-constructor)

    T& operator[](std::integral auto index) { return std::vector<T>::operator[](static_cast<std::size_t>(index)); }
    const T& operator[](std::integral auto index) const {
        return std::vector<T>::operator[](static_cast<std::size_t>(index));
    }
};

} // namespace gaisnet
