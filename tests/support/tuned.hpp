#pragma once

#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

/// The method of a scenario with these settings.
inline std::shared_ptr<const tuning_method> tuned_by(tuning_settings settings) {
    scenario scene;
    scene.tuning = std::move(settings);
    return make_tuning_method(scene);
}

} // namespace gaisnet
