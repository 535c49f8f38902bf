#pragma once

#include "emulation/event.hpp"
#include "model/stage_executor.hpp"
#include "runtime/task.hpp"
#include "transport/transport.hpp"

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace gaisnet {

class pass;

/// One strand of a role. A node plays one or several: a client with two stages, or an edge that is a stage of several
/// chains. Passes keep per-strand data here.
struct actor {
    std::uint32_t node = 0;
    int cluster = -1;             ///< Global index; -1 for the edge's own work.
    std::int64_t cause = -1;      ///< Ledger pass: the event that this strand last waited for.
    std::uint64_t held_bytes = 0; ///< Ledger pass: received smashed data that has not been used.
    std::int64_t batch = -1;      ///< The current batch of the round or, in inference, of requests, from 0.
};

/// The cost of a computation.
struct compute_cost {
    event_kind kind{};
    double flops = 0;
    std::uint64_t retained_bytes = 0;  ///< Kept from the forward to the end of the matching backward.
    std::uint64_t workspace_bytes = 0; ///< Needed only during the computation.
    double rate_flop_s = 0;            ///< 0: the speed of the device.
    bool retains_input = false;        ///< The received message is part of what is retained.
    std::uint64_t caches_bytes = 0;    ///< Are kept from now on: keys and values of a text.
    std::uint64_t drops_bytes = 0;     ///< Of these, are kept no longer when it ends.
};

/// The place of a stage's tunables in the message and in the domain model; FedAvg matches them by tensor.
struct tunable_slice {
    std::uint32_t tensor = 0; ///< Index in the model's list of tunables.
    std::int64_t in_model = 0, in_message = 0, elements = 0;
    /// Of a tensor that is narrower than the model's: elements that lie together, and the distance of their beginnings in
    /// the model. 0: all lie together.
    std::int64_t row = 0, row_in_model = 0;

    /// Calls take(in model, in message, elements) for each part that lies together in both.
    template <typename Take>
    void for_each_row(const Take& take) const {
        const auto together = row > 0 ? row : elements;
        for (std::int64_t done = 0, from = in_model; done < elements; done += together, from += row_in_model) {
            take(from, in_message + done, together);
        }
    }
};

/// Tunable modules of one stage for the average of its edge, or of an edge for that of the cloud.
struct contribution {
    std::uint32_t edge = 0;  ///< The node that averages.
    std::uint32_t index = 0; ///< Index among its contributions.
    const std::vector<tunable_slice>* slices = nullptr;
    tensor_view modules;     ///< float32 [elements]
    std::int64_t weight = 0; ///< Number of samples.
    int party = 0;           ///< Its source: the number of a cluster or, at the cloud, of an edge.
};

struct recv_request {
    channel route;
};
struct compute_request {
    compute_cost cost;
    stage_executor* stage = nullptr; ///< Null: only the cost is charged.
    stage_request work;
};
struct sense_request {
    std::int64_t samples = 0;
};
struct average_request {
    std::uint32_t edge = 0;
    std::vector<int> parties{}; ///< Ledger pass: those in the average.
};
struct enter_request {};
struct arrival_request {};
struct batch_request {
    micro_batch taken;
};

/// An operation that a role waits for: `auto tokens = co_await in.recv(me, upstream, message_kind::forward);` It is
/// stored in the coroutine's frame until it ends, so a pass may keep its address.
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

/// An operation that returns a batch of requests: samples [first, first + count) in order of arrival.
class batch_operation : public operation {
public:
    using operation::operation;
    micro_batch await_resume() { return std::get<batch_request>(request).taken; }
};

/// The result of an average.
struct averaged {
    tensor_view model;        ///< float32 [elements]; empty when no party finished in time.
    std::vector<int> parties; ///< Ledger pass: the clusters or edges in the average.
};

class average_operation : public operation {
public:
    using operation::operation;
    averaged await_resume() { return {std::move(result), std::move(std::get<average_request>(request).parties)}; }
};

const char* name_of(message_kind);

/// The channels at whose end somebody waits, in their order: one line each.
template <typename Mailboxes>
std::string waiting_at(const Mailboxes& mailboxes, const std::vector<std::string>& names) {
    std::vector<channel> routes;
    for (const auto& [route, box] : mailboxes) {
        if (box.waiting) {
            routes.push_back(route);
        }
    }
    std::sort(routes.begin(), routes.end());
    std::string text;
    for (const auto& route : routes) {
        text += "\n  " + names[route.to] + " waits for " + name_of(route.kind) + " from " + names[route.from];
    }
    return text;
}

/// The operations of a role. The same role code runs in the ledger pass, which uses shapes and determines the time, and
/// in the tensor pass, which computes. Receives name their source (a Kahn process network), so values do not depend on
/// the order of execution.
class pass {
public:
    virtual ~pass() = default;

    /// Adds a role of a node; it starts with the pass.
    virtual void spawn(std::uint32_t node, task<> role) = 0;

    /// Sends a message. Never blocks; channels are unbounded and first in, first out. \param stage see channel.
    void send(actor& from, std::uint32_t to, message_kind kind, tensor_view tensor, std::uint32_t stage = 0) {
        send(from, std::span(&to, 1), kind, std::move(tensor), stage);
    }
    /// Sends the same message to several nodes, as a multicast if the links allow it. Sending to itself costs a node
    /// nothing.
    virtual void send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor,
                      std::uint32_t stage = 0) = 0;
    /// Contributes tunable modules to the average of an edge; never blocks.
    virtual void contribute(actor& from, contribution) = 0;
    /// Declares that this strand has no more work in its cluster in this round (see enter).
    virtual void leave(actor&) = 0;
    /// Into how many micro-batches a batch is divided, when a schedule wants so many. The ledger charges all of them.
    virtual int micro_batches(int wanted) const { return wanted; }
    /// Notes that a start point begins a batch.
    virtual void begin_batch(actor&) {}
    /// Notes that a client of the start point's cluster is lost.
    virtual void lose(actor&, std::uint32_t client) = 0;
    /// Gives up the cluster's round, because a client is lost: no upload will follow.
    virtual void abandon(actor&) = 0;

    operation recv(actor& me, std::uint32_t from, message_kind kind, std::uint32_t stage = 0) {
        return {*this, me, recv_request{{from, me.node, kind, stage}}};
    }
    /// Runs `work` on `stage`.
    operation compute(actor& me, compute_cost cost, stage_executor& stage, stage_request work) {
        return {*this, me, compute_request{cost, &stage, std::move(work)}};
    }
    /// Charges work that is done elsewhere or not at all.
    operation charge(actor& me, compute_cost cost) { return {*this, me, compute_request{cost, nullptr, {}}}; }
    operation sense(actor& me, std::int64_t samples) { return {*this, me, sense_request{samples}}; }
    /// Waits until the edge (or the cloud) closes its round; returns the average of all contributions so far.
    average_operation average(actor& me, std::uint32_t edge) { return {*this, me, average_request{edge, {}}}; }
    /// Waits until the strand's cluster may have batches in flight on this rank.
    operation enter(actor& me) { return {*this, me, enter_request{}}; }

    /// Inference: waits until the next request reaches the start point of the strand's cluster.
    operation arrival(actor& me) { return {*this, me, arrival_request{}}; }
    /// Inference: offers a sensed request for a batch.
    virtual void offer(actor&) = 0;
    /// Waits until requests are available and the chain may start another batch; takes as many offered requests as fit
    /// into a batch. The ledger pass decides, the tensor pass follows.
    batch_operation take_batch(actor& me) { return {*this, me, batch_request{}}; }
    /// Inference: the batch that this strand works on (actor::batch), as the start point took it.
    virtual micro_batch batch_of(const actor&) const = 0;
    /// Inference: the results of the oldest batch in the chain have arrived.
    virtual void answer(actor&) = 0;

    /// Starts an operation; returns true when it is already complete, so that the role continues at once.
    virtual bool begin(operation&) = 0;
};

inline bool operation::await_ready() { return owner_->begin(*this); }

} // namespace gaisnet
