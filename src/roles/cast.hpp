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
    const std::vector<client_role>& clients() const { return clients_; }
    std::optional<cloud_role>& cloud() { return cloud_; }

    /// From now on stages take their tunables out of this model of an edge, and the edge, if it is in this cast, has it.
    void set_model(std::uint32_t edge, const tensor_view& model);

    /// Every stage of this cast, by cluster and position.
    struct seated_executor {
        const stage_seat* seat = nullptr;
        stage_executor* executor = nullptr;
    };
    const std::vector<seated_executor>& executors() const { return seated_; }

    /// Forgets what the strands waited for in the round before, and seats those who take stages over in this one.
    void begin_round(const round_plan&);
    /// Spawns all that this cast does in a round, edges first. \param edge it and its clients only, without what
    /// follows the round; -1: all.
    void play(pass& in, const round_plan&, int edge = -1);
    /// Spawns all that this cast does in a session of inference, after begin_round({}).
    void serve(pass& in, const inference_plan&);
    /// Stages taken over in this round; their executors are new.
    const std::vector<seated_executor>& taken() const { return taken_; }

private:
    const tensor_view& model_of(const stage_seat&) const;

    const deployment& deploy_;
    executor_factory make_;
    std::vector<tensor_view> models_; ///< By edge; shapes until set_model.
    std::vector<std::unique_ptr<stage_executor>> owned_;
    std::vector<seated_executor> seated_;
    std::deque<stage_seat> heirs_; ///< Seats of this round with their new nodes.
    std::vector<std::unique_ptr<stage_executor>> owned_by_heirs_;
    std::vector<seated_executor> taken_;
    std::vector<edge_role> edges_;
    std::vector<client_role> clients_;
    std::optional<cloud_role> cloud_;
};

} // namespace gaisnet
