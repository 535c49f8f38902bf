#pragma once

#include "data/image.hpp"
#include "data/labelled_samples.hpp"
#include "data/partition.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace gaisnet {

/// A text as a model takes it.
struct token_sample {
    /// [T]; to tell next tokens [T + 1]: all but the last are taken, all but the first told.
    std::vector<std::int32_t> tokens;
    std::int64_t padding = 0; ///< Of the T that are taken, the last so many only fill it up.
    std::int64_t told = 0;    ///< The first so many next tokens count.
    std::int64_t bytes = 0;   ///< Of text that these stand for.
};

/// Labelled images or texts: one of the two ways to load them works. All members may be called from several threads.
class dataset : public labelled_samples {
public:
    virtual image load(std::size_t sample) const;
    virtual token_sample load_text(std::size_t sample) const;
    /// Which samples train and which validate, where that is not for a draw by sample to decide.
    virtual std::optional<data_split> given_split() const { return std::nullopt; }
};

/// That of the dataset itself, or stratified_split(). \throws usage_error
data_split split_of(const dataset&, double train_fraction, std::uint64_t seed);

} // namespace gaisnet
