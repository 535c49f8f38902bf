#pragma once

#include <string>

namespace gaisnet {

/// Describes the program and its keys, with defaults and accepted values. \param command show only keys that matter to
/// it; empty: all keys. \param topic a key, a prefix of keys, or a command; empty: everything. \throws usage_error for
/// an unknown topic; suggests the nearest name.
std::string help_text(const std::string& command = "", const std::string& topic = "");

/// A script with which a shell completes commands, flags and the words of choices. \throws usage_error for shells other
/// than bash and zsh.
std::string completion_script(const std::string& shell);

/// The manual page of the program, as roff: commands, flags and all keys.
std::string man_page();

} // namespace gaisnet
