#pragma once

#include "model/tuning_method.hpp"

namespace gaisnet {

/// A method that does not change embedding and final norm.
class block_method : public tuning_method {
public:
    at::Tensor embed(const vit_backbone&, const at::Tensor& images, std::span<const at::Tensor>) const override;
    at::Tensor normalise(const vit_backbone&, const at::Tensor& cls, std::span<const at::Tensor>) const override;
};

} // namespace gaisnet
