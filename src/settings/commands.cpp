#include "settings/commands.hpp"

#include <algorithm>

namespace gaisnet::commands {

namespace {

const narrowing table_of_services{"serve.mode", "table", {"serve.", "seed", "output", "overwrite"}};

const alternative plan_of_requests{"service", "infer", "finetune", plan_infer};

const registration<info> registered[] = {
    registration<info>{{"finetune", finetune, "hybrid federated split fine-tuning over emulated links and devices"}},
    registration<info>{{"infer", infer, "requests answered by chains of clients, with what was tuned"}},
    registration<info>{{"serve", serve, "rounds in which a policy chooses between fine-tuning a model and using it",
                        &table_of_services}},
    registration<info>{
        {"plan", plan,
         "what finetune or infer would cost in time, energy, bytes and spectrum, without computing; plans", nullptr,
         &plan_of_requests}},
    registration<info>{
        {"pretrain", pretrain, "a foundation model from procedural images or a folder, with labels or without"}},
    registration<info>{{"calibrate", calibrate, "the speed of this computer and its ranks' link, as settings"}},
};

} // namespace

std::vector<const info*> known() {
    auto list = registry<info>::all();
    std::stable_sort(list.begin(), list.end(), [](const info* a, const info* b) { return a->set < b->set; });
    return list;
}

command_set named(std::string_view name) {
    const auto* found = registry<info>::find(name);
    return found ? found->may_use() : all;
}

command_set asking(std::string_view name, const std::function<std::string(const std::string&)>& value_of) {
    const auto* found = registry<info>::find(name);
    if (!found) {
        return all;
    }
    const auto* other = found->other;
    return other && value_of(other->key) == other->value ? other->set : found->set;
}

std::string listed() {
    std::string names;
    for (const auto* command : known()) {
        names += (names.empty() ? "" : ", ") + std::string(command->name);
    }
    return names;
}

} // namespace gaisnet::commands
