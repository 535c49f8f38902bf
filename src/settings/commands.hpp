#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gaisnet {

/// Some of the program's commands; each key says which ones look at it.
using command_set = std::uint32_t;

namespace commands {

inline constexpr command_set finetune = 1, infer = 2, serve = 4, plan = 8, pretrain = 16, calibrate = 32;
inline constexpr command_set all = 63;
/// Those that emulate a network.
inline constexpr command_set emulating = all & ~pretrain;
/// Those that fine-tune.
inline constexpr command_set training = emulating & ~infer;
/// Those that answer requests.
inline constexpr command_set answering = infer | serve;

/// With some value of a key a command looks at few keys only.
struct narrowing {
    const char *key, *value;
    std::string_view beginnings[4]; ///< Of those that it looks at.
};
inline constexpr narrowing table_of_services{"serve.mode", "table", {"serve.", "seed", "output", "overwrite"}};

struct info {
    const char* name;
    command_set set;
    const char* help;
    const narrowing* narrow = nullptr;
};
inline constexpr info known[] = {
    {"finetune", finetune, "hybrid federated split fine-tuning over emulated links and devices"},
    {"infer", infer, "requests answered by chains of clients, with what was tuned"},
    {"serve", serve, "rounds in which a policy chooses between fine-tuning a model and using it", &table_of_services},
    {"plan", plan, "what finetune would cost in time, energy, bytes and spectrum, without training"},
    {"calibrate", calibrate, "the speed of this computer and its ranks' link, as settings"},
    {"pretrain", pretrain, "a foundation model from procedural images or a folder, with labels or without"},
};

constexpr const narrowing* narrowing_of(std::string_view name) {
    for (const auto& one : known) {
        if (name == one.name) {
            return one.narrow;
        }
    }
    return nullptr;
}

/// All for a command that is not among them: it looks at every key.
constexpr command_set named(std::string_view name) {
    for (const auto& one : known) {
        if (name == one.name) {
            return one.set;
        }
    }
    return all;
}

constexpr bool is_known(std::string_view name) {
    for (const auto& one : known) {
        if (name == one.name) {
            return true;
        }
    }
    return false;
}

/// "finetune, infer, ..."
inline std::string listed() {
    std::string names;
    for (const auto& one : known) {
        names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    return names;
}

} // namespace commands

} // namespace gaisnet
