#pragma once

#include "base/registry.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// A set of the program's commands; each key states which commands use it.
using command_set = std::uint32_t;

namespace commands {

inline constexpr command_set finetune = 1, infer = 2, serve = 4, plan = 8, pretrain = 16, calibrate = 32;
/// `plan` with service = infer, which looks at what `infer` does.
inline constexpr command_set plan_infer = 64;
inline constexpr command_set all = 127;
/// Commands that emulate a network.
inline constexpr command_set emulating = all & ~pretrain;
/// Commands that fine-tune.
inline constexpr command_set training = emulating & ~(infer | plan_infer);
/// Commands that answer requests.
inline constexpr command_set answering = infer | serve | plan_infer;
/// `plan`, whatever for.
inline constexpr command_set planning = plan | plan_infer;

/// With certain values of a key, a command uses only a few keys.
struct narrowing {
    const char *key, *value;
    std::string_view beginnings[4]; ///< Prefixes of the keys that it uses.
};

/// With a certain value of a key, a command stands in another place of each key's set: it uses other keys.
struct alternative {
    const char *key, *value, *otherwise; ///< otherwise: the key's other value.
    command_set set;
};

/// A command of the program. One that is added looks at the keys of others: its set names them.
///
///     const registration<commands::info> registered_export{{"export", commands::training, "..."}};
struct info {
    const char* name;
    command_set set;
    const char* help;
    const narrowing* narrow = nullptr;
    const alternative* other = nullptr;
    const char* operand = nullptr; ///< What stands behind its name, as in `gaisnet watch FILE`; null: nothing.
    /// Keys that it may use.
    command_set may_use() const { return set | (other ? other->set : 0); }
};

/// In the order of the help.
std::vector<const info*> known();
/// The bits of a command, whatever its keys say; all bits for an unknown command, which uses every key.
command_set named(std::string_view name);
/// The bit of a command with these settings. \param value_of the value of a key
command_set asking(std::string_view name, const std::function<std::string(const std::string&)>& value_of);
inline bool is_known(std::string_view name) { return registry<info>::find(name) != nullptr; }
/// "finetune, infer, ..."
std::string listed();

} // namespace commands

} // namespace gaisnet
