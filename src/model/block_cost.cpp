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
    /// LayerNorm or RMSNorm.
    void norm(std::int64_t dim, bool rms, bool gradient) {
        if (!gradient && !weights_) {
            return;
        }
        if (rms) {
            keep(dim + 1 + (weights_ ? dim : 0)); // with the reciprocal root, and for the weights what they multiply
        } else {
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
    const auto d = shape.dim, hidden = shape.hidden, kv = shape.kv_dim();
    const auto tokens = shape.tokens + change.prompts;
    const auto keys = tokens + change.prefix;
    const bool weights = change.weights;
    const auto rank = [&](block_linear layer) { return change.rank_of(layer); };
    walk at(tokens, weights);

    const bool in = input_gradient || change.own_prompts;
    if (!shape.post_norm) {
        at.norm(d, shape.rms, in);
    }
    const bool normal = in || (weights && !shape.post_norm);
    at.linear(d, d + 2 * kv, normal);
    const bool tuned_input = weights || rank(query) + rank(key) + rank(value) > 0;
    if (tuned_input) {
        at.keep(d); // the input of the tuned part
    }
    const bool tuned_query = at.low_rank(d, rank(query), d, normal) || weights;
    const bool tuned_key = at.low_rank(d, rank(key), kv, normal) || weights;
    const bool tuned_value = at.low_rank(d, rank(value), kv, normal) || weights;
    const bool query_gradient = normal || tuned_query;
    const bool key_gradient = normal || tuned_key || change.prefix > 0;
    const bool value_gradient = normal || tuned_value || change.prefix > 0;
    const bool probabilities = query_gradient || key_gradient;

    at.product(keys * d, (query_gradient ? 1 : 0) + (key_gradient ? 1 : 0));  // scores
    at.product(keys * d, (probabilities ? 1 : 0) + (value_gradient ? 1 : 0)); // their mix of values
    auto& kept = at.cost().retained;
    kept += (key_gradient ? tokens * d : 0) + (query_gradient ? keys * kv : 0); // query and keys, for each other
    kept += probabilities ? keys * kv : 0;                                      // values
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
    at.norm(d, shape.rms, middle);
    const bool second = middle || weights;
    if (weights || rank(fc1) + rank(gate) > 0) {
        at.keep(d);
    }
    bool opened = false; // Whether what leaves the gate needs a gradient.
    if (shape.gated) {
        opened = at.linear(d, hidden, second);
        opened = at.low_rank(d, rank(gate), hidden, second) || opened;
    }
    bool up = at.linear(d, hidden, second);
    up = at.low_rank(d, rank(fc1), hidden, second) || up;
    const bool wide = opened || up;
    // The input of GELU; or that of SiLU and what its output multiplies, and that output.
    at.keep(hidden * (shape.gated ? (opened ? 2 : 0) + (up ? 1 : 0) : (up ? 1 : 0)));
    if (weights || rank(fc2) > 0) {
        at.keep(hidden);
    }
    bool out = at.linear(hidden, d, wide);
    out = at.low_rank(hidden, rank(fc2), d, wide) || out;
    if (change.bottleneck > 0) {
        at.adapter(d, change.bottleneck, out);
        out = true;
    }
    if (shape.post_norm) {
        at.norm(d, shape.rms, middle || out);
    }

    auto cost = at.cost();
    cost.output_gradient = middle || out;
    cost.keeps_input = !change.own_prompts && (!shape.post_norm || tuned_input);
    // Values beyond those that are retained: input and output of GELU in addition to the residual stream, or scores and
    // probabilities in addition to query, keys and values. Values that are kept for a gradient do not count twice.
    const auto before_fc2 = hidden * ((opened || up ? 0 : 1) + (shape.gated && !(opened && up) ? 1 : 0));
    const auto of_mlp = tokens * (before_fc2 + (weights || rank(fc2) > 0 ? 0 : hidden) + 2 * d);
    const auto of_attention = (mixed ? 1 : 2) * shape.heads * tokens * keys + tokens * (mixed ? 2 * d : 4 * d + 4 * kv);
    cost.workspace = std::max(of_mlp, of_attention - (cost.retained - after_attention));
    return cost;
}

std::int64_t workspace_of_attention_block(const block_shape& shape, const block_change& change) {
    const auto d = shape.dim, hidden = shape.hidden;
    const auto tokens = shape.tokens + change.prompts;
    const auto keys = tokens + change.prefix;
    const auto of_mlp = tokens * ((shape.gated ? 3 : 2) * hidden + 2 * d);
    const auto of_attention = 2 * shape.heads * tokens * keys + tokens * (4 * d + 4 * shape.kv_dim());
    return std::max(of_mlp, of_attention);
}

} // namespace gaisnet
