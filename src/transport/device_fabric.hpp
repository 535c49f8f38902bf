#pragma once

#include "transport/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gaisnet {

/// A transfer that is under way.
class pending_transfer {
public:
    virtual ~pending_transfer() = default;
    /// Drives it; true when it has ended. \throws runtime_failure when it failed.
    virtual bool done() = 0;
};

/// Messages of a kind have a lane of their own, so that a gradient can leave while activations are awaited.
enum class lane : std::uint8_t { forward, gradient };
constexpr std::size_t lanes = 2;

/// What moves tensors between the devices of ranks, as NCCL does: without tags, and an operation may wait until its
/// other end has begun it. Messages of a lane run one after another in the order in which they are begun, and so do
/// sums; lanes and sums may run side by side. Beginning one never blocks.
class device_fabric {
public:
    virtual ~device_fabric() = default;
    virtual const char* name() const = 0;
    /// The ranks that it connects, sorted.
    virtual const std::vector<int>& members() const = 0;

    /// Marks what this rank's device was given to do so far: a send waits for the end of that.
    virtual std::shared_ptr<void> mark() = 0;
    /// \param after a mark() made when the tensor was handed in. The caller keeps the tensor until done().
    virtual std::unique_ptr<pending_transfer> send(int rank, lane, const tensor_view&,
                                                   const std::shared_ptr<void>& after) = 0;
    /// \param arriving type and shape; gets memory, which is filled when done().
    virtual std::unique_ptr<pending_transfer> receive(int rank, lane, tensor_view& arriving) = 0;
    /// As transport::connect (on all lanes), transport::prepare and transport::sum, for members only. After the first
    /// two, no other call blocks.
    virtual void connect(const std::vector<std::pair<int, int>>& from_to) = 0;
    virtual void prepare(const std::vector<int>& group) = 0;
    virtual std::unique_ptr<pending_sum> sum(sum_buffer, const std::vector<int>& group) = 0;
    /// \throws runtime_failure when the fabric has failed since the last call. Cheap.
    virtual void check() = 0;
};

/// Makes tensors of a device ready for a transport of the host.
class tensor_staging {
public:
    virtual ~tensor_staging() = default;
    /// Begins behind what the device was given to do so far.
    /// \param staged gets the tensor that may be sent when done(). The caller keeps `tensor` until then.
    virtual std::unique_ptr<pending_transfer> stage(const tensor_view& tensor, tensor_view& staged) = 0;
};

} // namespace gaisnet
