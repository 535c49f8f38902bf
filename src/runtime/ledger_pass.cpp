#include "runtime/ledger_pass.hpp"

#include "base/error.hpp"
#include "base/interruption.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

event_kind event_of(message_kind kind) {
    switch (kind) {
    case message_kind::modules: return event_kind::send_modules_down; // a contribution is not a message
    case message_kind::forward:
    case message_kind::padding: return event_kind::send_forward;
    case message_kind::gradient: return event_kind::send_gradient;
    case message_kind::label: return event_kind::send_label;
    case message_kind::samples: return event_kind::send_samples;
    case message_kind::request: return event_kind::send_request;
    case message_kind::result:
    case message_kind::control: break;
    }
    return event_kind::send_result;
}

} // namespace

const char* name_of(message_kind kind) {
    switch (kind) {
    case message_kind::modules: return "modules";
    case message_kind::forward: return "forward";
    case message_kind::gradient: return "gradient";
    case message_kind::label: return "label";
    case message_kind::padding: return "padding";
    case message_kind::result: return "result";
    case message_kind::control: return "control";
    case message_kind::samples: return "samples";
    case message_kind::request: return "request";
    }
    return "?";
}

ledger_pass::ledger_pass(ledger& accounts, std::vector<std::string> names,
                         std::map<std::uint32_t, average_expectation> averages)
    : ledger_(accounts)
    , queue_(accounts.queue())
    , names_(std::move(names))
    , memory_(names_.size()) {
    for (auto& [edge, expected] : averages) {
        auto& state = averages_[edge];
        state.expected = std::move(expected);
        if (state.expected.deadline_s < never) {
            state.deadline =
                queue_.schedule(state.expected.deadline_s, edge,
                                {[](void* self, std::uint64_t which) {
                                     static_cast<ledger_pass*>(self)->reach_deadline(static_cast<std::uint32_t>(which));
                                 },
                                 this, edge});
        }
    }
}

void ledger_pass::record(std::function<bool(const channel&)> wanted, std::vector<sent_message>& log) {
    recorded_ = std::move(wanted);
    log_ = &log;
}

void ledger_pass::spawn(std::uint32_t node, task<> role, double start_s) {
    roles_.emplace_back(node, std::move(role));
    queue_.schedule(start_s, node,
                    {[](void* self, std::uint64_t index) {
                         auto& here = *static_cast<ledger_pass*>(self);
                         here.trampoline_.run(here.roles_[index].second.start_on(here.trampoline_));
                     },
                     this, roles_.size() - 1});
}

void ledger_pass::run() {
    constexpr double longest = 1e7; // s: 116 days
    while (!queue_.empty()) {
        check_interruption();
        queue_.fire_next();
        if (queue_.now() - ledger_.round_start_s() > longest) {
            const auto links = ledger_.sending_links();
            throw usage_error("a round or session takes more than 116 days of emulated time" +
                              (links.empty() ? ": faster devices, or more frequent requests, are accepted"
                                             : "; sending then: " + links));
        }
    }
    bool stuck = false;
    for (auto& [node, role] : roles_) {
        if (role.done()) {
            role.result();
        } else {
            stuck = stuck || !cut_;
        }
    }
    for (const auto& [edge, state] : averages_) {
        stuck = stuck || state.waiting;
    }
    if (stuck) {
        report_stuck();
    }
}

void ledger_pass::report_stuck() const {
    if (const auto links = ledger_.sending_links(); !links.empty()) {
        throw usage_error("these links carry nothing, and never will: " + links +
                          ": a larger link.*.rate, more power, or shorter distances are accepted");
    }
    auto text = "the role network is stuck:" + waiting_at(mailboxes_, names_);
    for (const auto& [edge, state] : averages_) {
        if (state.waiting) {
            for (const auto& [cluster, expected] : state.expected.contributions) {
                const auto arrived = state.arrived.find(cluster);
                const auto missing = expected - (arrived == state.arrived.end() ? 0 : arrived->second);
                if (missing > 0) {
                    text += "\n  " + names_[state.waiting->who().node] + " waits for " + std::to_string(missing) +
                            " of " + std::to_string(expected) + " contributions of cluster number " +
                            std::to_string(cluster);
                }
            }
        }
    }
    throw runtime_failure(text);
}

void ledger_pass::resume(operation& ended) { trampoline_.run(ended.waiter()); }

void ledger_pass::grow(std::uint32_t node, std::uint64_t bytes, std::uint64_t passing) {
    auto& memory = memory_[node];
    memory.current += bytes;
    memory.peak = std::max(memory.peak, memory.current + passing);
}

