#pragma once

#include "transport/device_fabric.hpp"
#include "transport/nccl/cuda_memory.hpp"
#include "transport/nccl/handles.hpp"
#include "transport/transport.hpp"

#include <array>
#include <map>
#include <memory>
#include <vector>

namespace gaisnet {

/// Tensors and integer sums over NCCL. Each lane of messages has one communicator and one stream for all pairs. Sums
/// have their own stream, one communicator of all members, and for each smaller group one that is split off and shares
/// its connections. The caller determines the order in which operations start (see device_transport); it holds over all
/// streams, so it is safe if the device lets one stream wait for another. Within a round the host never waits for a
/// stream but polls events, so it can still notice a dead peer.
///
/// NCCL connects at the first use, and meanwhile the host waits for its peer. A rank that waits cannot make progress on
/// what the peer may need first. So connect() and prepare() use each connection once.
class nccl_fabric final : public device_fabric {
public:
    /// Every rank has to call it; only members are connected. \param base carries the communicators' ids.
    nccl_fabric(transport& base, std::vector<int> members, std::shared_ptr<cuda_memory> memory,
                std::size_t sum_elements = std::size_t{4} << 20);
    ~nccl_fabric() override;

    const char* name() const override { return "nccl"; }
    const std::vector<int>& members() const override { return members_; }
    std::shared_ptr<void> mark() override;
    std::unique_ptr<pending_transfer> send(int rank, lane, const tensor_view&,
                                           const std::shared_ptr<void>& after) override;
    std::unique_ptr<pending_transfer> receive(int rank, lane, tensor_view& arriving) override;
    void connect(const std::vector<std::pair<int, int>>& from_to) override;
    void prepare(const std::vector<int>& group) override;
    std::unique_ptr<pending_sum> sum(sum_buffer, const std::vector<int>& group) override;
    void check() override;

private:
    /// Connects the members; other ranks get an empty communicator.
    nccl_communicator join();
    const nccl_communicator& of(const std::vector<int>& group) const;
    std::unique_ptr<pending_transfer> ends_here(cudaStream_t) const;

    transport& base_;
    std::vector<int> members_;
    std::shared_ptr<cuda_memory> memory_;
    std::size_t sum_elements_; ///< Chunk size of a sum.
    std::array<cuda_stream, lanes> message_streams_;
    cuda_stream sum_stream_;
    std::array<nccl_communicator, lanes> messages_;
    nccl_communicator sums_;
    std::map<std::vector<int>, nccl_communicator> groups_; ///< Split off from sums_.
    bool sums_ready_ = false;
    std::vector<tensor_view> abandoned_; ///< Of cancelled sums to which the device may still write.
};

} // namespace gaisnet
