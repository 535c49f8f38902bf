#include "transport/nccl/nccl_fabric.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gaisnet {

namespace {

/// Multiprocessors that each communicator uses: few, so that others remain for computing. NVLink could use more (one
/// carries about 20 GB/s); not measured.
constexpr int most_blocks = 4;

int place_in(const std::vector<int>& group, int rank) {
    const auto found = std::lower_bound(group.begin(), group.end(), rank);
    ensure(found != group.end() && *found == rank, "a peer belongs to the group");
    return static_cast<int>(found - group.begin());
}

class pending_event final : public pending_transfer {
public:
    explicit pending_event(cudaStream_t stream) { event_.record(stream); }
    bool done() override { return event_.reached(); }

private:
    cuda_event event_;
};

class nccl_sum final : public pending_sum {
public:
    nccl_sum(sum_buffer buffer, tensor_view staged, tensor_view summed, cudaStream_t stream,
             std::vector<tensor_view>& abandoned)
        : buffer_(std::move(buffer))
        , staged_(std::move(staged))
        , summed_(std::move(summed))
        , abandoned_(abandoned) {
        end_.record(stream);
    }
    ~nccl_sum() override {
        if (!done_) {
            abandoned_.push_back(std::move(staged_));
            abandoned_.push_back(std::move(summed_));
        }
    }
    nccl_sum(const nccl_sum&) = delete;
    nccl_sum& operator=(const nccl_sum&) = delete;
    bool done() override {
        if (!done_ && end_.reached()) {
            std::memcpy(buffer_->data(), staged_.data, staged_.bytes());
            done_ = true;
        }
        return done_;
    }

private:
    sum_buffer buffer_;
    tensor_view staged_, summed_; ///< On the host and on the device.
    std::vector<tensor_view>& abandoned_;
    cuda_event end_;
    bool done_ = false;
};

} // namespace

nccl_fabric::nccl_fabric(transport& base, std::vector<int> members, std::shared_ptr<cuda_memory> memory,
                         std::size_t sum_elements)
    : base_(base)
    , members_(std::move(members))
    , memory_(std::move(memory))
    , sum_elements_(sum_elements)
    , messages_{join(), join()}
    , sums_(join()) {}

// Destroying a communicator may wait for its other ranks, so all ranks do it in the same order, split-off ones first.
nccl_fabric::~nccl_fabric() {
    while (!groups_.empty()) {
        groups_.erase(groups_.begin());
    }
}

nccl_communicator nccl_fabric::join() {
    ncclUniqueId id{};
    std::vector<std::byte> bytes(sizeof id);
    if (base_.rank() == members_.front()) {
        GAISNET_NCCL(ncclGetUniqueId, &id);
        std::memcpy(bytes.data(), &id, sizeof id);
    }
    base_.broadcast(bytes, members_.front());
    std::memcpy(&id, bytes.data(), sizeof id);
    if (!std::binary_search(members_.begin(), members_.end(), base_.rank())) {
        return {};
    }
    return {static_cast<int>(members_.size()), id, place_in(members_, base_.rank()), most_blocks};
}

std::shared_ptr<void> nccl_fabric::mark() {
    auto event = std::make_shared<cuda_event>();
    event->record(memory_->compute());
    return event;
}

std::unique_ptr<pending_transfer> nccl_fabric::ends_here(cudaStream_t stream) const {
    return std::make_unique<pending_event>(stream);
}

std::unique_ptr<pending_transfer> nccl_fabric::send(int rank, lane which, const tensor_view& tensor,
                                                    const std::shared_ptr<void>& after) {
    const auto stream = message_streams_[static_cast<std::size_t>(which)].get();
    const auto comm = messages_[static_cast<std::size_t>(which)].get();
    GAISNET_CUDA(cudaStreamWaitEvent, stream, static_cast<cuda_event*>(after.get())->get(), 0);
    check_nccl(ncclSend(tensor.data, tensor.bytes(), ncclUint8, place_in(members_, rank), comm, stream), "ncclSend",
               comm);
    return ends_here(stream);
}

