#pragma once

#include "roles/deployment.hpp"

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Which frozen weights clients have had since the start of a run. A client keeps what it once had, outside the memory
/// in which it computes, so only new ones have to be delivered when clusters change.
class held_weights {
public:
    /// The clients of a deployment have the weights of their stages.
    void add(const deployment&);
    /// Says in a deployment what its clients lack: deployment::lacking.
    void tell(deployment&) const;

private:
    std::unordered_map<std::string, std::size_t> numbers_;              ///< By tensor
    std::unordered_map<std::string, std::vector<bool>> held_by_client_; ///< By tensor number
};

} // namespace gaisnet
