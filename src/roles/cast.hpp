#pragma once

#include "roles/client.hpp"
#include "roles/edge.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace gaisnet {

using executor_factory = std::function<std::unique_ptr<stage_executor>(const stage_seat&)>;

/// The roles of some nodes of a deployment with their executors: all nodes in the ledger pass, a rank's own in the
/// tensor pass.
class cast {
public:
    /// \param plays tells which nodes belong to this cast.
    cast(const deployment&, const executor_factory&, const std::function<bool(std::uint32_t node)>& plays);
    cast(const cast&) = delete;
    cast& operator=(const cast&) = delete;

    std::vector<edge_role>& edges() { return edges_; }
    std::vector<client_role>& clients() { return clients_; }

    /// Every stage of this cast, by cluster and position.
    struct seated_executor {
        const stage_seat* seat = nullptr;
        stage_executor* executor = nullptr;
    };
    const std::vector<seated_executor>& executors() const { return seated_; }

    /// Forgets what the strands waited for in the round before.
    void begin_round();

private:
    std::vector<std::unique_ptr<stage_executor>> owned_;
    std::vector<seated_executor> seated_;
    std::vector<edge_role> edges_;
    std::vector<client_role> clients_;
};

} // namespace gaisnet