bool ledger_pass::begin(operation& op) {
    if (const auto* recv = std::get_if<recv_request>(&op.request)) {
        return begin_recv(op, *recv);
    }
    if (const auto* compute = std::get_if<compute_request>(&op.request)) {
        return begin_compute(op, *compute);
    }
    if (const auto* sense = std::get_if<sense_request>(&op.request)) {
        auto& who = op.who();
        const double begun = std::max(0.0, queue_.now() - sensing_since_s_);
        who.cause = ledger_.sense(who.node, sense->samples, begun, who.cause,
                                  {[](void* self, std::uint64_t address) {
                                       static_cast<ledger_pass*>(self)->resume(*reinterpret_cast<operation*>(address));
                                   },
                                   this, reinterpret_cast<std::uint64_t>(&op)});
        note_sensing(who);
        return false;
    }
    if (std::holds_alternative<arrival_request>(op.request)) {
        return begin_arrival(op);
    }
    if (std::holds_alternative<batch_request>(op.request)) {
        return begin_batch_of_requests(op);
    }
    if (const auto* average = std::get_if<average_request>(&op.request)) {
        return begin_average(op, *average);
    }
    return true; // enter: there are no ranks in the ledger
}

/// Holds a received message until its reader has computed with it. Exceptions: modules go directly into the tunables,
/// which count as resident; results leave the emulation; samples are on a disk; requests disappear when they are read.
void ledger_pass::hold(actor& reader, message_kind kind, std::uint64_t bytes) {
    const bool smashed = kind == message_kind::forward || kind == message_kind::gradient ||
                         kind == message_kind::label || kind == message_kind::padding || kind == message_kind::control;
    if (smashed) {
        reader.held_bytes += bytes;
    } else {
        shrink(reader.node, bytes);
    }
}

void ledger_pass::release(actor& who) {
    shrink(who.node, who.held_bytes);
    who.held_bytes = 0;
}

bool ledger_pass::begin_recv(operation& op, const recv_request& request) {
    auto& box = mailboxes_[request.route];
    if (box.messages.empty()) {
        ensure(!box.waiting, "a channel has one reader");
        box.waiting = &op;
        return false;
    }
    // The message arrived while the strand was busy, so the cause stays the event that the strand last waited for.
    op.result = std::move(box.messages.front().tensor);
    hold(op.who(), request.route.kind, op.result.bytes());
    box.messages.pop_front();
    return true;
}

bool ledger_pass::begin_compute(operation& op, const compute_request& request) {
    auto& who = op.who();
    const auto& cost = request.cost;
    if (cost.retains_input) {
        release(who);
    }
    grow(who.node, cost.caches_bytes + (cost.kind == event_kind::forward ? cost.retained_bytes : 0),
         cost.workspace_bytes);
    auto& memory = memory_[who.node];
    memory.cached += cost.caches_bytes;
    memory.cached_peak = std::max(memory.cached_peak, memory.cached);
    who.cause = ledger_.compute(who.node, cost.kind, cost.flops, cost.rate_flop_s, who.cause,
                                {[](void* self, std::uint64_t address) {
                                     auto& ended = *reinterpret_cast<operation*>(address);
                                     static_cast<ledger_pass*>(self)->computed(ended);
                                 },
                                 this, reinterpret_cast<std::uint64_t>(&op)});
    note_work(who, who.cause);
    return false;
}

void ledger_pass::computed(operation& op) {
    auto& request = std::get<compute_request>(op.request);
    auto& who = op.who();
    if (request.cost.kind == event_kind::backward) {
        shrink(who.node, request.cost.retained_bytes);
    }
    shrink(who.node, request.cost.drops_bytes);
    memory_[who.node].cached -= request.cost.drops_bytes;
    release(who);
    if (request.stage) {
        op.result = request.stage->run(request.work);
    }
    resume(op);
}

bool ledger_pass::begin_average(operation& op, const average_request& request) {
    auto& state = averages_.at(request.edge);
    state.waiting = &op;
    if (!state.closed && state.expected.contributions.empty()) {
        queue_.cancel(state.deadline);
        state.closed = true;
    }
    if (!state.closed) {
        return false;
    }
    state.waiting = nullptr;
    return true; // no cluster has anything to contribute: an empty round
}

