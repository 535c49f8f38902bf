#pragma once

#include "model/tuning_method.hpp"

namespace gaisnet {

/// A method that leaves embedding and final norm as they are.
class block_method : public tuning_method {
public:
    at::Tensor embed(const vit_backbone&, const at::Tensor& images, std::span<const at::Tensor>) const override;
    at::Tensor normalise(const vit_backbone&, const at::Tensor& cls, std::span<const at::Tensor>) const override;
};

/// Visual prompt tuning (Jia et al., ECCV 2022): prompts [prompts, dim] after CLS and before the patches. Deep: every
/// block gets its own, and what it makes of them is dropped, so that smashed data does not grow. Shallow: only the first
/// block gets some, and they go on from block to block.
std::shared_ptr<const tuning_method> make_prompt_deep(const tuning_settings&);
std::shared_ptr<const tuning_method> make_prompt_shallow(const tuning_settings&);

/// Prefix tuning (Li and Liang, ACL 2021): every block's attention gets keys and values [prompts, dim] of its own.
std::shared_ptr<const tuning_method> make_prefix(const tuning_settings&);

/// Low-rank adaptation (Hu et al., ICLR 2022): a linear layer's output grows by alpha / rank x A^T B^T of its input x, with
/// A [rank, in] and B [out, rank].
std::shared_ptr<const tuning_method> make_lora(const tuning_settings&);

/// Adapters (Houlsby et al., ICML 2019): y + up(gelu(down(y))) of the output y of attention and of the MLP, with down
/// [bottleneck, dim] and up [dim, bottleneck] and their biases.
std::shared_ptr<const tuning_method> make_adapter(const tuning_settings&);

/// The head alone.
std::shared_ptr<const tuning_method> make_head_only(const tuning_settings&);

/// All weights of the backbone as well, under timm's names.
std::shared_ptr<const tuning_method> make_full(const tuning_settings&);

} // namespace gaisnet
