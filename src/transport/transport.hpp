#pragma once

#include "base/tensor_view.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gaisnet {

/// The kind of a message. `modules` are tunable modules, `forward` and `gradient` are smashed data, `control` has no
/// cost. `samples` are raw samples, which only scheme = centralised sends.
enum class message_kind : std::uint8_t {
    modules,
    forward,
    gradient,
    label,
    padding, ///< How much of each sample of a `forward` only fills it up.
    result,
    control, ///< Order of work within the emulation; costs nothing.
    samples,
    request, ///< From a client to its edge.
};

/// A FIFO from one node to another for one kind of message. A node may hold several stages of one or several chains, so
/// smashed data names its stage.
struct channel {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    message_kind kind{};
    std::uint32_t stage = 0; ///< Receiving stage, numbered from 1 over all chains; 0: no stage.
    auto operator<=>(const channel&) const = default;
};

struct channel_hash {
    std::size_t operator()(const channel& one) const {
        const auto nodes = (std::uint64_t{one.from} << 32) | one.to;
        const auto rest = (std::uint64_t{one.stage} << 8) | static_cast<std::uint64_t>(one.kind);
        return static_cast<std::size_t>((nodes * 0x9e3779b97f4a7c15U) ^ (rest * 0xc2b2ae3d27d4eb4fU)) *
                   0x9e3779b97f4a7c15U >>
               7;
    }
};

/// A message between nodes, with its tensor.
struct message {
    channel route;
    tensor_view tensor;
};

/// An operation between ranks: a message, or a sum over a group.
struct exchange {
    channel route; ///< For a message.
    int from_rank = 0, to_rank = 0;
    tensor_view shape;      ///< Type and shape of a message's tensor, without data.
    std::vector<int> group; ///< For a sum: ranks, sorted; empty for a message.

    bool is_sum() const { return !group.empty(); }
};

using sum_buffer = std::shared_ptr<std::vector<std::int64_t>>;

/// A non-blocking sum over ranks, in progress.
class pending_sum {
public:
    virtual ~pending_sum() = default;
    /// Advances the sum; returns true when the buffer holds the result.
    virtual bool done() = 0;
};

struct transport_counters {
    std::string transport;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0; ///< Size of the tensors, without envelopes.
    static auto parts(auto& self) { return std::tie(self.transport, self.messages, self.bytes); }
};

/// Moves bytes between ranks. One object per rank; not thread safe. No function blocks unless its comment says so.
/// Errors throw runtime_failure naming call, rank and peer.
class transport {
public:
    virtual ~transport() = default;
    virtual int rank() const = 0;
    virtual int ranks() const = 0;

    /// Sends to another rank (or to this one). Never blocks; the tensor's owner is kept until the bytes have left.
    /// Messages of a channel arrive in order.
    virtual void send(int destination_rank, message) = 0;
    /// Advances transfers; returns the next message that has arrived completely, if any.
    virtual std::optional<message> poll() = 0;
    /// True when everything sent has left this rank.
    virtual bool idle() = 0;

    /// Prepares messages between pairs of ranks. May wait for other ranks: every rank has to call it, between rounds,
    /// for the same pairs in the same order.
    virtual void connect(const std::vector<std::pair<int, int>>& from_to) { static_cast<void>(from_to); }
    /// Whether expect() must be called; the same on every rank.
    virtual bool needs_order() const { return false; }
    /// Announces the next exchanges, in one total order that all ranks are given and that respects their dependencies.
    /// A transport whose operations wait for their peer starts them in this order, so that no deadlock is possible;
    /// other transports ignore it. All exchanges announced earlier must be complete.
    virtual void expect(std::vector<exchange>) {}

    /// Prepares sums over `group` (sorted ranks). May wait for other ranks: every rank has to call it, member or not,
    /// between rounds, for the same groups in the same order.
    virtual void prepare(const std::vector<int>& group) = 0;
    /// Element-wise sum, in place, over a prepared `group` (sorted ranks that include this one). The transport keeps
    /// the buffer as long as it may be written to, even if the caller gives up. Every rank of the group has to call it,
    /// with equal sizes and in the same order per group. Large buffers are summed in chunks.
    virtual std::unique_ptr<pending_sum> sum(sum_buffer buffer, const std::vector<int>& group) = 0;

    /// Blocking helpers for use between rounds. Every rank has to call them.
    virtual void barrier() = 0;
    /// Copies the bytes of `root` to all other ranks.
    virtual void broadcast(std::vector<std::byte>& bytes, int root) = 0;
    /// Returns every rank's bytes at `root`, indexed by rank; empty elsewhere.
    virtual std::vector<std::vector<std::byte>> gather(std::vector<std::byte> bytes, int root) = 0;

    /// Counts a message that two nodes of this rank exchanged in place, as "loopback".
    virtual void count_local(std::uint64_t bytes) = 0;
    virtual std::vector<transport_counters> counters() const = 0;
};

} // namespace gaisnet
