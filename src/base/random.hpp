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
    /// Key and position of the generator's next blocks of four words.
    struct block_source {
        std::uint32_t key[2];
        std::uint64_t next; ///< Number of the next block.
        std::uint32_t index, round;
    };
    /// \param purpose what the numbers are for ("shuffle", "device.rate"). \param entity the name of what they belong
    /// to ("c1.2"). \param round round or epoch number. \param index sample or message number.
    random_stream(std::uint64_t seed, std::string_view purpose, std::string_view entity, std::uint32_t round = 0,
                  std::uint32_t index = 0);
    explicit random_stream(const block_source& source): source_(source) {}

    std::uint32_t bits();                    ///< 32 uniform random bits.
    double uniform();                        ///< In [0, 1), 53 bits.
    double uniform(double low, double high); ///< In [low, high).
    double normal();                         ///< Standard normal (Box-Muller).
    double gamma(double shape);              ///< Gamma with scale 1 (Marsaglia and Tsang 2000); shape > 0.
    std::vector<double> dirichlet(std::size_t size, double alpha); ///< Symmetric; sums to 1.
    std::uint64_t below(std::uint64_t bound);                      ///< Unbiased integer in [0, bound); bound > 0.
    std::vector<std::size_t> permutation(std::size_t size);        ///< Fisher-Yates shuffle of 0 .. size - 1.

    /// The source of the blocks that follow. \throws error (a broken invariant) in the middle of a block.
    block_source blocks() const;

private:
    void refill();

    block_source source_;
    std::uint32_t block_[4];
    int used_ = 4;
};

/// The rounds of Philox4x32-10: `counter` becomes four random words.
inline void philox(std::uint32_t (&counter)[4], std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = 0xD2511F53ULL * counter[0];
        const std::uint64_t b = 0xCD9E8D57ULL * counter[2];
        counter[0] = static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0;
        counter[1] = static_cast<std::uint32_t>(b);
        counter[2] = static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1;
        counter[3] = static_cast<std::uint32_t>(a);
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
}

/// 64-bit FNV-1a with a final avalanche; used for keys of random streams and of cache files, not for security.
std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed = 0);

} // namespace gaisnet
