#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// What one model can earn. In every round of service one model is upgraded by a level (fine-tuned), or one is put to
/// use (answers requests), or nothing is done.
struct service_model {
    std::string name;
    std::vector<double> profit;       ///< Of a round of use, by level.
    std::vector<double> upgrade_cost; ///< From each level to the next; one fewer than profits.
};

enum class service_policy {
    mlcp,         ///< the best plan with what is known of profits, again in every round.
    msip,         ///< The largest income now (maximum single immediate profit), unless it is negative.
    random,       ///< Any action that is possible, all alike.
    always_infer, ///< Models are put to use in turn and never upgraded.
    oracle,       ///< the best plan with the true profits.
};
} // namespace gaisnet
