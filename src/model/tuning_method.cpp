#include "model/tuning_method.hpp"

#include "base/error.hpp"
#include "model/tuning/methods.hpp"
#include "model/vit.hpp"

#include <map>

namespace gaisnet {

at::Tensor block_method::embed(const vit_backbone& backbone, const at::Tensor& images,
                               std::span<const at::Tensor>) const {
    return backbone.embed(images);
}

at::Tensor block_method::normalise(const vit_backbone& backbone, const at::Tensor& cls,
                                   std::span<const at::Tensor>) const {
    return backbone.normalise(cls);
}

std::shared_ptr<const tuning_method> make_tuning_method(const tuning_settings& settings) {
    using maker = std::shared_ptr<const tuning_method> (*)(const tuning_settings&);
    static const std::map<std::string, maker, std::less<>> methods{{"prompt_deep", make_prompt_deep},
                                                                   {"prompt_shallow", make_prompt_shallow},
                                                                   {"prefix", make_prefix},
                                                                   {"lora", make_lora},
                                                                   {"adapter", make_adapter},
                                                                   {"head", make_head_only},
                                                                   {"full", make_full}};
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
