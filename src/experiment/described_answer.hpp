#pragma once

#include "experiment/workload.hpp"
#include "results/rows.hpp"
#include "rounds/checkpoint.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace gaisnet {

/// Enters in the row which sample a request was for, and what was answered: a class, or a text behind its prompt.
/// \param classes names of the model's; none of one that tells next tokens.
void describe_answer(const workload&, int cluster, std::size_t sample, const answer&,
                     const std::vector<std::string>& classes, request_row&);

} // namespace gaisnet
