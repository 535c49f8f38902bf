#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Radios that cannot send while they receive. They may do several of the same at once: how those share the medium is
/// the medium's business. Requests are served in their order: none overtakes another that waits for one of its radios,
/// so the oldest one waits for nothing but transfers that are under way, and no circle of waiting can form.
class half_duplex_radios {
public:
    /// `go` is called when the sender's radio may send and those of all receivers may receive: at once, or by a release.
    void acquire(std::uint32_t sender, std::vector<std::uint32_t> receivers, std::function<void()> go);
    void release(std::uint32_t sender, const std::vector<std::uint32_t>& receivers);
    /// Forgets all requests that wait; what goes on must still be released.
    void forget_waiting();

private:
    struct request {
        std::uint32_t sender;
        std::vector<std::uint32_t> receivers;
        std::function<void()> go;
    };
    struct radio {
        int sending = 0, receiving = 0;
        std::deque<std::uint64_t> waiting; ///< Requests, the oldest first.
    };
    bool can_go(std::uint64_t number) const;
    void serve(std::vector<std::uint32_t> nodes);

    std::unordered_map<std::uint32_t, radio> radios_; ///< By node
    std::unordered_map<std::uint64_t, request> requests_;
    std::uint64_t next_ = 0;
};

} // namespace gaisnet
