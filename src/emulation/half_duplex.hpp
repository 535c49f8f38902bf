#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Radios that cannot send while they receive. They may do several of the same at once: how those share the medium is
/// the medium's business. Requests are served in their order: none overtakes another that waits for one of its radios,
/// so the oldest one waits for nothing but transfers that are under way, and no circle of waiting can form.
class half_duplex_radios {
public:
    /// Number of a transfer.
    using transfer = std::uint64_t;
    /// Told which transfer's release let it go; nothing when it had not to wait.
    using action = std::function<void(std::optional<transfer> released_by)>;

    /// `go` is called when the sender's radio may send and those of all receivers may receive: at once, or by a release.
    void acquire(std::uint32_t sender, std::vector<std::uint32_t> receivers, action go);
    void release(std::uint32_t sender, const std::vector<std::uint32_t>& receivers, transfer);
    /// Forgets all requests that wait; what goes on must still be released.
    void forget_waiting();

private:
    struct request {
        std::uint32_t sender;
        std::vector<std::uint32_t> receivers;
        action go;
    };
    struct radio {
        int sending = 0, receiving = 0;
        std::deque<std::uint64_t> waiting; ///< Requests, the oldest first.
    };
    bool can_go(std::uint64_t number) const;
    void serve(std::vector<std::uint32_t> nodes, std::optional<transfer> released_by);

    std::unordered_map<std::uint32_t, radio> radios_; ///< By node
    std::unordered_map<std::uint64_t, request> requests_;
    std::uint64_t next_ = 0;
};

} // namespace gaisnet
