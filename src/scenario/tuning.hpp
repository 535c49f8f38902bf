#pragma once

// How the foundation model is tuned: [tuning].

#include "settings/key.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// The linear layers of a Transformer block. Files may store the first three as one matrix. In an MLP with a gate,
/// fc2(act(gate(x)) * fc1(x)), fc1 and fc2 are what others call the up and the down projection.
enum class block_linear : std::uint8_t { query, key, value, projection, fc1, fc2, gate };
constexpr std::size_t block_linears = 7;
inline constexpr word<block_linear> block_linear_words[] = {
    {"q", block_linear::query},         {"k", block_linear::key},   {"v", block_linear::value},
    {"proj", block_linear::projection}, {"fc1", block_linear::fc1}, {"fc2", block_linear::fc2},
    {"gate", block_linear::gate}};

struct scenario;
class tuning_method;

/// A tuning method that tuning.method can name; each registers itself in a file of src/model/tuning.
struct tuning_entry {
    const char* name;
    /// \throws usage_error for a setting that does not fit.
    std::shared_ptr<const tuning_method> (*make)(const scenario&);
};

/// How tunables of unequal ranks are averaged; see average_rule.
enum class rank_average : std::uint8_t { pad, truncate, product };
inline constexpr word<rank_average> rank_average_words[] = {
    {"pad", rank_average::pad}, {"truncate", rank_average::truncate}, {"product", rank_average::product}};
/// Who of an edge's clients gets which of the drawn ranks.
enum class rank_order : std::uint8_t {
    draw,    ///< Each what was drawn by its name.
    memory,  ///< The larger ones go to the devices with more memory,
    compute, ///< or to the faster ones.
};
inline constexpr word<rank_order> rank_order_words[] = {
    {"draw", rank_order::draw}, {"memory", rank_order::memory}, {"compute", rank_order::compute}};

struct tuning_settings {
    static constexpr section key{"tuning", commands::emulating};
    std::string method = key.named<tuning_entry>("method", "prompt_deep", "what is tuned beside the head");
    std::int64_t prompts = key.integer("prompts", "10", "prompts, or keys and values, a block", within(1, 100'000),
                                       {.when = {with("tuning.method", {"prompt_deep", "prompt_shallow", "prefix"})}});
    drawn_count rank = key.drawn_whole("rank", "8", "rank of each change, drawn for each client", within(1, 100'000),
                                       {.when = {with("tuning.method", {"lora"})}});
    rank_order rank_by = key.choice(
        "rank_by", "draw", rank_order_words,
        "who of an edge's clients gets which of the drawn ranks: each its own, or the larger ones those with "
        "more memory, or the faster ones",
        {.when = {with("tuning.method", {"lora"})}});
    rank_average average =
        key.choice("average", "pad", rank_average_words,
                   "of unequal ranks: what a client lacks counts as 0; each rank over the clients that have it; or the "
                   "product of both factors, factorised again",
                   {.when = {with("tuning.method", {"lora"})}});
    double alpha = key.real("alpha", "8", "changes are scaled by alpha / the largest rank of a client",
                            within(1e-6, 1e6), {.when = {with("tuning.method", {"lora"})}});
    /// Empty: all that a block of the model has.
    std::vector<block_linear> targets =
        key.parsed("targets", "q, v", "all, or some of q, k, v, proj, fc1, fc2, gate", "linear layers that are changed",
                   parse_targets, {.when = {with("tuning.method", {"lora"})}});
    std::int64_t bottleneck = key.integer("bottleneck", "16", "width of each adapter", within(1, 100'000),
                                          {.when = {with("tuning.method", {"adapter"})}});

    bool operator==(const tuning_settings&) const = default;

private:
    static std::vector<block_linear> parse_targets(const std::string&);
};

} // namespace gaisnet
