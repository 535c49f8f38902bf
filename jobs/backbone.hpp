#pragma once

#include "model/vit.hpp"
#include "network/scenario.hpp"
#include "session.hpp"

#include <cstdint>
#include <memory>

namespace gaisnet {

/// The frozen backbone of the scenario, shared by this rank's nodes, and a hash of its values.
struct loaded_backbone {
    std::shared_ptr<const vit_backbone> backbone;
    std::uint64_t fingerprint = 0;
};
loaded_backbone load_backbone(const scenario&, session&);

} // namespace gaisnet
