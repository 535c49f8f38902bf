#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace gaisnet {

/// Counter-based random numbers: every number is a pure function of (seed, purpose, entity, round, index), so adding a
/// node, a rank or a thread changes no other number. Generator: Philox4x32-10 (Salmon et al., SC 2011); the key is a
/// 64-bit hash of seed, purpose and entity, the counter is (round, index, draw). The distributions are our own, because
/// those of the standard library differ between implementations.
class random_stream {
public:
    /// \param purpose what the numbers are for ("shuffle", "device.rate"); \param entity whose they are ("c1.2").
    /// \param round round or epoch; \param index sample or message number.
    random_stream(std::uint64_t seed, std::string_view purpose, std::string_view entity, std::uint32_t round = 0,
                  std::uint32_t index = 0);

    std::uint32_t bits();                    ///< 32 uniform random bits.
    double uniform();                        ///< In [0, 1), 53 bits.
    double uniform(double low, double high); ///< In [low, high).
    double normal();                         ///< Standard normal (Box-Muller).
    double gamma(double shape);              ///< Gamma with scale 1 (Marsaglia and Tsang 2000); shape > 0.
    std::vector<double> dirichlet(std::size_t size, double alpha); ///< Symmetric; sums to 1.
    std::uint64_t below(std::uint64_t bound);                      ///< Unbiased integer in [0, bound); bound > 0.
    std::vector<std::size_t> permutation(std::size_t size);        ///< Fisher-Yates shuffle of 0 .. size - 1.

private:
    void refill();

    std::uint32_t key_[2];
    std::uint32_t counter_[4];
    std::uint32_t block_[4];
    int used_ = 4;
};

/// 64-bit FNV-1a with a final avalanche; used for keys of random streams and of cache files, not for security.
std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed = 0);

} // namespace gaisnet
