#include "model/tuning_method.hpp"

#include "base/registry.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

std::shared_ptr<const tuning_method> make_tuning_method(const scenario& scene) {
    return registry<tuning_entry>::at(scene.tuning.method, "tuning.method").make(scene);
}

} // namespace gaisnet
