#pragma once

#include "roles/client.hpp"
#include "roles/cloud.hpp"
#include "roles/edge.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace gaisnet {

using executor_factory = std::function<std::unique_ptr<stage_executor>(const stage_seat&)>;

/// The roles of some nodes of a deployment, with their executors: all nodes in the ledger pass, a rank's own nodes in
/// the tensor pass.
class cast {
public:
    /// \param plays whether a node belongs to this cast.
    cast(const deployment&, const executor_factory&, const std::function<bool(std::uint32_t node)>& plays);
    cast(const cast&) = delete;
    cast& operator=(const cast&) = delete;

    std::vector<edge_role>& edges() { return edges_; }
    std::vector<client_role>& clients() { return clients_; }
    const std::vector<client_role>& clients() const { return clients_; }
    std::optional<cloud_role>& cloud() { return cloud_; }

    /// From now on stages take their tunables out of this model of an edge, and the edge, if it is in this cast, has it.
    void set_model(std::uint32_t edge, const tensor_view& model);
    const tensor_view& model(std::uint32_t edge) const { return models_[edge]; }

    /// A stage of this cast; executors() is sorted by cluster and position.
    struct seated_executor {
        const stage_seat* seat = nullptr;
        stage_executor* executor = nullptr;
    };
    const std::vector<seated_executor>& executors() const { return seated_; }

    /// Resets what the strands of the previous round waited for, and seats the nodes that take over stages in this
    /// round.
    void begin_round(const round_plan&);
    /// Spawns all work of this cast in a round, edges first. \param edge only this edge and its clients, without what
    /// follows the round; -1: all.
    void play(pass& in, const round_plan&, int edge = -1);
    /// Spawns all work of this cast in a session of inference: of the clusters that have requests. Call
    /// begin_round({}) first.
    void serve(pass& in, const inference_plan&);
    /// Stages that were taken over in this round; they have new executors.
    const std::vector<seated_executor>& taken() const { return taken_; }

private:
    const tensor_view& model_of(const stage_seat&) const;

    const deployment& deploy_;
    executor_factory make_;
    indexed<tensor_view> models_; ///< By edge; shapes until set_model.
    std::vector<std::unique_ptr<stage_executor>> owned_;
    std::vector<seated_executor> seated_;
    std::deque<stage_seat> heirs_; ///< Seats of this round's takeovers, with their new nodes.
    std::vector<std::unique_ptr<stage_executor>> owned_by_heirs_;
    std::vector<seated_executor> taken_;
    std::vector<edge_role> edges_;
    std::vector<client_role> clients_;
    std::optional<cloud_role> cloud_;
};

} // namespace gaisnet
