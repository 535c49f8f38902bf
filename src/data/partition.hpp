#pragma once

#include "data/labelled_samples.hpp"
#include "scenario/data.hpp"

#include <cstdint>
#include <vector>

namespace gaisnet {

struct data_split {
    std::vector<std::size_t> train, validation; ///< Sample numbers, ascending.
};

/// Splits every class by `train_fraction`. The draw depends only on the seed and the name of the class. Each of the two
/// sets keeps at least one sample of every class. \throws usage_error when a class has fewer than two samples, or
/// train_fraction is not between 0 and 1.
data_split stratified_split(const labelled_samples&, double train_fraction, std::uint64_t seed);
/// The same of texts whose next tokens are told, so that classes only tell files or folders apart: those that have one text
/// are split together. \throws usage_error for fewer than two texts.
data_split split_of_texts(const labelled_samples&, double train_fraction, std::uint64_t seed);

/// What a partition_entry deals out, and to how many.
struct partition_request {
    const labelled_samples& data;
    const std::vector<std::size_t>& samples;
    std::size_t parts, each; ///< See partition().
    const partition_rule& rule;
    std::uint64_t seed;
    const std::vector<std::vector<std::size_t>>& equal; ///< An equal part for everyone, at random: what `iid` gives.
};

/// Deals `samples` out to `parts` start points at random, without repeats: `each` to every one, or, when `each` is 0, all
/// of them in the shares that the rule says. With `quantity`, `each` is their mean. Nobody gets nothing: who would is given
/// one of the largest share. `domain` is for those who hold several datasets; here it is `iid`.
/// \throws usage_error with the numbers when there are not enough.
std::vector<std::vector<std::size_t>> partition(const labelled_samples&, const std::vector<std::size_t>& samples,
                                                std::size_t parts, std::size_t each, const partition_rule&,
                                                std::uint64_t seed);

/// Number of samples of each class.
std::vector<std::int64_t> label_histogram(const labelled_samples&, const std::vector<std::size_t>& samples);

} // namespace gaisnet
