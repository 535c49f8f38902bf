#pragma once

// A double of NCCL that is stricter than any NCCL: nothing is buffered, and an operation ends only when it is the oldest
// unfinished one of its stream at both of its ends (at all, for a sum). Ranks are objects of one thread.

#include "transport/device_fabric.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet::lab {

/// What the fabrics of all ranks share.
class rendezvous_world {
public:
    /// \param members the ranks that it connects; empty: all.
    explicit rendezvous_world(int ranks, std::vector<int> members = {});

    /// The fabric of one rank.
    std::unique_ptr<device_fabric> fabric(int rank);
    /// True while an operation that the rank has begun is unfinished.
    bool busy(int rank);
    /// Operations that were begun or have ended so far: unchanged means that nothing happened.
    std::uint64_t activity() const { return activity_; }
    /// The oldest unfinished operation of each rank, a line each.
    std::string waiting() const;

private:
    friend class rendezvous_fabric;
    struct operation {
        enum class kind { send, receive, sum };
        kind what{};
        lane which{}; ///< Of a message
        int peer = -1;
        tensor_view tensor;
        sum_buffer buffer;
        std::vector<int> group;
        bool ended = false;
    };
    /// Operations in the order of their beginning; lanes of messages and sums have a stream each, as in the real fabric.
    struct streams {
        std::array<std::deque<std::shared_ptr<operation>>, lanes> messages;
        std::deque<std::shared_ptr<operation>> sums;
    };
    std::shared_ptr<operation> begin(int rank, operation);
    void match();
    bool match_message(int rank, std::size_t which);
    bool match_sum(int rank);

    std::vector<int> members_;
    std::vector<streams> ranks_;
    std::uint64_t activity_ = 0;
};

} // namespace gaisnet::lab
