#include "model/tuning_method.hpp"

#include "base/registry.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

std::shared_ptr<const tuning_method> sized(const std::shared_ptr<const tuning_method>& method, std::int64_t size) {
    auto smaller = size > 0 ? method->of_size(size) : nullptr;
    return smaller ? smaller : method;
}

std::shared_ptr<const tuning_method> make_tuning_method(const scenario& scene) {
    return registry<tuning_entry>::at(scene.tuning.method, "tuning.method").make(scene);
}

} // namespace gaisnet
