#pragma once

#include "base/distribution.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

double distance_m(const position&, const position&);

/// The position of a node over time.
class trajectory {
public:
    /// A node that does not move.
    explicit trajectory(position place = {}): start_(place) {}
    /// Random waypoint model: the node moves to a random point in the disc around `centre`, at a speed drawn for the
    /// leg, waits `pause` s, and so on. Every number is a function of (seed, name, leg).
    trajectory(position start, position centre, double radius_m, distribution speed_m_s, double pause_s,
               std::uint64_t seed, std::string name);
    /// Recorded points (s, m), connected by straight lines; the node rests before the first and after the last.
    explicit trajectory(std::vector<std::pair<double, position>> points);

    position at(double time) const;
    bool moves() const { return waypoints_ || points_.size() > 1; }

private:
    void extend() const;

    position start_;
    bool waypoints_ = false;
    position centre_;
    double radius_m_ = 0;
    distribution speed_;
    double pause_s_ = 0;
    std::uint64_t seed_ = 0;
    std::string name_;
    mutable std::vector<std::pair<double, position>> points_; ///< Waypoints that have been generated so far.
    mutable std::uint32_t legs_ = 0;
};

/// A uniformly distributed point in a disc.
position draw_in_disc(random_stream&, const position& centre, double radius_m);
/// Point `index` of `count` on a square lattice that fills the square of side 2 x half around `centre`; rows are
/// traversed in alternating directions.
position lattice_point(std::size_t index, std::size_t count, const position& centre, double half);

} // namespace gaisnet
