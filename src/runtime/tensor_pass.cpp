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
    , rank_(network.rank()) {
    for (const auto& [cluster, strands] : plan_.strands) {
        remaining_strands_[plan_.together.group(cluster)] += strands;
    }
    for (const auto& average : plan_.averages) {
        auto& state = averages_[average.edge];
        state.plan = &average;
        state.sums =
            std::make_unique<fixed_point_average>(average.layout, average.total_weight, average.contributors.size());
    }
    unfinished_sums_ = averages_.size();
    for (const auto& [cluster, batches] : plan_.requests) {
        desks_[cluster].plan = &batches;
    }
    for (auto& [route, messages] : std::exchange(backlog_, {})) {
        for (; !messages.empty(); messages.pop_front()) {
            deliver(route, std::move(messages.front()));
        }
    }
    activate_clusters();
}

void tensor_pass::spawn(std::uint32_t, task<> role) {
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
    // The last role spawned is resumed first. Edges come first in node order and must deliver before clients can start.
    for (auto role = roles_.rbegin(); role != roles_.rend(); ++role) {
        ready_.push_back(role->start_on(trampoline_));
    }
}

bool tensor_pass::step() {
    if (!ready_.empty()) {
        const auto next = ready_.back();
        ready_.pop_back();
        trampoline_.run(next);
        return true;
    }
    if (!planned_.empty()) {
        compute();
        return true;
    }
    return progress();
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
        if (!wait(++idle_turns)) {
            throw runtime_failure("the tensor pass is stuck although the ledger pass was not:" + waiting_for());
        }
    }
}

