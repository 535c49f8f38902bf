#pragma once

#include "base/tensor_view.hpp"
#include "scenario/smashed.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace at {
class Tensor;
}

namespace gaisnet {

/// The form in which smashed data and its gradients go from stage to stage. Bytes that are charged and sent are those of
/// encoded(). One file a codec, in model/codec.
class smashed_codec {
public:
    virtual ~smashed_codec() = default;

    /// Type and shape of what is sent for float32 [n, ...]; its first dimension is n, the samples, too.
    virtual tensor_view encoded(const tensor_shape& shape) const = 0;
    /// FLOP that the sender and the receiver spend on a tensor of this shape.
    virtual double encode_flops(const tensor_shape& shape) const = 0;
    virtual double decode_flops(const tensor_shape& shape) const = 0;

    /// On the device of the tensor. Neither is part of a gradient.
    virtual at::Tensor encode(const at::Tensor& values) const = 0;
    virtual at::Tensor decode(const at::Tensor& sent, const tensor_shape& shape) const = 0;
};

/// The codec that smashed.codec names. \throws usage_error
std::shared_ptr<const smashed_codec> make_codec(const scenario&);

} // namespace gaisnet
