#pragma once

#include "transport/device_fabric.hpp"
#include "transport/nccl/cuda_memory.hpp"
#include "transport/nccl/handles.hpp"
#include "transport/transport.hpp"

#include <list>
#include <map>
#include <memory>
#include <vector>

namespace gaisnet {

/// Tensors and integer sums over NCCL. Messages of all pairs share one communicator and one stream; sums have a stream
/// of their own and a communicator for each group of ranks, so that they run beside messages. The order in which
/// operations begin is the caller's business (see device_transport); it holds over both streams, so it does no harm when
/// the device lets one stream wait for the other. Within a round the host never waits for a stream: it
/// asks events, so a dead peer leaves it free to notice.
///
/// NCCL makes a connection when it is first used, and the host waits for its peer meanwhile. A rank that waits so could
/// not move on what the peer needs first. So connect() and prepare() use each connection once.
class nccl_fabric final : public device_fabric {
public:
    /// Every rank has to call it; only members are connected. \param base carries the communicators' ids.
    nccl_fabric(transport& base, std::vector<int> members, std::shared_ptr<cuda_memory> memory,
                std::size_t sum_elements = std::size_t{4} << 20);
    ~nccl_fabric() override;

    const char* name() const override { return "nccl"; }
    const std::vector<int>& members() const override { return members_; }
    std::shared_ptr<void> mark() override;
    std::unique_ptr<pending_transfer> send(int rank, const tensor_view&, const std::shared_ptr<void>& after) override;
    std::unique_ptr<pending_transfer> receive(int rank, tensor_view& arriving) override;
    void connect(const std::vector<std::pair<int, int>>& from_to) override;
    void prepare(const std::vector<int>& group) override;
    std::unique_ptr<pending_sum> sum(sum_buffer, const std::vector<int>& group) override;
    void check() override;

private:
    nccl_communicator join(const std::vector<int>& group);
    std::unique_ptr<pending_transfer> ends_here(cudaStream_t) const;

    transport& base_;
    std::vector<int> members_;
    std::shared_ptr<cuda_memory> memory_;
    std::size_t sum_elements_; ///< A chunk of a sum.
    cuda_stream message_stream_, sum_stream_;
    nccl_communicator messages_;
    std::map<std::vector<int>, nccl_communicator> groups_;
    std::vector<tensor_view> abandoned_; ///< Of sums that were given up while the device may still write to them.
};

} // namespace gaisnet
