#include "model/tuning_method.hpp"

#include "base/error.hpp"
#include "model/tuning/prompt_deep.hpp"

#include <map>

namespace gaisnet {

std::shared_ptr<const tuning_method> make_tuning_method(const tuning_settings& settings) {
    using maker = std::shared_ptr<const tuning_method> (*)(const tuning_settings&);
    static const std::map<std::string, maker, std::less<>> methods{{"prompt_deep", make_prompt_deep}};
    const auto found = methods.find(settings.method);
    if (found == methods.end()) {
        std::string known;
        for (const auto& [name, make] : methods) {
            known += (known.empty() ? "" : ", ") + name;
        }
        throw usage_error("tuning.method = " + settings.method + " is not known; accepted: " + known);
    }
    return found->second(settings);
}

} // namespace gaisnet