void ledger_pass::send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor,
                       std::uint32_t stage) {
    const auto bytes = tensor.bytes();
    const auto first = messages_.size(), first_logged = log_ ? log_->size() : 0;
    event_queue::action arrived{
        [](void* self, std::uint64_t message) { static_cast<ledger_pass*>(self)->deliver(message); }, this, first};
    for (const auto receiver : to) {
        const channel route{from.node, receiver, kind, stage};
        if (log_ && recorded_(route)) {
            log_->push_back({route, tensor, from.cluster, -1, queue_.now(), from.batch});
        }
        messages_.push_back({route, tensor, from.cause, bytes});
    }
    const bool free = kind == message_kind::control || (kind == message_kind::gradient && !charge_gradients_);
    if (free || from.node == to.front()) {
        for (std::size_t i = 0; i < to.size(); ++i) {
            queue_.schedule(queue_.now(), to[i], arrived);
            ++arrived.argument;
        }
        return;
    }
    grow(from.node, bytes);
    const event_queue::action sent{[](void* self, std::uint64_t message) {
                                       auto& here = *static_cast<ledger_pass*>(self);
                                       const auto& done = here.messages_[message];
                                       here.shrink(done.route.from, done.bytes);
                                   },
                                   this, first};
    const auto event = ledger_.transfer(from.node, to, event_of(kind), bytes, from.cause, sent, arrived);
    if (kind != message_kind::padding) { // is there before what it goes with
        note_work(from, event);
    }
    for (auto message = first; message < messages_.size(); ++message) {
        messages_[message].event = event;
    }
    for (auto entry = first_logged; log_ && entry < log_->size(); ++entry) {
        (*log_)[entry].event = event;
    }
}

void ledger_pass::deliver(std::uint64_t message) {
    auto& arrived = messages_[message];
    auto& box = mailboxes_[arrived.route];
    if (arrivals_) {
        (*arrivals_)[arrived.route].push_back(queue_.now());
    }
    if (arrived.route.kind == message_kind::modules) {
        delivered_s_[arrived.route.to] = queue_.now();
    }
    grow(arrived.route.to, arrived.tensor.bytes());
    if (box.waiting) {
        operation& reader = *std::exchange(box.waiting, nullptr);
        reader.result = std::move(arrived.tensor);
        reader.who().cause = arrived.event;
        hold(reader.who(), arrived.route.kind, arrived.bytes);
        resume(reader);
    } else {
        box.messages.push_back({std::move(arrived.tensor), arrived.event});
    }
}

void ledger_pass::contribute(actor& from, contribution given) {
    if (from.node == given.edge) {
        contributed(given.edge, given.party, from.cause); // the edge's own stage need not send anything
        return;
    }
    const channel route{from.node, given.edge, message_kind::modules};
    const auto number = messages_.size();
    const auto bytes = given.modules.bytes();
    messages_.push_back({route, {}, -1, bytes, given.party});
    messages_[number].event =
        ledger_.transfer(from.node, std::span(&given.edge, 1), event_kind::send_modules_up, bytes, from.cause, {},
                         {[](void* self, std::uint64_t index) {
                              auto& here = *static_cast<ledger_pass*>(self);
                              const auto& message = here.messages_[index];
                              here.contributed(message.route.to, message.party, message.event);
                          },
                          this, number});
}

void ledger_pass::contributed(std::uint32_t edge, int party, std::int64_t cause) {
    auto& state = averages_[edge];
    state.cause = cause;
    if (++state.arrived[party] == state.expected.contributions.at(party)) {
        state.closing.done.insert(party);
        close_if_settled(edge);
    }
}

void ledger_pass::abandon(actor& start_point) {
    for (auto& [edge, state] : averages_) {
        if (state.expected.contributions.contains(start_point.cluster)) {
            state.closing.lost.insert(start_point.cluster);
            state.cause = start_point.cause;
            close_if_settled(edge);
        }
    }
}

void ledger_pass::close_if_settled(std::uint32_t edge) {
    const auto& state = averages_[edge];
    const auto& closing = state.closing;
    if (closing.done.size() >= state.expected.clusters_wanted ||
        closing.done.size() + closing.lost.size() == state.expected.contributions.size()) {
        close(edge);
    }
}

void ledger_pass::reach_deadline(std::uint32_t edge) {
    auto& state = averages_[edge];
    state.deadline = event_queue::no_ticket;
    const double since =
        state.cause < 0 ? ledger_.round_start_s() : ledger_.events()[static_cast<std::size_t>(state.cause)].arrival_s;
    state.cause = ledger_.wait(edge, since, state.cause);
    close(edge);
}

/// Closes an edge's round: unfinished work is cut, and only the edge continues.
void ledger_pass::close(std::uint32_t edge) {
    auto& state = averages_[edge];
    if (state.closed) {
        return;
    }
    state.closed = true;
    state.closing.closed_s = queue_.now();
    queue_.cancel(std::exchange(state.deadline, event_queue::no_ticket));
    if (state.closing.done.size() < state.expected.contributions.size()) {
        ensure(averages_.size() == 1, "only one edge plays when a round is cut");
        ledger_.cut();
        cut_ = true;
    }
    ensure(state.waiting, "who averages waits for its average from the start of the round");
    auto& edge_waits = *std::exchange(state.waiting, nullptr);
    std::get<average_request>(edge_waits.request).parties = {state.closing.done.begin(), state.closing.done.end()};
    if (!state.closing.done.empty()) {
        edge_waits.result = tensor_view::shape_only({state.expected.elements});
    }
    edge_waits.who().cause = state.cause;
    resume(edge_waits);
}

} // namespace gaisnet
