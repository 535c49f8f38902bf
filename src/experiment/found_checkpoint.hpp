#pragma once

#include "experiment/session.hpp"
#include "rounds/checkpoint.hpp"
#include "scenario/scenario.hpp"

#include <optional>
#include <string>

namespace gaisnet {

/// Finds the checkpoint to resume from, as `resume` says. Every rank has to call it and reads the checkpoint; when it
/// returns at rank 0, all ranks have read it. \param unit what a step is, for the log: "round". \throws usage_error
/// when the checkpoint belongs to another identity or is damaged; the message suggests another one. \throws
/// runtime_failure when ranks found different ones.
std::optional<checkpoint> find_checkpoint(const scenario&, const std::string& identity, session&, const char* unit);

} // namespace gaisnet
