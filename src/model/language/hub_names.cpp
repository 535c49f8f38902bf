#include "model/language/hub_names.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <set>

namespace gaisnet {

namespace {

/// What stands before the anchor.
std::string prefix_of(const safetensors_file& file, const std::string& anchor, const char* family) {
    for (const auto& tensor : file.tensors()) {
        const auto at = tensor.name.size() - std::min(anchor.size(), tensor.name.size());
        if (tensor.name.ends_with(anchor) && (at == 0 || tensor.name[at - 1] == '.')) {
            return tensor.name.substr(0, at);
        }
    }
    reject_weights(file, "it holds no " + std::string(family) + ": there is no tensor " + anchor +
                             (file.tensors().empty() ? std::string(", nor any other")
                                                     : "; its first is " + printable(file.tensors().front().name)) +
                             "; accepted: the names of Hugging Face's models");
}

bool begins_with_any(std::string_view name, const std::vector<std::string_view>& beginnings) {
    return std::any_of(beginnings.begin(), beginnings.end(), [&](auto one) { return name.starts_with(one); });
}

} // namespace

backbone_match match_hub_names(const safetensors_file& file, const language_model& model, const hub_names& names) {
    const auto prefix = prefix_of(file, names.anchor, model.family());
    const auto in_file = [&](const std::string& name) {
        const auto whole = begins_with_any(name, names.without_prefix) ? name : prefix + name;
        for (const auto& [end, other] : names.other_ends) {
            if (name.ends_with(end) && file.find(whole) == nullptr) {
                auto renamed = whole.substr(0, whole.size() - end.size()).append(other);
                if (file.find(renamed) != nullptr) {
                    return renamed;
                }
            }
        }
        return whole;
    };
    std::set<std::string, std::less<>> ignored;
    const auto is_ignored = [&](const safetensors_entry& tensor) {
        std::string_view name = tensor.name;
        if (name.starts_with(prefix)) {
            name.remove_prefix(prefix.size());
        }
        if (std::any_of(names.buffers.begin(), names.buffers.end(), [&](auto end) { return name.ends_with(end); })) {
            return true;
        }
        const bool tied = model.tied_output() && name == "lm_head.weight";
        if (tied || begins_with_any(name, names.ignored)) {
            ignored.insert(std::string(name.substr(0, name.rfind('.'))));
            return true;
        }
        return false;
    };
    auto match = match_backbone(file, model,
                                {.parts = [&](const std::string& name) { return std::vector{in_file(name)}; },
                                 .conversion =
                                     [&](const tensor_spec& spec) {
                                         return names.transposed && names.transposed(spec)
                                                    ? std::optional(transposition(spec))
                                                    : std::nullopt;
                                     },
                                 .ignored = is_ignored});
    for (const auto& part : ignored) {
        match.notes.push_back(
            "weights " + printable(file.path().string()) + ": " + printable(part) +
            (part == "lm_head" ? " is ignored, since the output layer is the embedding (model.tied)" : " is ignored"));
    }
    return match;
}

} // namespace gaisnet
