#include "base/random.hpp"

#include "base/error.hpp"

#include <cmath>
#include <numbers>
#include <utility>

namespace gaisnet {

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed) {
    std::uint64_t h = 0xcbf29ce484222325ULL ^ (seed * 0x9e3779b97f4a7c15ULL);
    for (unsigned char byte : bytes) {
        h = (h ^ byte) * 0x100000001b3ULL;
    }
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
}

random_stream::random_stream(std::uint64_t seed, std::string_view purpose, std::string_view entity, std::uint32_t round,
                             std::uint32_t index) {
    const std::uint64_t key = stable_hash(entity, stable_hash(purpose, seed));
    source_ = {{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}, 0, index, round};
}

random_stream::block_source random_stream::blocks() const {
    ensure(used_ == 4, "the stream is at the end of a block");
    return source_;
}

void random_stream::refill() {
    block_[0] = static_cast<std::uint32_t>(source_.next);
    block_[1] = static_cast<std::uint32_t>(source_.next >> 32);
    block_[2] = source_.index;
    block_[3] = source_.round;
    philox(block_, source_.key[0], source_.key[1]);
    ++source_.next;
    used_ = 0;
}

std::uint32_t random_stream::bits() {
    if (used_ == 4) {
        refill();
    }
    return block_[used_++];
}

double random_stream::uniform() {
    const std::uint64_t high = bits() >> 5;
    const std::uint64_t low = bits() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) * (1.0 / 9007199254740992.0);
}

double random_stream::uniform(double low, double high) { return low + (high - low) * uniform(); }

double random_stream::normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

double random_stream::gamma(double shape) {
    if (shape < 1.0) {
        const double boost = std::pow(1.0 - uniform(), 1.0 / shape);
        return gamma(shape + 1.0) * boost;
    }
    const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
        const double x = normal(), root = 1.0 + c * x;
        if (root <= 0.0) {
            continue;
        }
        const double v = root * root * root;
        if (std::log(1.0 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
            return d * v;
        }
    }
}

std::vector<double> random_stream::dirichlet(std::size_t size, double alpha) {
    std::vector<double> parts;
    double sum = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
        parts.push_back(gamma(alpha));
        sum += parts.back();
    }
    if (sum == 0.0) { // a tiny alpha: all values underflow, so one part gets everything
        parts.assign(size, 0.0);
        parts[below(size)] = sum = 1.0;
    }
    for (auto& part : parts) {
        part /= sum;
    }
    return parts;
}

std::uint64_t random_stream::below(std::uint64_t bound) {
    // Rejection keeps the draw unbiased: the values below `threshold` would make the first residues more frequent.
    const std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
        const std::uint64_t high = bits();
        const std::uint64_t value = (high << 32) | bits();
        if (value >= threshold) {
            return value % bound;
        }
    }
}

std::vector<std::size_t> random_stream::permutation(std::size_t size) {
    std::vector<std::size_t> order(size);
    for (std::size_t i = 0; i < size; ++i) {
        order[i] = i;
    }
    for (std::size_t i = size; i > 1; --i) {
        std::swap(order[i - 1], order[below(i)]);
    }
    return order;
}

} // namespace gaisnet
