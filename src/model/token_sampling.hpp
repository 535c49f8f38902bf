#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace gaisnet {

/// How the next token is chosen.
struct sampling_rule {
    double temperature = 0.0; ///< 0: the likeliest, of equal ones the first.
    std::int64_t top_k = 0;   ///< 0: all
    double top_p = 1.0;
};

/// Chooses a token by its logits: those that are left by top_k and then by top_p (Holtzman et al., ICLR 2020) keep their
/// probabilities in proportion. \param logits of all tokens \param uniform from [0, 1)
std::int64_t choose_token(std::span<const float> logits, const sampling_rule&, double uniform);

/// Chooses token number `token` of a request's text by its logits.
using token_chooser =
    std::function<std::int64_t(std::span<const float> logits, std::int64_t request, std::int64_t token)>;

/// Draws from (seed, requester, request, token), so that a text does not depend on others, nor on ranks.
token_chooser make_token_chooser(const sampling_rule&, std::uint64_t seed, std::string requester);

} // namespace gaisnet