std::unique_ptr<pending_transfer> nccl_fabric::receive(int rank, lane which, tensor_view& arriving) {
    const auto stream = message_streams_[static_cast<std::size_t>(which)].get();
    const auto comm = messages_[static_cast<std::size_t>(which)].get();
    arriving = memory_->device(arriving.shape, arriving.type, stream);
    check_nccl(ncclRecv(arriving.data, arriving.bytes(), ncclUint8, place_in(members_, rank), comm, stream), "ncclRecv",
               comm);
    return ends_here(stream);
}

void nccl_fabric::connect(const std::vector<std::pair<int, int>>& from_to) {
    for (std::size_t which = 0; which < lanes; ++which) {
        const auto stream = message_streams_[which].get();
        const auto comm = messages_[which].get();
        const auto bytes = memory_->device({1}, element_type::float32, stream);
        GAISNET_CUDA(cudaMemsetAsync, bytes.data, 0, bytes.bytes(), stream);
        GAISNET_NCCL(ncclGroupStart);
        for (const auto& [from, to] : from_to) {
            if (from == base_.rank()) {
                check_nccl(ncclSend(bytes.data, 1, ncclUint8, place_in(members_, to), comm, stream), "ncclSend", comm);
            } else if (to == base_.rank()) {
                check_nccl(ncclRecv(bytes.data, 1, ncclUint8, place_in(members_, from), comm, stream), "ncclRecv",
                           comm);
            }
        }
        GAISNET_NCCL(ncclGroupEnd);
        GAISNET_CUDA(cudaStreamSynchronize, stream);
    }
}

const nccl_communicator& nccl_fabric::of(const std::vector<int>& group) const {
    return group == members_ ? sums_ : groups_.at(group);
}

void nccl_fabric::prepare(const std::vector<int>& group) {
    if (group == members_ ? std::exchange(sums_ready_, true) : groups_.contains(group)) {
        return;
    }
    const bool member = std::binary_search(group.begin(), group.end(), base_.rank());
    if (group != members_) {
        groups_.emplace(group, sums_.get() ? sums_.split(member) : nccl_communicator());
    }
    if (const auto comm = of(group).get(); comm && member) {
        const auto stream = sum_stream_.get();
        const auto one = memory_->device({1}, element_type::int64, stream);
        GAISNET_CUDA(cudaMemsetAsync, one.data, 0, one.bytes(), stream);
        check_nccl(ncclAllReduce(one.data, one.data, 1, ncclInt64, ncclSum, comm, stream), "ncclAllReduce", comm);
        GAISNET_CUDA(cudaStreamSynchronize, stream);
    }
}

std::unique_ptr<pending_sum> nccl_fabric::sum(sum_buffer buffer, const std::vector<int>& group) {
    const auto comm = of(group).get();
    const auto stream = sum_stream_.get();
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(buffer->size())};
    // From page-locked memory, because for a copy from other memory the host waits for the stream.
    auto staged = memory_->pinned(shape, element_type::int64);
    auto summed = memory_->device(shape, element_type::int64, stream);
    std::memcpy(staged.data, buffer->data(), staged.bytes());
    for (std::size_t first = 0; first < buffer->size(); first += sum_elements_) {
        const auto count = std::min(sum_elements_, buffer->size() - first);
        auto* host = staged.as<std::int64_t>() + first;
        auto* device = summed.as<std::int64_t>() + first;
        GAISNET_CUDA(cudaMemcpyAsync, device, host, count * sizeof *host, cudaMemcpyHostToDevice, stream);
        check_nccl(ncclAllReduce(device, device, count, ncclInt64, ncclSum, comm, stream), "ncclAllReduce", comm);
        GAISNET_CUDA(cudaMemcpyAsync, host, device, count * sizeof *host, cudaMemcpyDeviceToHost, stream);
    }
    return std::make_unique<nccl_sum>(std::move(buffer), std::move(staged), std::move(summed), stream, abandoned_);
}

void nccl_fabric::check() {
    const auto check_one = [](const nccl_communicator& comm) {
        if (comm.get()) {
            comm.check();
        }
    };
    std::for_each(messages_.begin(), messages_.end(), check_one);
    check_one(sums_);
    for (const auto& [group, comm] : groups_) {
        check_one(comm);
    }
}

} // namespace gaisnet
