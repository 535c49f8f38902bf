#pragma once

#include "model/language/language_model.hpp"
#include "model/torch/pretraining.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace gaisnet {

/// Next tokens: cross entropy of the output layer, the mean over a sample's tokens.
std::unique_ptr<pretraining_objective> make_next_token_modelling();

/// Which tokens are masked, and by what.
struct masking_rule {
    double ratio = 0.15;              ///< Part of a text's tokens; at least one is.
    std::int32_t mask = 0;            ///< Stands in their place.
    std::vector<std::int32_t> kept{}; ///< Special tokens, which never are.
    std::uint64_t seed = 1;           ///< With the sample's name and the epoch.
};

/// Masked tokens (Devlin et al., NAACL 2019, but that each is replaced by the mask): cross entropy of products with the
/// embedding of tokens, the mean over a sample's masked ones. Parameter: decoder.bias [vocabulary].
std::unique_ptr<pretraining_objective> make_masked_tokens(const foundation_model&, const masking_rule&);

} // namespace gaisnet
