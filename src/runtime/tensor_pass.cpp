#include "runtime/tensor_pass.hpp"

#include "base/error.hpp"
#include "runtime/ledger_pass.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace gaisnet {

tensor_pass::tensor_pass(transport& network, settings plan, backlog_type& backlog)
    : network_(network)
    , plan_(std::move(plan))
    , backlog_(backlog)
    , rank_(network.rank())
    , remaining_strands_(plan_.strands) {
    for (const auto& average : plan_.averages) {
        auto& state = averages_[average.edge];
        state.plan = &average;
        state.sums = std::make_unique<fixed_point_average>(average.tensor_elements, average.total_weight,
                                                           average.contributors.size());
    }
    unfinished_sums_ = averages_.size();
    for (auto& [route, messages] : backlog_) {
        mailboxes_[route].messages = std::move(messages);
    }
    backlog_.clear();
    activate_clusters();
}

void tensor_pass::spawn(task<> role) {
    roles_.push_back(supervise(std::move(role)));
    ++unfinished_roles_;
}

task<> tensor_pass::supervise(task<> role) {
    try {
        co_await std::move(role);
    } catch (...) {
        if (!failure_) {
            failure_ = std::current_exception();
        }
    }
    --unfinished_roles_;
}

void tensor_pass::start() {
    // The last spawned is resumed first; edges come first in node order and must deliver before clients can start.
    for (auto role = roles_.rbegin(); role != roles_.rend(); ++role) {
        ready_.push_back(role->start_on(trampoline_));
    }
}

bool tensor_pass::step() {
    if (ready_.empty()) {
        return progress();
    }
    const auto next = ready_.back(); // depth first
    ready_.pop_back();
    trampoline_.run(next);
    return true;
}

void tensor_pass::run() {
    int idle_turns = 0;
    while (!done()) {
        if (step()) {
            idle_turns = 0;
            continue;
        }
        if (plan_.idle) {
            plan_.idle();
        }
        if (network_.ranks() == 1) {
            throw runtime_failure("the tensor pass is stuck although the ledger pass was not:" + waiting_for());
        }
        // Spin shortly, then sleep: ranks may outnumber cores.
        if (++idle_turns < 200) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(idle_turns < 2000 ? 20 : 100));
        }
    }
}

void tensor_pass::finish() {
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    for (auto& [route, box] : mailboxes_) {
        if (!box.messages.empty()) {
            backlog_[route] = std::move(box.messages);
        }
    }
}

bool tensor_pass::done() {
    return failure_ || (unfinished_roles_ == 0 && unfinished_sums_ == 0 && ready_.empty() && network_.idle());
}

std::string tensor_pass::waiting_for() const {
    std::string text;
    for (const auto& [route, box] : mailboxes_) {
        if (box.waiting) {
            text += "\n  " + plan_.names[route.to] + " waits for " + name_of(route.kind) + " from " +
                    plan_.names[route.from];
        }
    }
    for (const auto& [edge, state] : averages_) {
        if (!state.done) {
            text += "\n  the average of " + plan_.names[edge] + " has " + std::to_string(state.contributed) + " of " +
                    std::to_string(state.plan->local_contributions) + " local contributions";
        }
    }
    return text;
}

bool tensor_pass::progress() {
    bool moved = false;
    while (auto arrived = network_.poll()) {
        deliver(arrived->route, std::move(arrived->tensor));
        moved = true;
    }
    while (next_average_ < plan_.averages.size()) {
        auto& state = averages_.at(plan_.averages[next_average_].edge);
        if (state.contributed < state.plan->local_contributions) {
            break;
        }
        if (plan_.note) {
            plan_.note(plan_.averages[next_average_].edge, "average");
        }
        state.pending = network_.sum(state.sums->buffer(), state.plan->group);
        ++next_average_;
        moved = true;
    }
    for (auto& [edge, state] : averages_) {
        if (state.pending && state.pending->done()) {
            state.pending.reset();
            state.result = state.sums->result(state.plan->contributors);
            state.done = true;
            --unfinished_sums_;
            moved = true;
            if (state.waiting) {
                state.waiting->result = state.result;
                make_ready(*std::exchange(state.waiting, nullptr));
            }
        }
    }
    return moved;
}

void tensor_pass::deliver(const channel& route, tensor_view tensor) {
    auto& box = mailboxes_[route];
    if (box.waiting) {
        box.waiting->result = std::move(tensor);
        make_ready(*std::exchange(box.waiting, nullptr));
    } else {
        box.messages.push_back(std::move(tensor));
    }
}

void tensor_pass::send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor) {
    for (const auto receiver : to) {
        const channel route{from.node, receiver, kind};
        const int destination = plan_.rank_of[receiver];
        if (destination == rank_) {
            network_.count_local(tensor.bytes());
            deliver(route, tensor); // handed over in place
        } else {
            network_.send(destination, {route, tensor});
        }
    }
}

void tensor_pass::contribute(actor&, contribution given) {
    auto& state = averages_.at(given.edge);
    state.sums->add(given);
    ++state.contributed;
}

void tensor_pass::activate_clusters() {
    for (const auto& [cluster, strands] : remaining_strands_) {
        if (active_.size() >= plan_.active_clusters) {
            return;
        }
        if (strands == 0 || std::find(active_.begin(), active_.end(), cluster) != active_.end()) {
            continue;
        }
        active_.push_back(cluster);
        for (auto* waiting : entering_[cluster]) {
            make_ready(*waiting);
        }
        entering_.erase(cluster);
    }
}

void tensor_pass::leave(actor& who) {
    auto& remaining = remaining_strands_.at(who.cluster);
    if (--remaining == 0) {
        std::erase(active_, who.cluster);
        activate_clusters();
    }
}

bool tensor_pass::begin(operation& op) {
    auto& who = op.who();
    if (auto* recv = std::get_if<recv_request>(&op.request)) {
        auto& box = mailboxes_[recv->route];
        if (box.messages.empty()) {
            box.waiting = &op;
            return false;
        }
        op.result = std::move(box.messages.front());
        box.messages.pop_front();
        return true;
    }
    if (auto* compute = std::get_if<compute_request>(&op.request)) {
        if (compute->stage) {
            if (plan_.note) {
                plan_.note(who.node, name_of(compute->cost.kind));
            }
            op.result = compute->stage->run(compute->work);
            if (plan_.computed) {
                plan_.computed();
            }
            progress(); // so that messages leave while the next computation runs
        }
        return true;
    }
    if (auto* average = std::get_if<average_request>(&op.request)) {
        const auto found = averages_.find(average->edge);
        if (found == averages_.end()) {
            return true; // nobody has ended in time
        }
        auto& state = found->second;
        if (!state.done) {
            state.waiting = &op;
            return false;
        }
        op.result = state.result;
        return true;
    }
    if (std::holds_alternative<enter_request>(op.request)) {
        if (std::find(active_.begin(), active_.end(), who.cluster) != active_.end()) {
            return true;
        }
        entering_[who.cluster].push_back(&op);
        return false;
    }
    return true; // sensing takes virtual time only
}

} // namespace gaisnet
