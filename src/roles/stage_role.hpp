#pragma once

#include "roles/deployment.hpp"
#include "roles/inference_plan.hpp"
#include "roles/round_plan.hpp"
#include "runtime/pass.hpp"

#include <map>
#include <vector>

namespace gaisnet {

/// One step of a schedule: a forward or backward of micro-batch `micro`.
struct schedule_step {
    bool forward = true;
    int micro = 0;
    bool operator==(const schedule_step&) const = default;
};

/// The order in which the stage at `position` of a chain of `stages` processes the micro-batches of a batch. serial and
/// gpipe (Huang et al., NeurIPS 2019): all forwards, then all backwards. 1f1b (Narayanan et al., SOSP 2019, with the
/// flush of SC 2021): stages - position - 1 forwards to warm up, then forwards and backwards alternate, so a stage
/// never keeps more than stages - position micro-batches. All flush: one optimiser step per batch.
std::vector<schedule_step> make_schedule(schedule_kind, int micro_batches, std::size_t position, std::size_t stages);

/// Splits a batch into at most `parts` micro-batches of nearly equal size.
std::vector<micro_batch> split_batch(const micro_batch& batch, int parts);

/// The tunables of some stages, concatenated in their order, out of a model with values.
tensor_view modules_of(const tensor_view& model, const std::vector<const stage_seat*>&);
/// What is delivered to some stages: a shape, which the ledger charges. \param with_frozen frozen weights count too.
tensor_view delivery_of(const std::vector<const stage_seat*>&, bool with_frozen = false);

/// A stage of a chain. The struct lasts for many rounds, each of its coroutines for one.
struct stage_role {
    const deployment* deploy;
    const stage_seat* seat;
    stage_executor* executor;
    /// The domain model of its edge as its rank holds it, float32 [elements]; in the ledger pass without values.
    const tensor_view* domain;
    actor me;

    stage_role(const deployment& of, const stage_seat& held, stage_executor& computes, const tensor_view& model)
        : deploy(&of)
        , seat(&held)
        , executor(&computes)
        , domain(&model)
        , me{held.node, held.cluster, -1, 0} {}

    /// Takes its tunables out of the domain model.
    void load_modules();

    bool first() const { return seat->position == 0; }
    bool last() const { return seat->position + 1 == chain().size(); }
    const std::vector<stage_seat>& chain() const { return deploy->chains[seat->cluster]; }
    const cluster_plan& plan() const { return deploy->plans[seat->cluster]; }

    /// Trains on the batches of the round in which its node holds the stage. The last holder contributes the tuned
    /// modules to the average, unless the cluster gives up before.
    task<> train_round(pass& in, const round_plan&);
    /// The same for a stage of a lost client: first receives the modules from the edge.
    task<> take_over(pass& in, const round_plan&);
    /// Works on the requests of a session; the last stage sends the logits, or the next token, to the start point.
    task<> infer(pass& in, const inference_plan&);
    std::map<std::int64_t, tensor_view> told{}; ///< At a start point: the last token of each text under way, int64 [1].

private:
    void announce_losses(pass& in);
    task<> train_batch(pass& in, micro_batch batch, double learning_rate, bool last_of_round);
    task<> forward(pass& in, micro_batch micro);
    task<> backward(pass& in, micro_batch micro);
    std::uint32_t edge() const { return static_cast<std::uint32_t>(deploy->net.nodes[seat->node].edge); }
    std::uint32_t upstream() const { return fate_->holder(chain()[seat->position - 1], batch_); }
    std::uint32_t downstream() const { return fate_->holder(chain()[seat->position + 1], batch_); }
    operation recv_from_upstream(pass& in, message_kind);
    operation recv_from_downstream(pass& in, message_kind);
    void send_upstream(pass& in, message_kind, tensor_view);
    void send_downstream(pass& in, message_kind, tensor_view);
    bool labels_travel_to(std::size_t position) const;
    task<> fetch_padding(pass& in, stage_request&);
    compute_cost cost_of(const stage_request&) const; ///< infer, generate
    double measured(double host_flop_s) const { return host_flop_s * deploy->net.nodes[me.node].device.factor; }

    const cluster_fate* fate_ = nullptr; ///< For this round.
    std::int64_t batch_ = 0;             ///< In this round, from 0.
};

} // namespace gaisnet
