#pragma once

#include "model/language/language_model.hpp"

namespace gaisnet {

/// GPT-2 (Radford et al., 2019): learned positions, pre-norm with LayerNorm, GELU's approximation by tanh, causal. Tensors
/// have the names of transformers' GPT2Model: wte.weight [vocabulary, dim], wpe.weight [positions, dim];
/// h.I.{ln_1, attn.c_attn, attn.c_proj, ln_2, mlp.c_fc, mlp.c_proj}.{weight, bias}; ln_f.{weight, bias}; and lm_head.weight
/// unless it is tied. Matrices are [out, in] here and [in, out] in files. eps is 1e-5, the MLP four times as wide as a
/// token, unless told otherwise.
class gpt2 final : public causal_language_model {
public:
    /// \param sizes vocabulary, tokens, positions, dim, depth, heads, hidden, norm_eps, tied
    explicit gpt2(const model_settings& sizes);

    const char* family() const override { return "gpt2"; }
    std::vector<tensor_spec> embedding_tensors() const override;
    std::vector<tensor_spec> block_tensors(std::int64_t block) const override;
    std::vector<tensor_spec> norm_tensors() const override;
    bool transposed_in_files(const tensor_spec&) const override;
    backbone_match match(const safetensors_file&) const override;
};

} // namespace gaisnet
