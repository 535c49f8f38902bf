#pragma once

#include "model/tuning_method.hpp"

namespace gaisnet {

/// Deep visual prompt tuning (Jia et al., ECCV 2022): every block gets its own prompts [prompts, dim] after CLS and
/// before the patches; what the block makes of them is dropped, so smashed data does not grow.
std::shared_ptr<const tuning_method> make_prompt_deep(const tuning_settings&);

} // namespace gaisnet
