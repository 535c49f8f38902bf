#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// The linear layers of a Transformer block. timm keeps the first three as one matrix, attn.qkv.
enum class block_linear : std::uint8_t { query, key, value, projection, fc1, fc2 };
constexpr std::size_t block_linears = 6;

/// How the foundation model is tuned; see make_tuning_method.
struct tuning_settings {
    std::string method = "prompt_deep";
    std::int64_t prompts = 10; ///< prompt_*, prefix
    std::int64_t rank = 8;     ///< lora
    double alpha = 8.0;        ///< lora: changes are scaled by alpha / rank.
    std::vector<block_linear> targets{block_linear::query, block_linear::value}; ///< lora
    std::int64_t bottleneck = 16;                                                ///< adapter
};

} // namespace gaisnet
