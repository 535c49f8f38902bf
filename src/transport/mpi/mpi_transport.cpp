#include "transport/mpi/mpi_transport.hpp"

#include "base/bytes.hpp"
#include "base/error.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace gaisnet {

namespace {

constexpr int envelope_tag = 1;
constexpr int data_tag = 2;

/// Waits without occupying a core that another rank may need.
class backoff {
public:
    void pause() {
        if (++turns_ < 200) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(turns_ < 2000 ? 20 : 200));
        }
    }

private:
    int turns_ = 0;
};

std::vector<std::byte> make_envelope(const message& sent, bool with_data) {
    byte_writer out;
    out.put(sent.route.from);
    out.put(sent.route.to);
    out.put(sent.route.kind);
    out.put(sent.route.stage);
    out.put(sent.tensor.type);
    out.put(sent.tensor.memory);
    out.put(sent.tensor.shape);
    out.put(with_data);
    if (with_data) {
        out.append(sent.tensor.data, sent.tensor.bytes());
    }
    return out.take();
}

/// A sum in chunks, which are all started at once: MPI keeps their order.
class mpi_sum final : public pending_sum {
public:
    mpi_sum(sum_buffer buffer, MPI_Comm comm, std::size_t chunk, std::vector<sum_buffer>& abandoned)
        : buffer_(std::move(buffer))
        , abandoned_(abandoned) {
        for (std::size_t first = 0; first < buffer_->size(); first += chunk) {
            const auto count = std::min(chunk, buffer_->size() - first);
            requests_.push_back(MPI_REQUEST_NULL);
            GAISNET_MPI(MPI_Iallreduce, MPI_IN_PLACE, buffer_->data() + first, static_cast<int>(count), MPI_INT64_T,
                        MPI_SUM, comm, &requests_.back());
        }
    }
    ~mpi_sum() override {
        if (!done_) {
            abandoned_.push_back(std::move(buffer_));
        }
    }
    mpi_sum(const mpi_sum&) = delete;
    mpi_sum& operator=(const mpi_sum&) = delete;
    bool done() override {
        int all = 0;
        GAISNET_MPI(MPI_Testall, static_cast<int>(requests_.size()), requests_.data(), &all, MPI_STATUSES_IGNORE);
        return done_ = all != 0;
    }

private:
    sum_buffer buffer_;
    std::vector<sum_buffer>& abandoned_;
    std::vector<MPI_Request> requests_;
    bool done_ = false;
};

class finished_sum final : public pending_sum {
public:
    bool done() override { return true; }
};

} // namespace

mpi_transport::mpi_transport(const mpi_session& session, mpi_limits limits)
    : rank_(session.rank())
    , ranks_(session.ranks())
    , limits_(limits)
    , allocate_(
          [](const tensor_shape& shape, element_type type, memory_space) { return tensor_view::allocate(shape, type); })
    , messages_(mpi_communicator::duplicate_world())
    , collectives_(mpi_communicator::duplicate_world())
    , thread_([this] { return advance(); }) {}

mpi_transport::~mpi_transport() = default;

void mpi_transport::count_local(std::uint64_t bytes) {
    ++loopback_.messages;
    loopback_.bytes += bytes;
}

void mpi_transport::send(int destination, message sent) {
    ensure(destination >= 0 && destination < ranks_, "a message goes to a rank that exists");
    const auto bytes = sent.tensor.bytes();
    if (destination == rank_) {
        count_local(bytes);
        incoming_[rank_].push_back({{}, std::move(sent), {}, true});
        return;
    }
    ++mpi_.messages;
    mpi_.bytes += bytes;
    const bool with_data = bytes <= limits_.inline_bytes && sent.tensor.memory == memory_space::host;
    const std::lock_guard lock(guard_);
    auto& out = outgoing_.emplace_back();
    out.envelope = make_envelope(sent, with_data);
    out.requests.push_back(MPI_REQUEST_NULL);
    GAISNET_MPI(MPI_Isend, out.envelope.data(), static_cast<int>(out.envelope.size()), MPI_BYTE, destination,
                envelope_tag, messages_.get(), &out.requests.back());
    thread_.wake();
    if (with_data) {
        return;
    }
    out.tensor = std::move(sent.tensor); // its owner is kept until all bytes have left
    for (std::size_t first = 0; first < bytes; first += limits_.chunk_bytes) {
        const auto count = std::min(limits_.chunk_bytes, bytes - first);
        out.requests.push_back(MPI_REQUEST_NULL);
        GAISNET_MPI(MPI_Isend, out.tensor.data + first, static_cast<int>(count), MPI_BYTE, destination, data_tag,
                    messages_.get(), &out.requests.back());
    }
}

