#pragma once

#include "planning/service_policy.hpp"
#include "scenario/scenario.hpp"
#include "session.hpp"
#include "settings/options.hpp"

namespace gaisnet {

/// The rules of a scenario's services, with the demand of every round.
service_rules rules_of(const scenario&);

/// Plays policies on profits and costs that are given (serve.mode = table).
exit_code play_table(const command_line&, const scenario&, session&);

} // namespace gaisnet
