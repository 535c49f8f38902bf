#pragma once

#include "model/tuning_method.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

/// Checks that texts and the prompts of a tuning method, which stand before them, have places: model.positions.
/// \param trains texts of model.tokens. \param writes texts of infer.generate tokens; the user's prompts are checked when
/// they are read. \throws usage_error
void check_text_lengths(const scenario&, const tuning_method&, bool trains, bool writes);

/// How many tokens a text has room for beside the prompts of a tuning method.
std::int64_t positions_of_texts(const foundation_model&, const tuning_method&);

} // namespace gaisnet
