#pragma once

#include "planning/service_policy.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

/// The rules of a scenario's services, with the demand of each round.
service_rules rules_of(const scenario&);

} // namespace gaisnet
