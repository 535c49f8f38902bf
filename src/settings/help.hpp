#pragma once

#include <string>

namespace gaisnet {

/// What the program can do, and its keys with defaults and what is accepted: those that matter to a command.
/// \param command empty: all keys. \param topic a key, the beginning of some, or a command; empty: everything.
/// \throws usage_error for a topic that names nothing, with the nearest name.
std::string help_text(const std::string& command = "", const std::string& topic = "");

/// A script by which a shell completes commands, flags and the words of choices. \throws usage_error for other shells
/// than bash and zsh.
std::string completion_script(const std::string& shell);

} // namespace gaisnet
