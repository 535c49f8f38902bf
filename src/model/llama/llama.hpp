#pragma once

#include "model/language/language_model.hpp"

namespace gaisnet {

/// A language model of LLaMA's kind (Touvron et al., 2023): pre-norm with RMSNorm (Zhang and Sennrich, NeurIPS 2019),
/// rotary positions (Su et al., 2021), grouped queries (Ainslie et al., EMNLP 2023), SwiGLU (Shazeer, 2020), no biases;
/// Qwen2 has some for query, key and value. Tensors have the names of transformers' LlamaModel: embed_tokens.weight
/// [vocabulary, dim];
/// layers.I.{input_layernorm, self_attn.{q,k,v,o}_proj, post_attention_layernorm, mlp.{gate,up,down}_proj}.weight; norm.weight;
/// and lm_head.weight [vocabulary, dim] unless it is tied. eps is 1e-6 unless told otherwise.
class llama final : public causal_language_model {
public:
    /// \param sizes vocabulary, tokens, positions, dim, depth, heads, kv_heads, hidden, norm_eps, rope_theta, qkv_bias, tied
    explicit llama(const model_settings& sizes);

    const char* family() const override { return "llama"; }
    std::vector<tensor_spec> embedding_tensors() const override;
    /// input_layernorm; q_proj, k_proj, v_proj (each with its bias, if there are any), o_proj; post_attention_layernorm;
    /// gate_proj, up_proj, down_proj.
    std::vector<tensor_spec> block_tensors(std::int64_t block) const override;
    std::vector<tensor_spec> norm_tensors() const override;
    backbone_match match(const safetensors_file&) const override;
};

} // namespace gaisnet