/// Leaves all requests as they are: they belong to the main thread, as do the tensors.
bool mpi_transport::advance() {
    const std::lock_guard lock(guard_);
    bool complete = true;
    const auto look_at = [&](const std::vector<MPI_Request>& requests) {
        for (const auto& one : requests) {
            int done = 0;
            MPI_Request_get_status(one, &done, MPI_STATUS_IGNORE); // its error comes up at the main thread's test
            complete = complete && done != 0;
        }
    };
    for (const auto& one : outgoing_) {
        look_at(one.requests);
    }
    for (const auto& [source, queue] : incoming_) {
        for (const auto& one : queue) {
            look_at(one.requests);
        }
    }
    return !complete;
}

void mpi_transport::progress_sends() {
    std::erase_if(outgoing_, [](outgoing& out) {
        int done = 0;
        GAISNET_MPI(MPI_Testall, static_cast<int>(out.requests.size()), out.requests.data(), &done,
                    MPI_STATUSES_IGNORE);
        return done != 0;
    });
}

void mpi_transport::accept_envelopes() {
    for (;;) {
        int found = 0;
        MPI_Message handle = MPI_MESSAGE_NULL;
        MPI_Status status;
        GAISNET_MPI(MPI_Improbe, MPI_ANY_SOURCE, envelope_tag, messages_.get(), &found, &handle, &status);
        if (!found) {
            return;
        }
        int size = 0;
        GAISNET_MPI(MPI_Get_count, &status, MPI_BYTE, &size);
        auto& next = incoming_[status.MPI_SOURCE].emplace_back();
        next.envelope.resize(static_cast<std::size_t>(size));
        next.requests.push_back(MPI_REQUEST_NULL);
        // The bytes may still be under way, and the sender may be busy computing.
        GAISNET_MPI(MPI_Imrecv, next.envelope.data(), size, MPI_BYTE, &handle, &next.requests.back());
        thread_.wake();
    }
}

void mpi_transport::open(incoming& next, int source) {
    byte_reader in(next.envelope);
    next.arrived.route.from = in.get<std::uint32_t>();
    next.arrived.route.to = in.get<std::uint32_t>();
    next.arrived.route.kind = in.get<message_kind>();
    next.arrived.route.stage = in.get<std::uint32_t>();
    const auto type = in.get<element_type>();
    const auto memory = in.get<memory_space>();
    const auto shape = in.get<tensor_shape>();
    const bool with_data = in.get<bool>();
    auto& tensor = next.arrived.tensor;
    if (!shape.empty()) {
        tensor = allocate_(shape, type, memory);
    }
    const auto bytes = tensor.bytes();
    next.requests.clear();
    if (with_data) {
        in.copy(tensor.data, bytes);
    } else {
        // Receives with one source and tag match in the order in which they are posted, which is the order of the
        // envelopes.
        for (std::size_t first = 0; first < bytes; first += limits_.chunk_bytes) {
            const auto count = std::min(limits_.chunk_bytes, bytes - first);
            next.requests.push_back(MPI_REQUEST_NULL);
            GAISNET_MPI(MPI_Irecv, tensor.data + first, static_cast<int>(count), MPI_BYTE, source, data_tag,
                        messages_.get(), &next.requests.back());
        }
        thread_.wake();
    }
    next.envelope = {};
    next.opened = true;
}

