#pragma once

#include "transport/device_fabric.hpp"
#include "transport/transport.hpp"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace gaisnet {

/// A transport for ranks that compute on devices. The fabric carries smashed data between its members, and their sums.
/// Another transport carries everything else (modules, labels, ranks that share a device) through host memory.
///
/// A fabric's operation may wait for its peer. Therefore every rank starts its operations in the order given by
/// expect(): a receive as soon as it is next, a send or a sum when it is next and has been submitted. Operations that
/// this rank gives to the other transport have their place in that order too, so that no receive starts before
/// something that its sender may wait for. Then the oldest unfinished operation is always next at both of its ends, and
/// everything that it needs is older, so it finishes. Hence no deadlock is possible, even if a device executes all its
/// work in one queue and a receive blocks that queue.
class device_transport final : public transport {
public:
    /// \param base carries everything that the fabric does not. \param staging may be null when no tensor is on a
    /// device. \param fabric null on all ranks or on none: a rank that is not a member has one too.
    device_transport(std::unique_ptr<transport> base, std::unique_ptr<tensor_staging> staging,
                     std::unique_ptr<device_fabric> fabric);
    ~device_transport() override;

    int rank() const override { return base_->rank(); }
    int ranks() const override { return base_->ranks(); }
    void connect(const std::vector<std::pair<int, int>>& from_to) override;
    bool needs_order() const override { return fabric_ != nullptr; }
    void expect(std::vector<exchange>) override;
    void send(int destination_rank, message) override;
    std::optional<message> poll() override;
    bool idle() override;
    void prepare(const std::vector<int>& group) override;
    std::unique_ptr<pending_sum> sum(sum_buffer, const std::vector<int>& group) override;
    void barrier() override { base_->barrier(); }
    void broadcast(std::vector<std::byte>& bytes, int root) override { base_->broadcast(bytes, root); }
    std::vector<std::vector<std::byte>> gather(std::vector<std::byte> bytes, int root) override {
        return base_->gather(std::move(bytes), root);
    }
    void count_local(std::uint64_t bytes) override { base_->count_local(bytes); }
    std::vector<transport_counters> counters() const override;

private:
    struct outgoing {
        tensor_view tensor;
        std::shared_ptr<void> after;
    };
    struct handed_sum {
        sum_buffer buffer;
        std::unique_ptr<pending_sum> pending; ///< Set once the sum has started.
    };
    struct moving {
        message moved;
        bool receives = false;
        std::unique_ptr<pending_transfer> transfer;
    };
    struct staged {
        int destination = 0;
        channel route;
        tensor_view tensor, ready;
        std::unique_ptr<pending_transfer> transfer;
    };
    class ordered_sum;

    bool carries(const exchange&) const;
    bool connects(int rank) const;
    bool connects(const std::vector<int>& group) const;
    void begin_expected();
    bool begin(const exchange&);
    bool has_passed(const exchange&);
    void move_on();

    std::unique_ptr<transport> base_;
    std::unique_ptr<tensor_staging> staging_;
    std::unique_ptr<device_fabric> fabric_;
    std::deque<exchange> expected_; ///< Of this rank, in order.
    std::map<channel, std::deque<outgoing>> handed_messages_;
    std::map<std::vector<int>, std::deque<std::shared_ptr<handed_sum>>> handed_sums_;
    /// What this rank gave to the other transport before its turn, by channel or group.
    std::map<channel, std::size_t> passed_messages_;
    std::map<std::vector<int>, std::size_t> passed_sums_;
    std::array<std::deque<moving>, lanes> under_way_; ///< By lane, in the order in which they were started.
    std::deque<message> arrived_;
    std::deque<staged> staged_;
    transport_counters carried_;
};

} // namespace gaisnet
