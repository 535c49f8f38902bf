#pragma once

#include "base/registry.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// A set of the program's commands; each key states which commands use it.
using command_set = std::uint32_t;

namespace commands {

inline constexpr command_set finetune = 1, infer = 2, serve = 4, plan = 8, pretrain = 16, calibrate = 32;
inline constexpr command_set all = 63;
/// Commands that emulate a network.
inline constexpr command_set emulating = all & ~pretrain;
/// Commands that fine-tune.
inline constexpr command_set training = emulating & ~infer;
/// Commands that answer requests.
inline constexpr command_set answering = infer | serve;

/// With certain values of a key, a command uses only a few keys.
struct narrowing {
    const char *key, *value;
    std::string_view beginnings[4]; ///< Prefixes of the keys that it uses.
};

/// A command of the program. One that is added looks at the keys of others: its set names them.
///
///     const registration<commands::info> registered_export{{"export", commands::training, "..."}};
struct info {
    const char* name;
    command_set set;
    const char* help;
    const narrowing* narrow = nullptr;
};

/// In the order of the help.
std::vector<const info*> known();
/// The bit of a command; all bits for an unknown command, which uses every key.
command_set named(std::string_view name);
inline bool is_known(std::string_view name) { return registry<info>::find(name) != nullptr; }
/// "finetune, infer, ..."
std::string listed();

} // namespace commands

} // namespace gaisnet
