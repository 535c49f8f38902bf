#pragma once

#include "model/files/backbone_match.hpp"
#include "model/language/language_model.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// How the files of a family on the hub differ from its tensors.
struct hub_names {
    std::string anchor; ///< A tensor that every file has; what stands before it stands before all names ("model.").
    std::vector<std::string_view> without_prefix{}; ///< Beginnings of names that have no prefix: "lm_head.".
    std::vector<std::string_view> ignored{}; ///< Beginnings of names, without the prefix, that may be there, too.
    std::vector<std::string_view> buffers{}; ///< Ends of names of what is no weight, left out without a note.
    /// Other ends of names, by which a tensor is looked for when it is not there under its own: ".LayerNorm.gamma".
    std::vector<std::pair<std::string_view, std::string_view>> other_ends{};
    /// Whether a matrix is [in, out] in the file.
    std::function<bool(const tensor_spec&)> transposed{};
};

/// Finds every tensor of the model in a file with the names of Hugging Face's models, with or without the prefix that whole
/// models have ("model.", "transformer.", "bert."). Heads are ignored with a note; so is an output layer that is tied.
/// \throws usage_error as match_backbone
backbone_match match_hub_names(const safetensors_file&, const language_model&, const hub_names&);

} // namespace gaisnet
