#pragma once

#include "model/family.hpp"
#include "model/files/safetensors.hpp"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// How a tensor is made of one of another shape in the file.
struct weight_conversion {
    std::vector<std::int64_t> file_shape;
    std::function<void(std::span<const float> in_file, std::span<float> out)> apply;
};
/// Of a matrix [in, out] in the file to one [out, in].
weight_conversion transposition(const tensor_spec&);

/// The source of one backbone tensor.
struct backbone_source {
    tensor_spec spec;
    std::vector<std::string> parts; ///< Tensors in the file; concatenated along the first axis they are the tensor.
    std::optional<weight_conversion> conversion; ///< Of the only part.
};

/// Maps the tensors of a checkpoint to the backbone of a model.
struct backbone_match {
    std::vector<backbone_source> tensors; ///< In the order of foundation_model::tensors().
    std::vector<std::string> notes;       ///< Messages for the user: an ignored head, an ignored pooler.
};

/// How a checkpoint calls tensors.
struct weight_naming {
    /// The parts of a backbone tensor; not set: the tensor itself.
    std::function<std::vector<std::string>(const std::string& name)> parts;
    /// Whether the only part of a tensor has another shape; not set: none has.
    std::function<std::optional<weight_conversion>(const tensor_spec&)> conversion{};
    /// Whether a tensor that is no part of the backbone may be there; not set: none may.
    std::function<bool(const safetensors_entry&)> ignored{};
};

/// Finds every tensor of the model in the file. Integer scalars (counters) are ignored, with a note. Reads no tensor.
/// \throws usage_error naming all missing tensors, wrong shapes, dtypes other than F32, F16 and BF16, and unknown tensors
/// with the nearest known name.
backbone_match match_backbone(const safetensors_file&, const foundation_model&, const weight_naming&);

/// \throws usage_error that names the file
[[noreturn]] void reject_weights(const safetensors_file&, const std::string& reason);

/// Converts one backbone tensor to float32 in `out` (spec.elements() values). Throws usage_error when a value is
/// infinite or NaN.
void read_backbone_tensor(const safetensors_file& file, const backbone_source& source, std::span<float> out);

/// Matches and reads the whole backbone: values by name.
std::map<std::string, std::vector<float>> read_backbone(const safetensors_file& file, const foundation_model&);

} // namespace gaisnet
