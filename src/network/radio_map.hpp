#pragma once

#include "emulation/event.hpp"
#include "emulation/rate_model.hpp"
#include "network/trajectory.hpp"
#include "scenario/scenario.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A node's antennas and powers.
struct radio_site {
    std::string name;
    std::vector<trajectory> antennas;              ///< One, or all access points of an edge without cells.
    std::array<double, link_classes> radiated_w{}; ///< By link_class; divided over the antennas.
};

/// The state of one radio link at one time.
struct radio_state {
    double distance_m = 0;   ///< To the nearest antenna.
    double path_loss_db = 0; ///< With shadowing and antenna gains, for the nearest antenna.
    double snr = 0;          ///< Over all antennas.
    double rate_bit_s = 0;
};

/// Positions and propagation: the rate of every radio link. Every random number depends only on the seed and the names
/// of the two nodes, so both directions have the same channel.
class radio_map {
public:
    /// \param step_s how often rates are updated for movement.
    radio_map(std::uint64_t seed, double step_s, std::vector<radio_site> sites)
        : seed_(seed)
        , step_s_(step_s)
        , sites_(std::move(sites)) {}

    /// Mean channel of a link, without fading. \param bandwidth_hz its band.
    radio_state state(link_class, const radio_settings&, std::uint32_t from, std::uint32_t to, double bandwidth_hz,
                      double time) const;
    /// Distance (m) up to which a link of a node carries a rate, with the path loss alone: no shadowing or fading. The nearest
    /// antenna counts, with all the power of the node.
    double reach_m(link_class, const radio_settings&, std::uint32_t from, double bandwidth_hz, double rate_bit_s) const;
    /// Power (W) that `to` receives from `from` in round `round`, with fading.
    double received_w(link_class, const radio_settings&, std::uint32_t from, std::uint32_t to, std::uint32_t round,
                      double time) const;
    /// The rate of a link in a round. \param self must outlive it.
    static std::unique_ptr<rate_model> rate(std::shared_ptr<const radio_map> self, link_class, const radio_settings&,
                                            std::uint32_t from, std::uint32_t to, double bandwidth_hz,
                                            std::uint32_t round);
    /// Distance between the nearest antennas, m.
    double distance(std::uint32_t from, std::uint32_t to, double time) const;
    bool moves(std::uint32_t node) const;
    position place(std::uint32_t node, double time) const { return sites_[node].antennas.front().at(time); }
    double step_s() const { return step_s_; }
    /// Number of the step that contains a time; (step + 1) x step_s is later than the time, even with rounding.
    double step_of(double time) const;

private:
    /// Gain of the path between antenna `a` of one node and antenna `b` of the other.
    double gain(link_class, const radio_settings&, std::uint32_t from, std::size_t a, std::uint32_t to, std::size_t b,
                double distance) const;
    std::string pair_name(link_class, std::uint32_t from, std::size_t a, std::uint32_t to, std::size_t b) const;
    double radiated_w(link_class, std::uint32_t from) const;

    std::uint64_t seed_;
    double step_s_;
    std::vector<radio_site> sites_;
};

} // namespace gaisnet
