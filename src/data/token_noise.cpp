#include "data/token_noise.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>

namespace gaisnet {

std::vector<std::int32_t> misread_tokens(std::vector<std::int32_t> tokens, const token_noise& noise, std::uint64_t seed,
                                         const std::string& name) {
    if (!(noise.probability >= 0.0 && noise.probability <= 1.0)) {
        throw usage_error("token noise of " + std::to_string(noise.probability) +
                          "; a probability from 0 to 1 is accepted");
    }
    if (noise.probability == 0.0) {
        return tokens;
    }
    const auto is_kept = [&](std::int32_t token) {
        return std::find(noise.kept.begin(), noise.kept.end(), token) != noise.kept.end();
    };
    std::int64_t ordinary = 0;
    for (std::int32_t token = 0; token < noise.vocabulary && ordinary < 2; ++token) {
        ordinary += is_kept(token) ? 0 : 1;
    }
    if (ordinary < 2) {
        throw usage_error("token noise needs a vocabulary of two tokens that are not special");
    }
    auto source = random_stream(seed, "data.token_noise", name).blocks();
    for (std::size_t place = 0; place < tokens.size(); ++place) {
        source.index = static_cast<std::uint32_t>(place); // numbers of its own for each token
        random_stream draw(source);
        if (draw.uniform() >= noise.probability || is_kept(tokens[place])) {
            continue;
        }
        const auto before = tokens[place];
        do {
            tokens[place] = static_cast<std::int32_t>(draw.below(static_cast<std::uint64_t>(noise.vocabulary)));
        } while (tokens[place] == before || is_kept(tokens[place]));
    }
    return tokens;
}

} // namespace gaisnet
