#include "base/error.hpp"
#include "runtime/ledger_pass.hpp"

#include <algorithm>

// Inference in the ledger pass: when requests arrive, and which of them go through a chain together.

namespace gaisnet {

void ledger_pass::serve(std::map<int, request_line> lines) {
    for (auto& [cluster, line] : lines) {
        desks_[cluster].line = std::move(line);
    }
}

double ledger_pass::delivered_s(std::uint32_t node) const {
    const auto found = delivered_s_.find(node);
    return found == delivered_s_.end() ? ledger_.round_start_s() : found->second;
}

bool ledger_pass::begin_arrival(operation& op) {
    auto& who = op.who();
    auto& desk = desks_.at(who.cluster);
    const double when = ledger_.round_start_s() + desk.line.arrivals_s.at(desk.arrived++);
    who.cause = -1;
    if (when <= queue_.now()) {
        return true;
    }
    queue_.schedule(when, who.node,
                    {[](void* self, std::uint64_t address) {
                         static_cast<ledger_pass*>(self)->resume(*reinterpret_cast<operation*>(address));
                     },
                     this, reinterpret_cast<std::uint64_t>(&op)});
    return false;
}

namespace {

micro_batch micro_of(const request_batch& batch, std::int64_t number) {
    return {0, number, batch.first, batch.count, batch.count, batch.token};
}

} // namespace

/// Texts that are under way go on before others begin.
bool ledger_pass::take(request_desk& desk, operation& op) {
    request_batch some;
    if (!desk.ready.empty()) {
        some = desk.ready.front().next;
        op.who().cause = desk.ready.front().cause;
        desk.ready.pop_front();
    } else {
        if (desk.open >= static_cast<std::size_t>(desk.line.in_flight) || desk.offered == desk.taken) {
            return false;
        }
        const auto most = desk.line.texts.empty() ? static_cast<std::size_t>(desk.line.batch) : std::size_t{1};
        const auto count = std::min(desk.offered - desk.taken, most);
        some = {static_cast<std::int64_t>(desk.taken), static_cast<std::int64_t>(count)};
        desk.taken += count;
        ++desk.open;
        op.who().cause = desk.log.sensing.at(desk.taken - 1);
    }
    std::get<batch_request>(op.request).taken = micro_of(some, static_cast<std::int64_t>(desk.log.batches.size()));
    desk.log.batches.push_back({some, queue_.now(), 0.0, {}});
    return true;
}

micro_batch ledger_pass::batch_of(const actor& who) const {
    return micro_of(desks_.at(who.cluster).log.batches.at(static_cast<std::size_t>(who.batch)).requests, who.batch);
}

bool ledger_pass::begin_batch_of_requests(operation& op) {
    auto& desk = desks_.at(op.who().cluster);
    if (take(desk, op)) {
        return true;
    }
    ensure(!desk.waiting, "a start point has one strand that takes requests");
    desk.waiting = &op;
    return false;
}

/// Resumes the waiting strand through the queue, because the caller is a role that is running.
void ledger_pass::call_waiting(request_desk& desk) {
    if (!desk.waiting) {
        return;
    }
    auto& op = *desk.waiting;
    queue_.schedule(queue_.now(), op.who().node,
                    {[](void* self, std::uint64_t cluster) {
                         auto& here = *static_cast<ledger_pass*>(self);
                         auto& called = here.desks_.at(static_cast<int>(cluster));
                         if (called.waiting && here.take(called, *called.waiting)) {
                             here.resume(*std::exchange(called.waiting, nullptr));
                         }
                     },
                     this, static_cast<std::uint64_t>(op.who().cluster)});
}

void ledger_pass::offer(actor& who) {
    auto& desk = desks_.at(who.cluster);
    ++desk.offered;
    call_waiting(desk);
}

void ledger_pass::answer(actor& who) {
    auto& desk = desks_.at(who.cluster);
    auto& batch = desk.log.batches.at(desk.answered++);
    batch.answered_s = queue_.now();
    if (desk.line.answers(batch.requests.first, batch.requests.token)) {
        --desk.open;
    } else {
        desk.ready.push_back({{batch.requests.first, 1, 0.0, batch.requests.token + 1}, who.cause});
    }
    call_waiting(desk);
}

void ledger_pass::note_sensing(const actor& who) {
    if (const auto desk = desks_.find(who.cluster); desk != desks_.end()) {
        desk->second.log.sensing.push_back(who.cause);
    }
}

void ledger_pass::note_work(const actor& who, std::int64_t event) {
    if (const auto desk = desks_.find(who.cluster); desk != desks_.end() && who.batch >= 0) {
        desk->second.log.batches.at(static_cast<std::size_t>(who.batch)).events.push_back(event);
    }
}

} // namespace gaisnet
