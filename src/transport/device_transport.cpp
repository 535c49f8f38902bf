#include "transport/device_transport.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <utility>

namespace gaisnet {

namespace {

bool is_smashed_data(message_kind kind) { return kind == message_kind::forward || kind == message_kind::gradient; }

lane lane_of(message_kind kind) { return kind == message_kind::forward ? lane::forward : lane::gradient; }

} // namespace

/// A sum that starts when it is its turn in the order.
class device_transport::ordered_sum final : public pending_sum {
public:
    ordered_sum(device_transport& owner, std::shared_ptr<handed_sum> handed)
        : owner_(owner)
        , handed_(std::move(handed)) {}
    bool done() override {
        owner_.begin_expected();
        return handed_->pending && handed_->pending->done();
    }

private:
    device_transport& owner_;
    std::shared_ptr<handed_sum> handed_;
};

device_transport::device_transport(std::unique_ptr<transport> base, std::unique_ptr<tensor_staging> staging,
                                   std::unique_ptr<device_fabric> fabric)
    : base_(std::move(base))
    , staging_(std::move(staging))
    , fabric_(std::move(fabric)) {
    if (fabric_) {
        carried_.transport = fabric_->name();
    }
}

device_transport::~device_transport() = default;

bool device_transport::connects(int rank) const {
    return fabric_ && std::binary_search(fabric_->members().begin(), fabric_->members().end(), rank);
}

bool device_transport::connects(const std::vector<int>& group) const {
    return group.size() > 1 && std::all_of(group.begin(), group.end(), [&](int rank) { return connects(rank); });
}

bool device_transport::carries(const exchange& next) const {
    if (next.is_sum()) {
        return connects(next.group);
    }
    return next.from_rank != next.to_rank && connects(next.from_rank) && connects(next.to_rank) &&
           is_smashed_data(next.route.kind) && !next.shape.empty();
}

void device_transport::connect(const std::vector<std::pair<int, int>>& from_to) {
    std::vector<std::pair<int, int>> over_fabric;
    for (const auto& [from, to] : from_to) {
        if (from != to && connects(from) && connects(to)) {
            over_fabric.emplace_back(from, to);
        }
    }
    if (!over_fabric.empty()) {
        fabric_->connect(over_fabric);
    }
}

void device_transport::expect(std::vector<exchange> next) {
    ensure(expected_.empty(), "what was expected before has been exchanged");
    passed_messages_.clear();
    passed_sums_.clear();
    for (auto& one : next) {
        const bool mine = one.is_sum() ? std::binary_search(one.group.begin(), one.group.end(), rank())
                                       : one.from_rank == rank() || (one.to_rank == rank() && carries(one));
        if (fabric_ && mine && (one.is_sum() || one.from_rank != one.to_rank)) {
            expected_.push_back(std::move(one));
        }
    }
}

void device_transport::send(int destination, message sent) {
    if (carries({sent.route, rank(), destination, sent.tensor, {}})) {
        handed_messages_[sent.route].push_back({std::move(sent.tensor), fabric_->mark()});
        move_on();
        return;
    }
    if (destination != rank()) {
        ++passed_messages_[sent.route];
    }
    if (sent.tensor.memory == memory_space::device) {
        ensure(staging_ != nullptr, "a tensor on a device has a way off it");
        auto& next = staged_.emplace_back();
        next.destination = destination;
        next.route = sent.route;
        next.tensor = std::move(sent.tensor);
        next.transfer = staging_->stage(next.tensor, next.ready);
    } else {
        base_->send(destination, std::move(sent));
    }
    move_on();
}

bool device_transport::has_passed(const exchange& next) {
    auto& count = next.is_sum() ? passed_sums_[next.group] : passed_messages_[next.route];
    if (count == 0) {
        return false;
    }
    --count;
    return true;
}

bool device_transport::begin(const exchange& next) {
    if (!carries(next)) {
        return has_passed(next);
    }
    if (next.is_sum()) {
        auto& handed = handed_sums_[next.group];
        if (handed.empty()) {
            return false;
        }
        auto& mine = *handed.front();
        mine.pending = fabric_->sum(mine.buffer, next.group);
        handed.pop_front();
        return true;
    }
    const auto which = lane_of(next.route.kind);
    auto& on_lane = under_way_[static_cast<std::size_t>(which)];
    if (next.to_rank == rank()) {
        auto arriving = next.shape;
        auto transfer = fabric_->receive(next.from_rank, which, arriving);
        on_lane.push_back({{next.route, std::move(arriving)}, true, std::move(transfer)});
        return true;
    }
    auto& handed = handed_messages_[next.route];
    if (handed.empty()) {
        return false;
    }
    auto mine = std::move(handed.front());
    handed.pop_front();
    ensure(mine.tensor.shape == next.shape.shape && mine.tensor.type == next.shape.type,
           "a message has the shape that the ledger pass saw");
    auto transfer = fabric_->send(next.to_rank, which, mine.tensor, mine.after);
    ++carried_.messages;
    carried_.bytes += mine.tensor.bytes();
    on_lane.push_back({{next.route, std::move(mine.tensor)}, false, std::move(transfer)});
    return true;
}

void device_transport::begin_expected() {
    while (!expected_.empty() && begin(expected_.front())) {
        expected_.pop_front();
    }
}

void device_transport::move_on() {
    begin_expected();
    for (auto& on_lane : under_way_) {
        while (!on_lane.empty() && on_lane.front().transfer->done()) { // they end in the order of starting
            if (on_lane.front().receives) {
                arrived_.push_back(std::move(on_lane.front().moved));
            }
            on_lane.pop_front();
        }
    }
    while (!staged_.empty() && staged_.front().transfer->done()) {
        auto& next = staged_.front();
        base_->send(next.destination, {next.route, std::move(next.ready)});
        staged_.pop_front();
    }
    if (fabric_) {
        fabric_->check();
    }
}

std::optional<message> device_transport::poll() {
    move_on();
    if (arrived_.empty()) {
        return base_->poll();
    }
    auto next = std::move(arrived_.front());
    arrived_.pop_front();
    return next;
}

bool device_transport::idle() {
    move_on();
    if (expected_.empty()) {
        const auto none = [](const auto& handed) { return handed.second.empty(); };
        ensure(std::all_of(handed_messages_.begin(), handed_messages_.end(), none) &&
                   std::all_of(handed_sums_.begin(), handed_sums_.end(), none),
               "everything that the fabric carries was expected");
    }
    const auto empty = [](const auto& on_lane) { return on_lane.empty(); };
    return expected_.empty() && std::all_of(under_way_.begin(), under_way_.end(), empty) && staged_.empty() &&
           base_->idle();
}

void device_transport::prepare(const std::vector<int>& group) {
    if (connects(group)) {
        fabric_->prepare(group);
    } else {
        base_->prepare(group);
    }
}

std::unique_ptr<pending_sum> device_transport::sum(sum_buffer buffer, const std::vector<int>& group) {
    if (!connects(group)) {
        ++passed_sums_[group];
        return base_->sum(std::move(buffer), group);
    }
    auto handed = std::make_shared<handed_sum>(handed_sum{std::move(buffer), nullptr});
    handed_sums_[group].push_back(handed);
    begin_expected();
    return std::make_unique<ordered_sum>(*this, std::move(handed));
}

std::vector<transport_counters> device_transport::counters() const {
    auto all = base_->counters();
    if (fabric_) {
        all.push_back(carried_);
    }
    return all;
}

} // namespace gaisnet
