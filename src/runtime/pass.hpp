#pragma once

#include "emulation/event.hpp"
#include "model/stage_executor.hpp"
#include "runtime/task.hpp"
#include "transport/transport.hpp"

#include <coroutine>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace gaisnet {

class pass;

/// One strand of a role: a node plays one or several (a client with two stages, an edge that is a stage of several
/// chains). Passes keep what they need to know of a strand here.
struct actor {
    std::uint32_t node = 0;
    int cluster = -1;             ///< Global index; -1 for the edge's own work.
    std::int64_t cause = -1;      ///< Ledger pass: the event that this strand last waited for.
    std::uint64_t held_bytes = 0; ///< Ledger pass: smashed data received and not yet used up.
    std::int64_t batch = -1;      ///< Inference: the batch of requests that this strand works on, from 0.
};

/// What a computation costs.
struct compute_cost {
    event_kind kind{};
    double flops = 0;
    std::uint64_t retained_bytes = 0;  ///< Kept from the forward until the matching backward has ended.
    std::uint64_t workspace_bytes = 0; ///< Needed while it runs.
    double rate_flop_s = 0;            ///< 0: the device's.
    bool retains_input = false;        ///< The received message is among what is retained.
};

/// Where a stage's tunables lie in the message and in the domain model; FedAvg matches them by tensor.
struct tunable_slice {
    std::uint32_t tensor = 0; ///< Index in the model's list of tunables.
    std::int64_t in_model = 0, in_message = 0, elements = 0;
};

/// Tunable modules of one stage for the average of its edge, or of an edge for that of the cloud.
struct contribution {
    std::uint32_t edge = 0;  ///< Node that averages.
    std::uint32_t index = 0; ///< Which of its contributions.
    const std::vector<tunable_slice>* slices = nullptr;
    tensor_view modules;     ///< float32 [elements]
    std::int64_t weight = 0; ///< Samples
    int party = 0;           ///< Whose it is: number of a cluster, or at the cloud of an edge.
};

struct recv_request {
    channel route;
};
struct compute_request {
    compute_cost cost;
    stage_executor* stage = nullptr; ///< Null: the cost alone.
    stage_request work;
};
struct sense_request {
    std::int64_t samples = 0;
};
struct average_request {
    std::uint32_t edge = 0;
    int parties = 0; ///< Ledger pass: how many are in it.
};
struct enter_request {};
struct arrival_request {};
struct batch_request {
    micro_batch taken;
};

/// Something a role waits for: `auto tokens = co_await in.recv(me, upstream, message_kind::forward);`
/// It lives in the coroutine's frame from begin to end, so a pass may keep its address.
class operation {
public:
    using request_type = std::variant<recv_request, compute_request, sense_request, average_request, enter_request,
                                      arrival_request, batch_request>;

    operation(pass& owner, actor& who, request_type what): request(std::move(what)), who_(&who), owner_(&owner) {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

    bool await_ready();
    void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
    tensor_view await_resume() { return std::move(result); }

    actor& who() const { return *who_; }
    std::coroutine_handle<> waiter() const { return waiter_; }

    request_type request;
    tensor_view result;

private:
    actor* who_;
    pass* owner_;
    std::coroutine_handle<> waiter_;
};

/// An operation whose result is a batch of requests: samples [first, first + count) in the order of arrival.
class batch_operation : public operation {
public:
    using operation::operation;
    micro_batch await_resume() { return std::get<batch_request>(request).taken; }
};

/// An average.
struct averaged {
    tensor_view model; ///< float32 [elements]; empty when nobody has ended in time.
    int parties = 0;   ///< Ledger pass: clusters or edges that are in it.
};

class average_operation : public operation {
public:
    using operation::operation;
    averaged await_resume() { return {std::move(result), std::get<average_request>(request).parties}; }
};

/// What a role may do. The same role code runs in the ledger pass, which decides about time with shapes, and in the
/// tensor pass, which computes. Receives name their source (a Kahn process network), so values depend on no order.
class pass {
public:
    virtual ~pass() = default;

    /// Adds what a node does; it starts with the pass.
    virtual void spawn(std::uint32_t node, task<> role) = 0;

    /// Never blocks; channels are unbounded and first in, first out.
    /// \param stage see channel.
    void send(actor& from, std::uint32_t to, message_kind kind, tensor_view tensor, std::uint32_t stage = 0) {
        send(from, std::span(&to, 1), kind, std::move(tensor), stage);
    }
    /// To several nodes the same: where links can, it is sent once. To itself a node sends at no cost.
    virtual void send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor,
                      std::uint32_t stage = 0) = 0;
    /// Gives tunable modules to the average of an edge; never blocks.
    virtual void contribute(actor& from, contribution) = 0;
    /// This strand has no more work in its cluster this round (see enter).
    virtual void leave(actor&) = 0;
    /// A start point begins with a batch.
    virtual void begin_batch(actor&) {}
    /// A start point notices that a client of its cluster is lost.
    virtual void lose(actor&, std::uint32_t client) = 0;
    /// A start point gives its cluster's round up, since a client is lost: no upload will come.
    virtual void abandon(actor&) = 0;

    operation recv(actor& me, std::uint32_t from, message_kind kind, std::uint32_t stage = 0) {
        return {*this, me, recv_request{{from, me.node, kind, stage}}};
    }
    /// Runs `work` on `stage`.
    operation compute(actor& me, compute_cost cost, stage_executor& stage, stage_request work) {
        return {*this, me, compute_request{cost, &stage, std::move(work)}};
    }
    /// Charges work that the emulation does elsewhere or not at all.
    operation charge(actor& me, compute_cost cost) { return {*this, me, compute_request{cost, nullptr, {}}}; }
    operation sense(actor& me, std::int64_t samples) { return {*this, me, sense_request{samples}}; }
    /// Waits until the edge (or the cloud) closes its round; the average of what has come.
    average_operation average(actor& me, std::uint32_t edge) { return {*this, me, average_request{edge}}; }
    /// Waits until the actor's cluster may have batches in flight on this rank.
    operation enter(actor& me) { return {*this, me, enter_request{}}; }

    /// Inference. Waits until the next request reaches the start point of the strand's cluster.
    operation arrival(actor& me) { return {*this, me, arrival_request{}}; }
    /// A request has been sensed and may go into a batch.
    virtual void offer(actor&) = 0;
    /// Waits until there are requests and the chain may begin another batch: as many as have been offered, up to the
    /// size of a batch. The ledger pass decides, the tensor pass obeys.
    batch_operation take_batch(actor& me) { return {*this, me, batch_request{}}; }
    /// The results of the oldest batch in the chain have come back.
    virtual void answer(actor&) = 0;

    /// Starts an operation; true when it has already ended, so that the role goes on at once.
    virtual bool begin(operation&) = 0;
};

inline bool operation::await_ready() { return owner_->begin(*this); }

} // namespace gaisnet
