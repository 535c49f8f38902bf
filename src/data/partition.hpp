#pragma once

#include "data/dataset.hpp"

#include <cstdint>
#include <vector>

namespace gaisnet {

struct data_split {
    std::vector<std::size_t> train, validation; ///< Sample numbers, ascending.
};

/// Splits every class by `train_fraction`, drawn from the seed and the class's name and from nothing else; each part
/// keeps at least one sample of every class.
/// \throws usage_error when a class has fewer than two samples, or train_fraction is not between 0 and 1.
data_split stratified_split(const dataset&, double train_fraction, std::uint64_t seed);

/// Deals `samples` out to `parts` start points at random, without repeats: `each` to every one, or, when `each` is 0,
/// equal shares of all (sizes differ by one at most).
/// \throws usage_error with the numbers when there are fewer than parts x each samples, or none for some.
std::vector<std::vector<std::size_t>> partition_iid(const std::vector<std::size_t>& samples, std::size_t parts,
                                                    std::size_t each, std::uint64_t seed);

} // namespace gaisnet
