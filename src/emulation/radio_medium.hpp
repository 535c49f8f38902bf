#pragma once

#include "base/tournament.hpp"
#include "emulation/cell_grid.hpp"
#include "emulation/medium.hpp"

#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// A sum of powers that returns to exactly 0 when all are subtracted again: fixed point with a quantum of 1e-30 W.
class exact_power {
public:
    void add(double watts) { quanta_ += to_quanta(watts); }
    void remove(double watts) { quanta_ -= to_quanta(watts); }
    double watts() const { return static_cast<double>(quanta_) * quantum; }

private:
    __extension__ typedef __int128 wide;
    static constexpr double quantum = 1e-30;
    static wide to_quanta(double watts) { return static_cast<wide>(watts / quantum); }
    wide quanta_ = 0;
};

/// Radio links whose rates depend on the other senders: because of interference, or because a sender divides its power
/// over its transmissions. A start or an end gives new rates to the links that notice it, those of the same node and those
/// within the range of interference: O(k log n) for k such links of n, and a look at what is in the cells around; a change of
/// positions takes O(n k).
class radio_medium final : public medium {
public:
    /// How links receive each other.
    class channel_model {
    public:
        virtual ~channel_model() = default;
        /// Power (W) that the receiver of `who` gets from node `other` while that node sends; 0 if it does not
        /// interfere. \param time s
        virtual double interference_w(const sender& who, std::uint32_t other, double time) = 0;
        /// Rate (bit/s) of `who` with a part of its sender's power and this total interference.
        virtual double rate(const sender& who, double power_part, double interference_w, double time) = 0;
        /// The first time after `time` at which these values may change for `who`; `never` when nothing moves.
        virtual double next_change(const sender& who, double time) = 0;
        /// A node that is farther than this (m) from a receiver does not interfere with it. With an infinite range places do
        /// not matter.
        virtual double range() const { return std::numeric_limits<double>::infinity(); }
        virtual position place_of(std::uint32_t /*node*/, double /*time*/) { return {}; }
        virtual position place_of_receiver(const sender&, double /*time*/) { return {}; }
    };
    /// \param model must outlive this object. \param one_band true: the links share one band; false: each has its own.
    radio_medium(event_queue& queue, channel_model& model, bool one_band)
        : queue_(queue)
        , model_(model)
        , one_band_(one_band)
        , nodes_(model.range())
        , receivers_(model.range()) {}
    void start(sender&, double bits) override;
    airtime_report stop(sender&) override;

private:
    using slot = std::uint32_t; ///< Place of a flow.
    struct transmitter {
        position where{};
        std::vector<slot> flows; ///< What it sends now.
    };
    struct flow {
        sender* who = nullptr; ///< Null: the slot is free.
        transmitter* from = nullptr;
        position receiver{};
        exact_power interference;
        double rate = 0, left = 0;
        double settled_at = 0, share_then = 0; ///< When the rest was brought up to date, and share_ then.
        airtime_report used;
        bool noticed = false; ///< It is in noticed_.
    };

    void begin_change();
    void settle(flow&);
    void notice(slot);
    void put_on_air(transmitter&, std::uint32_t node);
    void hear_others(flow&);
    void add(sender&, double bits);
    flow remove(slot);
    void move_all();
    void find_rates();
    void schedule_next();
    void step();

    event_queue& queue_;
    channel_model& model_;
    bool one_band_;
    std::vector<flow> flows_;
    std::vector<slot> free_;
    std::unordered_map<std::uint32_t, slot> slots_;          ///< By sender.
    std::unordered_map<std::uint32_t, transmitter> sending_; ///< By node.
    cell_grid nodes_, receivers_;      ///< The nodes that send; the flows, where they are received.
    tournament due_;                   ///< When each flow ends, with its rate of now.
    std::vector<slot> noticed_;        ///< Flows that need a new rate.
    double share_ = 0, shared_at_ = 0; ///< Integral over time of 1 / flows.
    double changes_at_ = never;        ///< Until then the powers are valid.
    double next_at_ = never;
    event_queue::ticket next_ = event_queue::no_ticket;
};

/// Links that divide the power of their sender, each in its own band.
class own_bands final : public radio_medium::channel_model {
public:
    double interference_w(const sender&, std::uint32_t, double) override { return 0.0; }
    double rate(const sender& who, double power_part, double, double time) override {
        return who.rate().rate_with(power_part, time);
    }
    double next_change(const sender& who, double time) override { return who.rate().next_change(time); }
};

} // namespace gaisnet