std::optional<message> mpi_transport::poll() {
    const std::lock_guard lock(guard_);
    progress_sends();
    accept_envelopes();
    const auto all_done = [](std::vector<MPI_Request>& requests) {
        int done = 1;
        if (!requests.empty()) {
            GAISNET_MPI(MPI_Testall, static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
        }
        return done != 0;
    };
    for (auto& [source, queue] : incoming_) {
        for (auto& next : queue) { // in order: chunks of a message must not be posted before those of an earlier one
            if (!next.opened) {
                if (!all_done(next.requests)) {
                    break;
                }
                open(next, source);
            }
        }
        if (!queue.empty() && queue.front().opened && all_done(queue.front().requests)) {
            auto arrived = std::move(queue.front().arrived);
            queue.pop_front();
            return arrived;
        }
    }
    return std::nullopt;
}

bool mpi_transport::idle() {
    const std::lock_guard lock(guard_);
    progress_sends();
    return outgoing_.empty();
}

void mpi_transport::prepare(const std::vector<int>& group) {
    if (group.size() == 1 || !std::binary_search(group.begin(), group.end(), rank_)) {
        return;
    }
    auto& known = groups_[group];
    if (known.get() == MPI_COMM_NULL) {
        MPI_Group all = MPI_GROUP_NULL, some = MPI_GROUP_NULL;
        MPI_Comm made = MPI_COMM_NULL;
        GAISNET_MPI(MPI_Comm_group, collectives_.get(), &all);
        GAISNET_MPI(MPI_Group_incl, all, static_cast<int>(group.size()), group.data(), &some);
        GAISNET_MPI(MPI_Comm_create_group, collectives_.get(), some, group.front(), &made);
        GAISNET_MPI(MPI_Group_free, &some);
        GAISNET_MPI(MPI_Group_free, &all);
        GAISNET_MPI(MPI_Comm_set_errhandler, made, MPI_ERRORS_RETURN);
        known = mpi_communicator(made);
    }
}

std::unique_ptr<pending_sum> mpi_transport::sum(sum_buffer buffer, const std::vector<int>& group) {
    if (group.size() == 1 || buffer->empty()) {
        return std::make_unique<finished_sum>();
    }
    return std::make_unique<mpi_sum>(std::move(buffer), groups_.at(group).get(), limits_.sum_elements, abandoned_);
}

void mpi_transport::wait_for(MPI_Request& request) {
    backoff wait;
    for (int done = 0;;) {
        GAISNET_MPI(MPI_Test, &request, &done, MPI_STATUS_IGNORE);
        if (done) {
            return;
        }
        idle();
        wait.pause();
    }
}

void mpi_transport::barrier() {
    MPI_Request request = MPI_REQUEST_NULL;
    GAISNET_MPI(MPI_Ibarrier, collectives_.get(), &request);
    wait_for(request);
}

void mpi_transport::broadcast(std::vector<std::byte>& bytes, int root) {
    std::uint64_t size = bytes.size();
    MPI_Request request = MPI_REQUEST_NULL;
    GAISNET_MPI(MPI_Ibcast, &size, 1, MPI_UINT64_T, root, collectives_.get(), &request);
    wait_for(request);
    bytes.resize(size);
    for (std::size_t first = 0; first < size; first += limits_.chunk_bytes) {
        const auto count = std::min<std::size_t>(limits_.chunk_bytes, size - first);
        GAISNET_MPI(MPI_Ibcast, bytes.data() + first, static_cast<int>(count), MPI_BYTE, root, collectives_.get(),
                    &request);
        wait_for(request);
    }
}

std::vector<std::vector<std::byte>> mpi_transport::gather(std::vector<std::byte> bytes, int root) {
    std::uint64_t size = bytes.size();
    std::vector<std::uint64_t> sizes(static_cast<std::size_t>(ranks_));
    MPI_Request request = MPI_REQUEST_NULL;
    GAISNET_MPI(MPI_Igather, &size, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, root, collectives_.get(), &request);
    wait_for(request);
    constexpr int gather_tag = 3;
    const auto for_chunks = [&](std::vector<std::byte>& data, auto&& transfer) {
        for (std::size_t first = 0; first < data.size(); first += limits_.chunk_bytes) {
            const auto count = std::min(limits_.chunk_bytes, data.size() - first);
            MPI_Request one = MPI_REQUEST_NULL;
            transfer(data.data() + first, static_cast<int>(count), one);
            wait_for(one);
        }
    };
    std::vector<std::vector<std::byte>> all;
    if (rank_ != root) {
        for_chunks(bytes, [&](std::byte* data, int count, MPI_Request& one) {
            GAISNET_MPI(MPI_Isend, data, count, MPI_BYTE, root, gather_tag, collectives_.get(), &one);
        });
        return all;
    }
    for (int source = 0; source < ranks_; ++source) {
        if (source == root) {
            all.push_back(std::move(bytes));
            continue;
        }
        auto& data = all.emplace_back(sizes[static_cast<std::size_t>(source)]);
        for_chunks(data, [&](std::byte* to, int count, MPI_Request& one) {
            GAISNET_MPI(MPI_Irecv, to, count, MPI_BYTE, source, gather_tag, collectives_.get(), &one);
        });
    }
    return all;
}

} // namespace gaisnet
