#include "model/tuning/block_method.hpp"

#include "model/vit/vit.hpp"

namespace gaisnet {

at::Tensor block_method::embed(const vit_backbone& backbone, const at::Tensor& images,
                               std::span<const at::Tensor>) const {
    return backbone.embed(images);
}

at::Tensor block_method::normalise(const vit_backbone& backbone, const at::Tensor& cls,
                                   std::span<const at::Tensor>) const {
    return backbone.normalise(cls);
}

} // namespace gaisnet
