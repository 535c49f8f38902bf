#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// How badly a start point reads: the counterpart of blur and noise of images (see quality.hpp).
struct token_noise {
    double probability = 0;           ///< That a token is replaced by another one.
    std::int64_t vocabulary = 0;      ///< Ids of tokens are below it.
    std::vector<std::int32_t> kept{}; ///< Special tokens: neither replaced nor put in place of another.
};

/// Tokens as they are read: each is replaced with a probability by one of the others of the vocabulary, drawn evenly. A pure
/// function of its arguments; what becomes of a token depends on its place and on the sample's name alone, not on the tokens
/// around it. \throws usage_error for a probability outside of 0 to 1, and when there is nothing to replace a token by.
std::vector<std::int32_t> misread_tokens(std::vector<std::int32_t> tokens, const token_noise&, std::uint64_t seed,
                                         const std::string& name);

} // namespace gaisnet
