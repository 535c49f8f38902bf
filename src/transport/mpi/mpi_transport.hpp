#pragma once

#include "transport/mpi/mpi_session.hpp"
#include "transport/mpi/progress_thread.hpp"
#include "transport/transport.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace gaisnet {

struct mpi_limits {
    std::size_t inline_bytes = 32 * 1024;           ///< Tensors up to this size travel inside their envelope.
    std::size_t chunk_bytes = std::size_t{1} << 30; ///< Larger messages are split: MPI counts are ints.
    std::size_t sum_elements = std::size_t{4} << 20;
};

/// Messages over MPI. Every message starts with an envelope (route, type, shape). A large tensor follows in chunks, and
/// so does any tensor on a device, since only a CUDA-aware MPI can read it. The envelope matches receives, so no rank
/// needs to know what arrives next. All calls are non-blocking; waiting polls, and a thread of its own polls while the caller
/// does something else.
class mpi_transport final : public transport {
public:
    /// Every rank has to call it.
    explicit mpi_transport(const mpi_session&, mpi_limits limits = {});
    ~mpi_transport() override;

    /// Sets the memory for arriving tensors. By default, and on a device unless MPI is CUDA-aware, that is host memory.
    void use_memory(tensor_allocator allocate) { allocate_ = std::move(allocate); }

    int rank() const override { return rank_; }
    int ranks() const override { return ranks_; }
    void send(int destination_rank, message) override;
    std::optional<message> poll() override;
    bool idle() override;
    void prepare(const std::vector<int>& group) override;
    std::unique_ptr<pending_sum> sum(sum_buffer buffer, const std::vector<int>& group) override;
    void barrier() override;
    void broadcast(std::vector<std::byte>& bytes, int root) override;
    std::vector<std::vector<std::byte>> gather(std::vector<std::byte> bytes, int root) override;
    void count_local(std::uint64_t bytes) override;
    std::vector<transport_counters> counters() const override { return {loopback_, mpi_}; }

private:
    struct outgoing {
        std::vector<std::byte> envelope;
        tensor_view tensor;
        std::vector<MPI_Request> requests;
    };
    struct incoming {
        std::vector<std::byte> envelope; ///< Until it is opened.
        message arrived;
        std::vector<MPI_Request> requests; ///< Pending: the envelope or, after it is opened, the chunks.
        bool opened = false;
    };

    void accept_envelopes();
    void open(incoming&, int source);
    void progress_sends();
    bool advance();
    void wait_for(MPI_Request& request);

    int rank_, ranks_;
    mpi_limits limits_;
    tensor_allocator allocate_;
    mpi_communicator messages_, collectives_;
    std::map<std::vector<int>, mpi_communicator> groups_;
    std::vector<sum_buffer> abandoned_; ///< Of cancelled sums to which MPI may still write.
    std::deque<outgoing> outgoing_;
    std::map<int, std::deque<incoming>> incoming_; ///< By source rank, in the order of the envelopes.
    transport_counters loopback_{"loopback", 0, 0}, mpi_{"mpi", 0, 0};
    std::mutex guard_; ///< Of outgoing_ and incoming_, at which thread_ looks.
    progress_thread thread_;
};

} // namespace gaisnet
