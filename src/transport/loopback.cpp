#include "transport/loopback.hpp"

#include "base/error.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

namespace gaisnet {

namespace {

/// State that the ranks share.
struct world {
    explicit world(int count): mailboxes(static_cast<std::size_t>(count)), slots(static_cast<std::size_t>(count)) {}

    struct sum_round {
        std::vector<std::int64_t> total;
        std::size_t given = 0, taken = 0;
    };
    struct group_state {
        std::map<std::uint64_t, sum_round> rounds; ///< Indexed by number of the call.
        std::map<int, std::uint64_t> calls;        ///< Indexed by rank.
    };

    std::mutex guard;
    std::condition_variable changed;
    std::vector<std::deque<message>> mailboxes;
    std::map<std::vector<int>, group_state> groups;
    std::vector<std::vector<std::byte>> slots; ///< For the current exchange.
    int waiting = 0;
    std::uint64_t generation = 0;
};

class loopback_sum final : public pending_sum {
public:
    loopback_sum(std::shared_ptr<world> shared, sum_buffer buffer, const std::vector<int>& group, int rank)
        : shared_(std::move(shared))
        , buffer_(std::move(buffer))
        , group_(group) {
        const std::lock_guard lock(shared_->guard);
        auto& state = shared_->groups[group_];
        call_ = state.calls[rank]++;
        auto& round = state.rounds[call_];
        round.total.resize(buffer_->size(), 0);
        for (std::size_t i = 0; i < buffer_->size(); ++i) {
            round.total[i] += (*buffer_)[i];
        }
        ++round.given;
    }

    bool done() override {
        if (finished_) {
            return true;
        }
        const std::lock_guard lock(shared_->guard);
        auto& rounds = shared_->groups[group_].rounds;
        auto& round = rounds.at(call_);
        if (round.given < group_.size()) {
            return false;
        }
        std::copy(round.total.begin(), round.total.end(), buffer_->begin());
        if (++round.taken == group_.size()) {
            rounds.erase(call_);
        }
        return finished_ = true;
    }

private:
    std::shared_ptr<world> shared_;
    sum_buffer buffer_;
    std::vector<int> group_;
    std::uint64_t call_ = 0;
    bool finished_ = false;
};

class loopback final : public transport {
public:
    loopback(std::shared_ptr<world> shared, int rank): shared_(std::move(shared)), rank_(rank) {}

    int rank() const override { return rank_; }
    int ranks() const override { return static_cast<int>(shared_->mailboxes.size()); }

    void send(int destination, message sent) override {
        ensure(destination >= 0 && destination < ranks(), "a message goes to a rank that exists");
        count_local(sent.tensor.bytes());
        const std::lock_guard lock(shared_->guard);
        shared_->mailboxes[static_cast<std::size_t>(destination)].push_back(std::move(sent));
    }

    std::optional<message> poll() override {
        const std::lock_guard lock(shared_->guard);
        auto& mine = shared_->mailboxes[static_cast<std::size_t>(rank_)];
        if (mine.empty()) {
            return std::nullopt;
        }
        auto arrived = std::move(mine.front());
        mine.pop_front();
        return arrived;
    }

    bool idle() override { return true; }

    void prepare(const std::vector<int>&) override {}
    std::unique_ptr<pending_sum> sum(sum_buffer buffer, const std::vector<int>& group) override {
        return std::make_unique<loopback_sum>(shared_, std::move(buffer), group, rank_);
    }

    void barrier() override {
        std::unique_lock lock(shared_->guard);
        wait_for_all(lock);
    }

    void broadcast(std::vector<std::byte>& bytes, int root) override {
        std::unique_lock lock(shared_->guard);
        if (rank_ == root) {
            shared_->slots[static_cast<std::size_t>(root)] = bytes;
        }
        wait_for_all(lock);
        bytes = shared_->slots[static_cast<std::size_t>(root)];
        wait_for_all(lock); // so that no rank fills its slot again before all have read it
    }

    std::vector<std::vector<std::byte>> gather(std::vector<std::byte> bytes, int root) override {
        std::unique_lock lock(shared_->guard);
        shared_->slots[static_cast<std::size_t>(rank_)] = std::move(bytes);
        wait_for_all(lock);
        std::vector<std::vector<std::byte>> all;
        if (rank_ == root) {
            all = shared_->slots;
        }
        wait_for_all(lock);
        return all;
    }

    void count_local(std::uint64_t bytes) override {
        ++counters_.messages;
        counters_.bytes += bytes;
    }
    std::vector<transport_counters> counters() const override { return {counters_}; }

private:
    void wait_for_all(std::unique_lock<std::mutex>& lock) {
        const auto mine = shared_->generation;
        if (++shared_->waiting == ranks()) {
            shared_->waiting = 0;
            ++shared_->generation;
            shared_->changed.notify_all();
            return;
        }
        shared_->changed.wait(lock, [&] { return shared_->generation != mine; });
    }

    std::shared_ptr<world> shared_;
    int rank_;
    transport_counters counters_{"loopback", 0, 0};
};

} // namespace

std::vector<std::unique_ptr<transport>> loopback_world(int ranks) {
    const auto shared = std::make_shared<world>(ranks);
    std::vector<std::unique_ptr<transport>> all;
    for (int rank = 0; rank < ranks; ++rank) {
        all.push_back(std::make_unique<loopback>(shared, rank));
    }
    return all;
}

} // namespace gaisnet
