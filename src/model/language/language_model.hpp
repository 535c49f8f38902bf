#pragma once

#include "model/family.hpp"
#include "scenario/model.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;

/// What models of texts have in common: samples are int64 numbers of tokens, the embedding looks up rows of a matrix
/// [vocabulary, dim], and linear layers are called as in Hugging Face's files.
class language_model : public foundation_model {
public:
    const model_settings& sizes() const { return sizes_; }
    double norm_epsilon() const { return norm_epsilon_; }

    std::vector<std::int64_t> sample_shape() const override { return {tokens()}; }
    bool takes_tokens() const override { return true; }
    std::int64_t vocabulary() const override { return sizes_.vocabulary; }
    std::int64_t positions() const override { return sizes_.positions; }
    std::int64_t token_fan_in() const override { return dim(); }
    double embedding_mac() const override { return 0.0; }
    /// The numbers, of 8 bytes each.
    std::int64_t embedding_retained() const override { return 2 * tokens(); }

protected:
    /// \param usual_epsilon where model.norm_eps is 0
    language_model(const model_settings& sizes, const block_shape& shape, double usual_epsilon)
        : foundation_model(shape, sizes.depth)
        , sizes_(sizes)
        , norm_epsilon_(sizes.norm_eps > 0 ? sizes.norm_eps : usual_epsilon) {}

private:
    model_settings sizes_;
    double norm_epsilon_;
};

/// One that tells the next token: a token attends to itself and to those before it.
class causal_language_model : public language_model {
public:
    bool causal() const override { return true; }
    std::int64_t leading_tokens() const override { return 0; }
    bool tied_output() const override { return sizes().tied; }
    /// lm_head.weight, or the first tensor of the embedding.
    std::vector<tensor_spec> output_tensors() const override;

protected:
    using language_model::language_model;
};

/// Sizes of a block whose MLP is four times as wide as a token, unless told otherwise.
block_shape usual_shape(const model_settings&);

/// Weight and bias of a linear layer [out, in], or of a norm.
void add_linear(std::vector<tensor_spec>&, const std::string& name, std::int64_t out, std::int64_t in, bool bias);
void add_norm(std::vector<tensor_spec>&, const std::string& name, std::int64_t dim, bool bias);

/// \throws usage_error for heads that do not divide the width, or texts that are longer than the positions
void check_language_model(const scenario&, const value_reader&);

} // namespace gaisnet
