#pragma once

#include "transport/device_fabric.hpp"
#include "transport/transport.hpp"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace gaisnet {

/// A transport for ranks that compute on devices. Smashed data between members of the fabric goes over the fabric, and
/// so do sums among members. Everything else (modules, labels, ranks that share a device) goes over another transport,
/// through host memory.
///
/// A fabric's operation may wait for its other end. Therefore every rank begins its operations in the order that it was
/// told by expect(): a receive as soon as it is the next, a send or a sum when it is the next and was handed in. What
/// this rank hands to the other transport has its turn in that order too, so that no receive begins before something
/// that its sender may be waiting for. Then the oldest unfinished operation of all always is the next one at both of
/// its ends, and what it needs is older still, so it ends: ranks cannot wait in a circle, not even when a device lets
/// all that it is given wait for a receive.
class device_transport final : public transport {
public:
    /// \param base carries what the fabric does not. \param staging may be null when no tensor lies on a device.
    /// \param fabric null on all ranks, or on none: a rank that it does not connect has one too.
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
        std::unique_ptr<pending_sum> pending; ///< Once it has begun.
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
    std::deque<exchange> expected_; ///< This rank's.
    std::map<channel, std::deque<outgoing>> handed_messages_;
    std::map<std::vector<int>, std::deque<std::shared_ptr<handed_sum>>> handed_sums_;
    /// What this rank handed to the other transport, and whose turn has not come, by channel or group.
    std::map<channel, std::size_t> passed_messages_;
    std::map<std::vector<int>, std::size_t> passed_sums_;
    std::array<std::deque<moving>, lanes> under_way_; ///< Of each lane, in the order in which they began.
    std::deque<message> arrived_;
    std::deque<staged> staged_;
    transport_counters carried_;
};

} // namespace gaisnet
