#pragma once

#include "base/distribution.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

double distance_m(const position&, const position&);

/// Where a node is over time.
class trajectory {
public:
    /// It stays.
    explicit trajectory(position place = {}): start_(place) {}
    /// Random waypoint: it goes to a random point of the disc about `centre` at a speed drawn for the leg, waits `pause`
    /// s, and so on. Every number is a function of (seed, name, leg).
    trajectory(position start, position centre, double radius_m, distribution speed_m_s, double pause_s,
               std::uint64_t seed, std::string name);
    /// Recorded points (s, m), straight lines between them; before the first and behind the last it stands still.
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
    mutable std::vector<std::pair<double, position>> points_; ///< Of waypoints as far as they were asked for.
    mutable std::uint32_t legs_ = 0;
};

/// A point of a disc, all as likely.
position draw_in_disc(random_stream&, const position& centre, double radius_m);
/// Point `index` of `count` on a square lattice that fills the square of side 2 x half about `centre`, row by row to and
/// fro.
position lattice_point(std::size_t index, std::size_t count, const position& centre, double half);

} // namespace gaisnet
