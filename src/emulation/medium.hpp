#pragma once

#include "base/words.hpp"
#include "emulation/event_queue.hpp"
#include "emulation/rate_model.hpp"

#include <cstdint>
#include <set>
#include <unordered_map>
#include <utility>

namespace gaisnet {

/// How the links of a medium share it. A link that sends alone has its full rate r.
enum class share_kind : std::uint8_t {
    exclusive, ///< `private`: each link has a band of its own.
    equal,     ///< Time division: each of n sending links gets 1/n of the time, so r/n bit/s.
    maxmin,    ///< Max-min fair: each rate is at most r, and all together are at most the capacity.
    airtime,   ///< Equal chances to send, as in 802.11: all get 1 / (sum of 1/r) bit/s, so one slow link slows all.
    reuse,     ///< All links send at once in one band and interfere with each other.
};
inline constexpr word<share_kind> share_words[] = {{"private", share_kind::exclusive},
                                                   {"equal", share_kind::equal},
                                                   {"maxmin", share_kind::maxmin},
                                                   {"airtime", share_kind::airtime},
                                                   {"reuse", share_kind::reuse}};
constexpr const char* name_of(share_kind share) { return name_in(share_words, share); }

/// Resources that a transmission used.
struct airtime_report {
    double on_air_s = 0;   ///< Time during which the sender's radio sent: without outages and the turns of other links.
    double spectrum_s = 0; ///< Integral over time of its share of the band.
    double bits_left = 0;  ///< Bits not sent, because the transfer was stopped.
};

/// A link as its medium sees it; it has at most one transfer at a time.
class sender {
public:
    /// \param index unique within a medium; breaks ties, so that results do not depend on addresses.
    sender(std::uint32_t index, std::uint32_t node): index_(index), node_(node) {}
    virtual ~sender() = default;
    std::uint32_t index() const { return index_; }
    std::uint32_t node() const { return node_; }
    virtual const rate_model& rate() const = 0;
    /// Called when all bits are sent, which is now.
    virtual void sent(const airtime_report&) = 0;

private:
    std::uint32_t index_, node_;
};

/// A band or channel that links share. The shares are recomputed whenever a transfer starts or ends, and whenever the
/// rate of a sending link changes.
class medium {
public:
    virtual ~medium() = default;
    /// Starts to send `bits` now; the sender must not be sending yet.
    virtual void start(sender&, double bits) = 0;
    /// Stops a transfer now.
    virtual airtime_report stop(sender&) = 0;
    /// Whether only one sender at a time is on the air.
    virtual bool in_turns() const { return false; }
};

/// No sharing: every link sends as if it were alone.
class exclusive_medium final : public medium {
public:
    explicit exclusive_medium(event_queue& queue): queue_(queue) {}
    void start(sender&, double bits) override;
    airtime_report stop(sender&) override;

private:
    struct flow {
        sender* who = nullptr;
        double begin = 0, end = 0;
        event_queue::ticket due = event_queue::no_ticket;
    };
    void ended(std::uint32_t index);

    event_queue& queue_;
    std::vector<flow> flows_; ///< By index of the sender; most links are of this medium.
};

/// Implements equal, maxmin and airtime. Each sending link progresses at min(cap, weight x level) bit/s, with one level
/// for all. equal: weight r, level 1/n; airtime: weight 1, level 1 / (sum of 1/r); maxmin: weight 1, cap r, and the
/// level that fills the medium. The next link to finish is found in O(log n): links below their cap are ordered by the
/// integral of the level at which they finish, links at their cap by time.
class shared_medium final : public medium {
public:
    /// \param capacity_bit_s maxmin only.
    shared_medium(event_queue& queue, share_kind share, double capacity_bit_s = never)
        : queue_(queue)
        , share_(share)
        , capacity_(capacity_bit_s) {}
    void start(sender&, double bits) override;
    airtime_report stop(sender&) override;
    bool in_turns() const override { return share_ != share_kind::maxmin; }

private:
    struct flow {
        sender* who = nullptr;
        double rate = 0;   ///< bit/s when alone; 0: the flow is stalled and in no set.
        double left = 0;   ///< Bits left when it was last put into a set.
        double finish = 0; ///< When it finishes: integral of the level or, at its cap, time.
        bool capped = false;
        double on_air_s = 0, spectrum_s = 0;
        event_queue::ticket change = event_queue::no_ticket; ///< The next change of its rate.
    };
    using order = std::set<std::pair<double, std::uint32_t>>;

    double weight(const flow& one) const { return share_ == share_kind::equal ? one.rate : 1.0; }
    void advance();
    void take_up_rate(flow&);
    airtime_report remove(flow&);
    void put_in(flow&, bool capped);
    void take_out(flow&);
    /// Share of the band x time that these bits take.
    double spectrum_s(double bits, double rate) const;
    void fill();
    void balance();
    void end_flow(std::uint32_t index);
    void change_rate(std::uint32_t index);

    event_queue& queue_;
    share_kind share_;
    double capacity_;
    std::unordered_map<std::uint32_t, flow> flows_; ///< By index of the sender.
    order ending_, ending_capped_;                  ///< Flows below and at their cap, by finish.
    order caps_, caps_reached_;                     ///< maxmin: flows below and at their cap, by rate.
    double capped_sum_ = 0;                         ///< bit/s
    double inverse_sum_ = 0;                        ///< s/bit, sum over all sending flows.
    double level_ = 0, work_ = 0, updated_at_ = 0;
    event_queue::ticket next_ = event_queue::no_ticket;
};

} // namespace gaisnet
