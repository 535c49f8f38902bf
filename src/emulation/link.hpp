#pragma once

#include "base/distribution.hpp"
#include "base/fifo.hpp"
#include "emulation/event.hpp"
#include "emulation/half_duplex.hpp"
#include "emulation/medium.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Properties of a directed link that do not change.
struct link_parameters {
    std::uint32_t from = 0, to = 0;
    link_class kind{};
    std::string name; ///< "c1.2->c1.3"; also seeds the link's random numbers.
    double latency_s = 0;
    double bandwidth_hz = 0;           ///< Of the link's own band, or of the medium that it shares.
    distribution jitter;               ///< s, added to the latency of each message; negative values shorten it.
    double loss = 0;                   ///< Probability, below 1, that a packet is lost and sent again.
    std::uint64_t packet_bytes = 1500; ///< B
    double radiated_w = 0;             ///< Power of the sender if it sends nothing else over links of this class.
    std::optional<double> wired_j_bit; ///< J/bit of a wired link, charged to the sender; absent: a radio link.
};

/// Is notified of what happens on links.
class link_observer {
public:
    virtual ~link_observer() = default;
    /// \param after the earlier transfer on the same link or radio that this one waited for; nothing if it did not
    /// wait.
    virtual void transfer_started(std::uint64_t transfer, double start, std::optional<std::uint64_t> after) = 0;
    /// A transfer no longer occupies its link. \param arrivals s, at each receiver. \param resent packets that were
    /// sent again.
    virtual void transfer_ended(std::uint64_t transfer, const airtime_report&, std::span<const double> arrivals,
                                std::uint64_t resent) = 0;
};

/// A directed link, or a multicast over several links of one sender. Transfers are served in the order in which they
/// become ready: a transfer that is ready at t starts at max(t, link free), occupies the link until its bits are sent,
/// and arrives after latency and jitter, never before the previous one. A multicast has the speed of its slowest
/// receiver.
class link final : private sender {
public:
    /// \param radios null: full duplex.
    link(event_queue&, link_observer&, std::uint64_t seed, std::uint32_t index, medium&, half_duplex_radios* radios,
         link_parameters, std::unique_ptr<rate_model>);
    /// \param parts links of the same sender; they must outlive this one.
    link(std::uint32_t index, const std::vector<link*>& parts);
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    const link_parameters& parameters() const { return parameters_; }
    /// The receivers: several for a multicast, otherwise one.
    const std::vector<std::uint32_t>& receivers() const { return receivers_; }
    const rate_model& rate() const override { return *rate_; }
    /// Replaces the rate model. No transfer may be under way.
    void set_rate(std::unique_ptr<rate_model> rate) { rate_ = std::move(rate); }
    /// Starts a round: jitter and losses are drawn per round.
    void begin_round(std::uint32_t round);

    /// Stops the current transfer and drops the waiting ones. \returns what was sent of the transfer, and its size in
    /// bits; nothing if the link was not sending.
    struct interrupted {
        std::uint64_t transfer = 0;
        airtime_report used;
        double bits = 0;
    };
    std::optional<interrupted> interrupt();
    bool sending() const { return sending_; }
    /// Whether only one link at a time sends on its medium.
    bool sent_in_turns() const { return medium_.in_turns(); }

    /// Queues a transfer that is ready now.
    void submit(std::uint64_t transfer, std::uint64_t bytes);

private:
    struct pending {
        std::uint64_t transfer;
        std::uint64_t bytes;
    };

    void start_next();
    void begin_sending(std::optional<std::uint64_t> released_by);
    void sent(const airtime_report&) override;
    double arrival(double end);

    event_queue& queue_;
    link_observer& observer_;
    std::uint64_t seed_;
    medium& medium_;
    half_duplex_radios* radios_;
    link_parameters parameters_;
    std::vector<std::uint32_t> receivers_;
    std::unique_ptr<rate_model> rate_;
    std::vector<link*> parts_; ///< Of a multicast; otherwise empty.
    fifo<pending> waiting_;
    bool busy_ = false, sending_ = false;    ///< A link that waits for a radio is busy but not sending.
    std::optional<std::uint64_t> last_sent_; ///< The last transfer of this round.
    double bits_ = 0;                        ///< Size of the message that is being sent.
    std::uint32_t round_ = 0, messages_ = 0; ///< Messages of this round that have started.
    std::uint64_t resent_ = 0;               ///< Packets of the current message that are sent again.
    double last_arrival_ = 0;
};

/// The number of retransmissions when each of `packets` packets is lost with probability `loss` at each of `receivers`
/// receivers and is sent again until all have it. For more than 4096 packets, 4096 are drawn and scaled up.
std::uint64_t draw_resent_packets(random_stream&, std::uint64_t packets, double loss, std::size_t receivers = 1);

} // namespace gaisnet
