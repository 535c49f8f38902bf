#pragma once

#include "model/language/language_model.hpp"

namespace gaisnet {

/// BERT (Devlin et al., NAACL 2019): learned positions and kinds of tokens, LayerNorm behind every residual addition, exact
/// GELU, CLS first. Tensors have the names of transformers' BertModel:
/// embeddings.{word_embeddings, position_embeddings, token_type_embeddings}.weight, embeddings.LayerNorm;
/// encoder.layer.I.{attention.self.{query, key, value}, attention.output.{dense, LayerNorm}, intermediate.dense,
/// output.{dense, LayerNorm}}.{weight, bias}; pooler.dense.{weight, bias}. There is no norm behind the last block: what
/// stands in its place is the pooler, tanh(W x + b) of CLS, of which the head takes the output. eps is 1e-12, the MLP four
/// times as wide as a token, unless told otherwise. The embedding also takes int64 [n, 2, tokens]: numbers of tokens, and
/// of their kinds, which are 0 otherwise.
class bert final : public language_model {
public:
    /// \param sizes vocabulary, tokens, positions, token_types, dim, depth, heads, hidden, norm_eps
    explicit bert(const model_settings& sizes);

    const char* family() const override { return "bert"; }
    std::vector<tensor_spec> embedding_tensors() const override;
    std::vector<tensor_spec> block_tensors(std::int64_t block) const override;
    std::vector<tensor_spec> norm_tensors() const override;
    std::int64_t embedding_retained() const override;
    double norm_mac() const override { return static_cast<double>(dim() * dim()); }
    backbone_match match(const safetensors_file&) const override;
};

} // namespace gaisnet
