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

/// What a message is. `modules` are tunable modules, `forward` and `gradient` are smashed data, `control` carries
/// nothing that costs airtime. `samples` are raw ones, which only scheme = centralised sends.
enum class message_kind : std::uint8_t {
    modules,
    forward,
    gradient,
    label,
    result,
    control, ///< Order of work within the emulation; costs nothing.
    samples,
    request, ///< Of a client to its edge.
};

/// A channel is a FIFO from one node to another for one kind of message. A node may hold several stages of a chain or
/// of several chains, so smashed data names the stage that it is for.
struct channel {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    message_kind kind{};
    std::uint32_t stage = 0; ///< Number of the receiving stage, from 1 over all chains; 0: it is for no stage.
    auto operator<=>(const channel&) const = default;
};

/// A message between nodes, with its tensor.
struct message {
    channel route;
    tensor_view tensor;
};

/// Something that ranks will do together: move a message, or sum over a group.
struct exchange {
    channel route; ///< Of a message
    int from_rank = 0, to_rank = 0;
    tensor_view shape;      ///< Type and shape of a message's tensor, without data.
    std::vector<int> group; ///< Of a sum, sorted ranks; empty for a message.

    bool is_sum() const { return !group.empty(); }
};

using sum_buffer = std::shared_ptr<std::vector<std::int64_t>>;

/// A non-blocking sum over ranks that is under way.
class pending_sum {
public:
    virtual ~pending_sum() = default;
    /// Drives it; true when the buffer holds the sum.
    virtual bool done() = 0;
};

struct transport_counters {
    std::string transport;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0; ///< Of tensors, without envelopes.
    static auto parts(auto& self) { return std::tie(self.transport, self.messages, self.bytes); }
};

/// How bytes move between ranks. One object a rank; not thread safe. Nothing blocks, except where said.
/// Errors throw runtime_failure naming call, rank and peer.
class transport {
public:
    virtual ~transport() = default;
    virtual int rank() const = 0;
    virtual int ranks() const = 0;

    /// Sends to another rank (or to this one). Never blocks; the tensor's owner is kept until the bytes have left.
    /// Messages of a channel arrive in order.
    virtual void send(int destination_rank, message) = 0;
    /// Drives transfers; the next message that has completely arrived, if any.
    virtual std::optional<message> poll() = 0;
    /// True when everything sent has left this rank.
    virtual bool idle() = 0;

    /// Makes ready for messages from one rank to another. It may wait for other ranks: every rank has to call it,
    /// between rounds, for the same pairs in the same order.
    virtual void connect(const std::vector<std::pair<int, int>>& from_to) { static_cast<void>(from_to); }
    /// True when expect() has to be called. The same on every rank.
    virtual bool needs_order() const { return false; }
    /// Says what will be exchanged next, in one order that all ranks are given and that extends what depends on what.
    /// A transport whose operations wait for their other end begins them in this order, so that no circle of waiting
    /// can form; the others have no use for it. All that was said before must have been exchanged.
    virtual void expect(std::vector<exchange>) {}

    /// Makes ready for sums over `group` (sorted ranks). It may wait for other ranks: every rank has to call it, member
    /// or not, between rounds, for the same groups in the same order.
    virtual void prepare(const std::vector<int>& group) = 0;
    /// Element-wise sum over a prepared `group` (sorted ranks that include this one) in place. The transport keeps the
    /// buffer as long as it may be written to, also when the caller gives up. Every rank of the group has to call it,
    /// with equal sizes, and calls for one group must come in the same order on all its ranks. Large buffers are summed
    /// in chunks.
    virtual std::unique_ptr<pending_sum> sum(sum_buffer buffer, const std::vector<int>& group) = 0;

    /// Blocking helpers of the run's driver, between rounds. Every rank has to call them.
    virtual void barrier() = 0;
    /// Bytes of `root` replace those of all others.
    virtual void broadcast(std::vector<std::byte>& bytes, int root) = 0;
    /// At `root` every rank's bytes by rank; empty elsewhere.
    virtual std::vector<std::vector<std::byte>> gather(std::vector<std::byte> bytes, int root) = 0;

    /// Counts a message that two nodes of this rank handed over in place, as "loopback".
    virtual void count_local(std::uint64_t bytes) = 0;
    virtual std::vector<transport_counters> counters() const = 0;
};

} // namespace gaisnet
