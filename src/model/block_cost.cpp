#include "model/block_cost.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

class walk {
public:
    walk(std::int64_t tokens, bool weights): tokens_(tokens), weights_(weights) {}

    /// A linear layer without its low-rank change. \returns whether its output needs a gradient.
    bool linear(std::int64_t in, std::int64_t out, bool gradient) {
        product(in * out, (gradient ? 1 : 0) + (weights_ ? 1 : 0));
        return gradient || weights_;
    }
    /// x A^T B^T for x [tokens, in]. \returns whether the result needs a gradient.
    bool low_rank(std::int64_t in, std::int64_t rank, std::int64_t out, bool gradient) {
        product(in * rank, (gradient ? 1 : 0) + 1);
        product(rank * out, rank > 0 ? 2 : 0);
        keep(rank);
        return rank > 0;
    }
    /// An adapter on an output [tokens, dim]; always trained.
    void adapter(std::int64_t dim, std::int64_t width, bool gradient) {
        product(dim * width, (gradient ? 1 : 0) + 1);
        product(width * dim, 2);
        keep(dim + 2 * width); // its input, the input of GELU and the input of the up projection
    }
    void layer_norm(std::int64_t dim, bool gradient) {
        if (gradient || weights_) {
            keep(dim + 2); // with mean and reciprocal deviation
        }
    }
    /// Counts tokens x values multiply-accumulates in the forward, `times` as many in the backward.
    void product(std::int64_t values, int times) {
        cost_.forward_mac += static_cast<double>(tokens_ * values);
        cost_.backward_mac += static_cast<double>(tokens_ * values * times);
    }
    /// Counts `values` retained values per token.
    void keep(std::int64_t values) { cost_.retained += tokens_ * values; }
    block_cost& cost() { return cost_; }

private:
    std::int64_t tokens_;
    bool weights_;
    block_cost cost_;
};

} // namespace

block_cost cost_of_attention_block(const block_shape& shape, const block_change& change, bool input_gradient) {
    using enum block_linear;
    const auto d = shape.dim, hidden = shape.hidden;
    const auto tokens = shape.tokens + change.prompts;
    const auto keys = tokens + change.prefix;
    const bool weights = change.weights;
    const auto rank = [&](block_linear layer) { return change.rank_of(layer); };
    walk at(tokens, weights);

    const bool in = input_gradient || change.own_prompts;
    at.layer_norm(d, in);
    const bool normal = in || weights;
    at.linear(d, 3 * d, normal);
    if (weights || rank(query) + rank(key) + rank(value) > 0) {
        at.keep(d); // the input of the tuned part
    }
    const bool tuned_query = at.low_rank(d, rank(query), d, normal);
    const bool tuned_key = at.low_rank(d, rank(key), d, normal);
    const bool tuned_value = at.low_rank(d, rank(value), d, normal);
    const bool query_gradient = normal || tuned_query;
    const bool key_gradient = normal || tuned_key || change.prefix > 0;
    const bool value_gradient = normal || tuned_value || change.prefix > 0;
    const bool probabilities = query_gradient || key_gradient;

    at.product(keys * d, (query_gradient ? 1 : 0) + (key_gradient ? 1 : 0));  // scores
    at.product(keys * d, (probabilities ? 1 : 0) + (value_gradient ? 1 : 0)); // their mix of values
    auto& kept = at.cost().retained;
    kept += (key_gradient ? tokens * d : 0) + (query_gradient ? keys * d : 0); // query and keys, for each other
    kept += probabilities ? keys * d : 0;                                      // values
    kept += probabilities || value_gradient ? shape.heads * tokens * keys : 0;
    const bool mixed = probabilities || value_gradient;
    if (weights || rank(projection) > 0) {
        at.keep(d);
    }
    bool attended = at.linear(d, d, mixed);
    attended = at.low_rank(d, rank(projection), d, mixed) || attended;
    if (change.bottleneck > 0) {
        at.adapter(d, change.bottleneck, attended);
        attended = true;
    }

    const auto after_attention = kept;
    const bool middle = in || attended;
    at.layer_norm(d, middle);
    const bool second = middle || weights;
    if (weights || rank(fc1) > 0) {
        at.keep(d);
    }
    bool wide = at.linear(d, hidden, second);
    wide = at.low_rank(d, rank(fc1), hidden, second) || wide;
    if (wide) {
        at.keep(hidden); // the input of GELU
    }
    if (weights || rank(fc2) > 0) {
        at.keep(hidden);
    }
    bool out = at.linear(hidden, d, wide);
    out = at.low_rank(hidden, rank(fc2), d, wide) || out;
    if (change.bottleneck > 0) {
        at.adapter(d, change.bottleneck, out);
        out = true;
    }

    auto cost = at.cost();
    cost.output_gradient = middle || out;
    // Values beyond those that are retained: input and output of GELU in addition to the residual stream, or scores and
    // probabilities in addition to query, keys and values. Values that are kept for a gradient do not count twice.
    const auto of_mlp = tokens * ((wide ? 0 : hidden) + (weights || rank(fc2) > 0 ? 0 : hidden) + 2 * d);
    const auto of_attention = (mixed ? 1 : 2) * shape.heads * tokens * keys + (mixed ? 2 : 8) * tokens * d;
    cost.workspace = std::max(of_mlp, of_attention - (cost.retained - after_attention));
    return cost;
}

std::int64_t workspace_of_attention_block(const block_shape& shape, const block_change& change) {
    const auto d = shape.dim, hidden = shape.hidden;
    const auto tokens = shape.tokens + change.prompts;
    const auto keys = tokens + change.prefix;
    const auto of_mlp = tokens * (2 * hidden + 2 * d);
    const auto of_attention = 2 * shape.heads * tokens * keys + 8 * tokens * d;
    return std::max(of_mlp, of_attention);
}

} // namespace gaisnet
