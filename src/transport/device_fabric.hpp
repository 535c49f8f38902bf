#pragma once

#include "transport/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gaisnet {

/// A transfer in progress.
class pending_transfer {
public:
    virtual ~pending_transfer() = default;
    /// Advances the transfer; returns true when it has ended. \throws runtime_failure when it failed.
    virtual bool done() = 0;
};

/// Messages of each kind have their own lane, so that a gradient can leave while the rank waits for activations.
enum class lane : std::uint8_t { forward, gradient };
constexpr std::size_t lanes = 2;

/// Moves tensors between the devices of ranks, with the properties of NCCL: there are no tags, and an operation may
/// wait until its peer has started it. The messages of a lane run in the order in which they were started, and so do
/// sums; lanes and sums may run concurrently. Starting an operation never blocks.
class device_fabric {
public:
    virtual ~device_fabric() = default;
    virtual const char* name() const = 0;
    /// The connected ranks, sorted.
    virtual const std::vector<int>& members() const = 0;

    /// Marks the work that this rank's device has been given so far; a send waits until it is done.
    virtual std::shared_ptr<void> mark() = 0;
    /// \param after the mark() made when the tensor was submitted. The caller keeps the tensor until done().
    virtual std::unique_ptr<pending_transfer> send(int rank, lane, const tensor_view&,
                                                   const std::shared_ptr<void>& after) = 0;
    /// \param arriving type and shape; the function allocates its memory, which is filled when done().
    virtual std::unique_ptr<pending_transfer> receive(int rank, lane, tensor_view& arriving) = 0;
    /// As transport::connect (on all lanes), transport::prepare and transport::sum, but for members only. After the
    /// first two, no other call blocks.
    virtual void connect(const std::vector<std::pair<int, int>>& from_to) = 0;
    virtual void prepare(const std::vector<int>& group) = 0;
    virtual std::unique_ptr<pending_sum> sum(sum_buffer, const std::vector<int>& group) = 0;
    /// \throws runtime_failure when the fabric has failed since the last call. Fast.
    virtual void check() = 0;
};

/// Prepares tensors on a device for a host transport.
class tensor_staging {
public:
    virtual ~tensor_staging() = default;
    /// Starts after the work that the device has been given so far. \param staged receives the tensor, which may be
    /// sent when done(). The caller keeps `tensor` until then.
    virtual std::unique_ptr<pending_transfer> stage(const tensor_view& tensor, tensor_view& staged) = 0;
};

} // namespace gaisnet
