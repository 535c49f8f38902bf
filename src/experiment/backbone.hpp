#pragma once

#include "experiment/session.hpp"
#include "model/stage_spec.hpp"
#include "model/torch/backbone.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <memory>

namespace gaisnet {

/// The frozen backbone of the scenario, shared by this rank's nodes.
struct loaded_backbone {
    std::shared_ptr<const model_backbone> backbone;
    std::function<std::uint64_t()> fingerprint; ///< Hash of its values.
    weight_values weights;                      ///< The values in the file, whatever type the blocks compute in.
};
loaded_backbone load_backbone(const scenario&, session&);

} // namespace gaisnet
