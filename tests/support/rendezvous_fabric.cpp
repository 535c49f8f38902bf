#include "support/rendezvous_fabric.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace gaisnet::lab {

class rendezvous_fabric final : public device_fabric {
public:
    rendezvous_fabric(rendezvous_world& world, int rank): world_(world), rank_(rank) {}

    const char* name() const override { return "rendezvous"; }
    const std::vector<int>& members() const override { return world_.members_; }
    std::shared_ptr<void> mark() override { return nullptr; }
    std::unique_ptr<pending_transfer> send(int rank, lane which, const tensor_view& tensor,
                                           const std::shared_ptr<void>&) override {
        return begin<pending_transfer>({operation::kind::send, which, rank, tensor, {}, {}});
    }
    std::unique_ptr<pending_transfer> receive(int rank, lane which, tensor_view& arriving) override {
        arriving = tensor_view::allocate(arriving.shape, arriving.type);
        return begin<pending_transfer>({operation::kind::receive, which, rank, arriving, {}, {}});
    }
    void connect(const std::vector<std::pair<int, int>>&) override {}
    void prepare(const std::vector<int>&) override {}
    std::unique_ptr<pending_sum> sum(sum_buffer buffer, const std::vector<int>& group) override {
        return begin<pending_sum>({operation::kind::sum, {}, -1, {}, std::move(buffer), group});
    }
    void check() override {}

private:
    using operation = rendezvous_world::operation;

    template <typename Interface>
    class pending final : public Interface {
    public:
        pending(rendezvous_world& world, std::shared_ptr<operation> one): world_(world), what_(std::move(one)) {}
        bool done() override {
            world_.match();
            return what_->ended;
        }

    private:
        rendezvous_world& world_;
        std::shared_ptr<operation> what_;
    };

    template <typename Interface>
    std::unique_ptr<Interface> begin(operation what) {
        return std::make_unique<pending<Interface>>(world_, world_.begin(rank_, std::move(what)));
    }

    rendezvous_world& world_;
    int rank_;
};

rendezvous_world::rendezvous_world(int ranks, std::vector<int> members)
    : members_(std::move(members))
    , ranks_(static_cast<std::size_t>(ranks)) {
    if (members_.empty()) {
        members_.resize(static_cast<std::size_t>(ranks));
        std::iota(members_.begin(), members_.end(), 0);
    }
}

bool rendezvous_world::busy(int rank) {
    match();
    const auto& own = ranks_[static_cast<std::size_t>(rank)];
    return !own.sums.empty() || std::any_of(own.messages.begin(), own.messages.end(),
                                            [](const auto& messages) { return !messages.empty(); });
}

std::unique_ptr<device_fabric> rendezvous_world::fabric(int rank) {
    return std::make_unique<rendezvous_fabric>(*this, rank);
}

std::shared_ptr<rendezvous_world::operation> rendezvous_world::begin(int rank, operation what) {
    auto begun = std::make_shared<operation>(std::move(what));
    auto& own = ranks_[static_cast<std::size_t>(rank)];
    (begun->what == operation::kind::sum ? own.sums : own.messages[static_cast<std::size_t>(begun->which)])
        .push_back(begun);
    ++activity_;
    return begun;
}

bool rendezvous_world::match_message(int rank, std::size_t which) {
    auto& mine = ranks_[static_cast<std::size_t>(rank)].messages[which];
    if (mine.empty() || mine.front()->what != operation::kind::send) {
        return false;
    }
    auto& theirs = ranks_[static_cast<std::size_t>(mine.front()->peer)].messages[which];
    if (theirs.empty() || theirs.front()->what != operation::kind::receive || theirs.front()->peer != rank) {
        return false;
    }
    const auto& from = mine.front()->tensor;
    const auto& to = theirs.front()->tensor;
    if (from.bytes() != to.bytes()) {
        throw std::logic_error("a send meets a receive of another size");
    }
    std::memcpy(to.data, from.data, from.bytes());
    mine.front()->ended = theirs.front()->ended = true;
    mine.pop_front();
    theirs.pop_front();
    return true;
}

bool rendezvous_world::match_sum(int rank) {
    auto& mine = ranks_[static_cast<std::size_t>(rank)].sums;
    if (mine.empty()) {
        return false;
    }
    const auto group = mine.front()->group;
    for (const auto member : group) {
        const auto& theirs = ranks_[static_cast<std::size_t>(member)].sums;
        if (theirs.empty() || theirs.front()->group != group) {
            return false;
        }
    }
    std::vector<std::int64_t> total(mine.front()->buffer->size(), 0);
    for (const auto member : group) {
        const auto& buffer = *ranks_[static_cast<std::size_t>(member)].sums.front()->buffer;
        for (std::size_t i = 0; i < total.size(); ++i) {
            total[i] += buffer.at(i);
        }
    }
    for (const auto member : group) {
        auto& theirs = ranks_[static_cast<std::size_t>(member)].sums;
        *theirs.front()->buffer = total;
        theirs.front()->ended = true;
        theirs.pop_front();
    }
    return true;
}

void rendezvous_world::match() {
    for (bool again = true; again;) {
        again = false;
        for (int rank = 0; rank < static_cast<int>(ranks_.size()); ++rank) {
            if (match_message(rank, 0) || match_message(rank, 1) || match_sum(rank)) {
                ++activity_;
                again = true;
            }
        }
    }
}

std::string rendezvous_world::waiting() const {
    std::string text;
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
        text += "\n  rank " + std::to_string(rank) + ":";
        for (const auto& messages : ranks_[rank].messages) {
            if (!messages.empty()) {
                const auto& oldest = *messages.front();
                text += (oldest.what == operation::kind::send ? " send to " : " receive from ") +
                        std::to_string(oldest.peer) + " of " + std::to_string(messages.size());
            }
        }
        text += ranks_[rank].sums.empty() ? "" : " sum";
    }
    return text;
}

} // namespace gaisnet::lab
