#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Radios that cannot send while they receive. A radio may send, or receive, several transfers at once; the medium
/// decides how these share it. Requests are served in order, and none overtakes a request that waits for the same
/// radio. So the oldest request waits only for transfers that are under way, and no deadlock is possible.
class half_duplex_radios {
public:
    /// Number of a transfer.
    using transfer = std::uint64_t;
    /// Called when the transfer may start. `released_by` is the transfer whose end allowed it; nothing if it did not
    /// wait.
    using action = std::function<void(std::optional<transfer> released_by)>;

    /// Calls `go` once the sender may send and all receivers may receive: at once, or from a later release().
    void acquire(std::uint32_t sender, std::vector<std::uint32_t> receivers, action go);
    void release(std::uint32_t sender, const std::vector<std::uint32_t>& receivers, transfer);
    /// Drops all waiting requests; transfers that have started must still be released.
    void forget_waiting();

private:
    struct request {
        std::uint32_t sender;
        std::vector<std::uint32_t> receivers;
        action go;
    };
    struct radio {
        int sending = 0, receiving = 0;
        std::deque<std::uint64_t> waiting; ///< Requests, oldest first.
    };
    bool can_go(std::uint64_t number) const;
    void serve(std::vector<std::uint32_t> nodes, std::optional<transfer> released_by);

    std::unordered_map<std::uint32_t, radio> radios_; ///< Indexed by node.
    std::unordered_map<std::uint64_t, request> requests_;
    std::uint64_t next_ = 0;
};

} // namespace gaisnet
