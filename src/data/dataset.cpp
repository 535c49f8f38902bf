#include "data/dataset.hpp"

#include "base/error.hpp"

namespace gaisnet {

image dataset::load(std::size_t) const {
    ensure(false, "the dataset is of images");
    return {};
}

token_sample dataset::load_text(std::size_t) const {
    ensure(false, "the dataset is of texts");
    return {};
}

data_split split_of(const dataset& data, double train_fraction, std::uint64_t seed) {
    auto given = data.given_split();
    return given ? std::move(*given) : stratified_split(data, train_fraction, seed);
}

} // namespace gaisnet
