#pragma once

#include "base/tensor_view.hpp"
#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"

#include <cstdint>
#include <string>

namespace gaisnet {

/// Writes the tuned modules of an edge as safetensors with their names, for use in PyTorch. \param model float32
/// [elements]. \returns the path
std::string write_tuned_modules(const prepared_run&, const loaded_backbone&, std::uint32_t edge,
                                const tensor_view& model);

} // namespace gaisnet