bool tensor_pass::wait(int idle_turns) {
    using std::chrono::microseconds;
    const bool alone = network_.ranks() == 1;
    // Sleep briefly at first, then longer: there may be more ranks than cores.
    const microseconds nap(idle_turns < 2000 ? 20 : 100);
    if (plan_.pace) {
        auto next = held_.empty() ? pacer::clock::time_point::max() : held_.front().due;
        for (const auto& [edge, state] : averages_) {
            if (state.pending) {
                next = std::min(next, plan_.pace->clock->due(plan_.pace->closes.at(edge)));
            }
        }
        for (const auto& [cluster, desk] : desks_) {
            if (desk.waiting && may_take(desk)) {
                next = std::min(next, plan_.pace->clock->due(desk.plan->batches.at(desk.taken).taken_s));
            }
        }
        if (next != pacer::clock::time_point::max()) {
            // A single rank has nothing else to wait for; 50 ms keep the process interruptible.
            plan_.pace->clock->wait_until(next, alone ? microseconds(50'000) : nap);
            return true;
        }
    }
    if (alone) {
        return false;
    }
    if (idle_turns < 200) {
        std::this_thread::yield();
    } else {
        std::this_thread::sleep_for(nap);
    }
    return true;
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
    return failure_ ||
           (unfinished_roles_ == 0 && unfinished_sums_ == 0 && ready_.empty() && planned_.empty() && network_.idle());
}

std::string tensor_pass::waiting_for() const {
    auto text = waiting_at(mailboxes_, plan_.names);
    for (const auto& [place, strands] : gathering_) {
        for (const auto* one : strands) {
            text += "\n  " + plan_.names[one->who().node] + " waits for others of its group (runtime.fuse)";
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
    moved = release_held() || moved;
    for (auto& [cluster, desk] : desks_) { // with pacing, the time of a batch may have come
        if (plan_.pace && desk.waiting && take(desk, *desk.waiting)) {
            make_ready(*std::exchange(desk.waiting, nullptr));
            moved = true;
        }
    }
    for (auto& [edge, state] : averages_) {
        if (state.pending && state.pending->done() && is_due(edge)) {
            state.pending.reset();
            state.result = state.sums->result(state.plan->contributors, plan_.nan_when_diverged, state.plan->last);
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
    if (plan_.pace) {
        const auto times = plan_.pace->arrivals->find(route);
        const auto which = paced_[route]++;
        if (times != plan_.pace->arrivals->end() && which < times->second.size()) { // else the next round's
            const double due_s = times->second[which];
            held_.push_back(
                {plan_.pace->clock->due(due_s), pacer::clock::now(), next_held_++, due_s, route, std::move(tensor)});
            std::push_heap(held_.begin(), held_.end());
            return;
        }
    }
    hand_over(route, std::move(tensor));
}

bool tensor_pass::is_due(std::uint32_t edge) const {
    return !plan_.pace || pacer::clock::now() >= plan_.pace->clock->due(plan_.pace->closes.at(edge));
}

/// Releases messages that are due and records their lateness. This is called after every computation, so at most one
/// computation lies between the time at which a message became usable and now.
bool tensor_pass::release_held() {
    using seconds = std::chrono::duration<double>;
    const auto before = late_.size();
    while (!held_.empty() && held_.front().due <= pacer::clock::now()) {
        std::pop_heap(held_.begin(), held_.end());
        auto one = std::move(held_.back());
        held_.pop_back();
        const auto now = pacer::clock::now(), usable = std::max(one.due, one.delivered);
        lateness row{one.route, one.due_s, seconds(now - one.due).count(), 0, 0, 0, 0};
        row.upstream_s = seconds(usable - one.due).count();
        const auto begin = std::max(usable, computed_.begin), end = std::min(now, computed_.end);
        const double computing = std::max(0.0, seconds(end - begin).count());
        (computed_.node == one.route.to ? row.own_compute_s : row.neighbour_s) = computing;
        row.timer_s = row.late_s - row.upstream_s - computing;
        late_.push_back(row);
        hand_over(one.route, std::move(one.tensor));
    }
    return late_.size() > before;
}

void tensor_pass::hand_over(const channel& route, tensor_view tensor) {
    auto& box = mailboxes_[route];
    if (box.waiting) {
        box.waiting->result = std::move(tensor);
        make_ready(*std::exchange(box.waiting, nullptr));
    } else {
        box.messages.push_back(std::move(tensor));
    }
}

void tensor_pass::send(actor& from, std::span<const std::uint32_t> to, message_kind kind, tensor_view tensor,
                       std::uint32_t stage) {
    if (!tensor.data) {
        tensor = {}; // the ledger needs the shape; the receiver already has the data
    }
    for (const auto receiver : to) {
        const channel route{from.node, receiver, kind, stage};
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
    const int group = plan_.together.group(who.cluster);
    if (--remaining_strands_.at(group) == 0) {
        std::erase(active_, group);
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
        if (compute->stage == nullptr) {
            return true;
        }
        await_turn(op, *compute);
        return false;
    }
    if (auto* average = std::get_if<average_request>(&op.request)) {
        const auto found = averages_.find(average->edge);
        if (found == averages_.end()) {
            return true; // no party finished in time
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
        const int group = plan_.together.group(who.cluster);
        if (std::find(active_.begin(), active_.end(), group) != active_.end()) {
            return true;
        }
        entering_[group].push_back(&op);
        return false;
    }
    if (std::holds_alternative<batch_request>(op.request)) {
        auto& desk = desks_.at(who.cluster);
        if (take(desk, op)) {
            return true;
        }
        desk.waiting = &op;
        return false;
    }
    return true; // sensing and arrivals of requests take virtual time only
}

void tensor_pass::await_turn(operation& op, compute_request& wanted) {
    const auto* peers = wanted.stage->peers();
    const auto& micro = wanted.work.micro;
    const auto& who = op.who();
    const auto members = peers ? plan_.together.members_of(who.cluster, who.batch, micro.of) : 1;
    std::vector<operation*> strands;
    if (members > 1) {
        // Requests of a session have one micro-batch a batch, whose first sample is another one for each cluster.
        const auto part = wanted.work.operation == stage_operation::infer ? 0 : micro.first;
        const gathering_place place{peers, wanted.work.operation, who.batch, micro.of, part};
        auto& gathered = gathering_[place];
        gathered.push_back(&op);
        if (gathered.size() < members) {
            return;
        }
        strands = std::move(gathered);
        gathering_.erase(place);
        std::sort(strands.begin(), strands.end(),
                  [](const operation* a, const operation* b) { return a->who().cluster < b->who().cluster; });
    }
    planned_.push_back(
        {{plan_.together.group(who.cluster), who.batch, micro.first}, next_planned_++, &op, std::move(strands)});
    std::push_heap(planned_.begin(), planned_.end());
}

void tensor_pass::compute() {
    std::pop_heap(planned_.begin(), planned_.end());
    const auto next = std::move(planned_.back());
    planned_.pop_back();
    const std::span<operation* const> strands =
        next.together.empty() ? std::span(&next.alone, 1) : std::span(next.together);
    try {
        run(strands);
    } catch (...) {
        if (!failure_) {
            failure_ = std::current_exception();
        }
        return;
    }
    for (auto one = strands.rbegin(); one != strands.rend(); ++one) { // the first is resumed first
        make_ready(**one);
    }
}

void tensor_pass::run(std::span<operation* const> strands) {
    auto& first = std::get<compute_request>(strands.front()->request);
    const auto node = strands.front()->who().node;
    if (plan_.note) {
        plan_.note(node, name_of(first.cost.kind));
    }
    computed_.begin = plan_.pace ? pacer::clock::now() : pacer::clock::time_point{};
    if (strands.size() == 1) {
        strands.front()->result = first.stage->run(first.work);
    } else {
        std::vector<joint_request> all;
        for (auto* one : strands) {
            const auto& wanted = std::get<compute_request>(one->request);
            all.push_back({wanted.stage, &wanted.work, {}});
        }
        first.stage->run_together(all);
        for (std::size_t i = 0; i < all.size(); ++i) {
            strands[i]->result = std::move(all[i].output);
        }
    }
    computed_.end = plan_.pace ? pacer::clock::now() : pacer::clock::time_point{};
    computed_.node = node;
    if (plan_.computed) {
        plan_.computed(strands.size());
    }
    progress(); // so that messages leave during the next computation
}

/// Allows as many batches at a time as the ledger. Otherwise a start point would compute all of its work first and fill
/// the memory with smashed data.
bool tensor_pass::take(request_desk& desk, operation& op) {
    if (!may_take(desk)) {
        return false;
    }
    const auto& next = desk.plan->batches.at(desk.taken);
    if (plan_.pace && pacer::clock::now() < plan_.pace->clock->due(next.taken_s)) {
        return false;
    }
    std::get<batch_request>(op.request).taken = {
        0, static_cast<std::int64_t>(desk.taken), next.first, next.count, next.count, next.token};
    ++desk.taken;
    return true;
}

micro_batch tensor_pass::batch_of(const actor& who) const {
    const auto& batch = plan_.requests.at(who.cluster).batches.at(static_cast<std::size_t>(who.batch));
    return {0, who.batch, batch.first, batch.count, batch.count, batch.token};
}

void tensor_pass::answer(actor& who) {
    auto& desk = desks_.at(who.cluster);
    ++desk.answered;
    if (desk.waiting && take(desk, *desk.waiting)) {
        make_ready(*std::exchange(desk.waiting, nullptr));
    }
}

} // namespace gaisnet
