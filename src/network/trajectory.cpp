#include "network/trajectory.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gaisnet {

double distance_m(const position& a, const position& b) { return std::hypot(a.x - b.x, a.y - b.y); }

position draw_in_disc(random_stream& stream, const position& centre, double radius_m) {
    const double radius = radius_m * std::sqrt(stream.uniform());
    const double angle = 2.0 * std::numbers::pi * stream.uniform();
    return {centre.x + radius * std::cos(angle), centre.y + radius * std::sin(angle)};
}

position lattice_point(std::size_t index, std::size_t count, const position& centre, double half) {
    std::size_t side = 1;
    while (side * side < count) {
        ++side;
    }
    const std::size_t row = index / side, along = index % side;
    const std::size_t column = row % 2 == 0 ? along : side - 1 - along;
    const double step = 2.0 * half / static_cast<double>(side);
    return {centre.x - half + (static_cast<double>(column) + 0.5) * step,
            centre.y - half + (static_cast<double>(row) + 0.5) * step};
}

trajectory::trajectory(position start, position centre, double radius_m, distribution speed_m_s, double pause_s,
                       std::uint64_t seed, std::string name)
    : start_(start)
    , waypoints_(true)
    , centre_(centre)
    , radius_m_(radius_m)
    , speed_(std::move(speed_m_s))
    , pause_s_(pause_s)
    , seed_(seed)
    , name_(std::move(name))
    , points_{{0.0, start}} {}

trajectory::trajectory(std::vector<std::pair<double, position>> points)
    : start_(points.front().second)
    , points_(std::move(points)) {}

void trajectory::extend() const {
    random_stream stream(seed_, "mobility", name_, 0, legs_++);
    const auto [time, from] = points_.back();
    const auto to = draw_in_disc(stream, centre_, radius_m_);
    const double arrival = time + distance_m(from, to) / speed_.draw(stream);
    points_.emplace_back(arrival, to);
    if (pause_s_ > 0.0) {
        points_.emplace_back(arrival + pause_s_, to);
    }
}

position trajectory::at(double time) const {
    while (waypoints_ && points_.back().first <= time) {
        extend();
    }
    if (points_.empty() || time <= points_.front().first) {
        return start_;
    }
    const auto next = std::upper_bound(points_.begin(), points_.end(), time,
                                       [](double value, const auto& point) { return value < point.first; });
    if (next == points_.end()) {
        return points_.back().second;
    }
    const auto& [t1, b] = *next;
    const auto& [t0, a] = *(next - 1);
    const double part = (time - t0) / (t1 - t0);
    return {a.x + part * (b.x - a.x), a.y + part * (b.y - a.y)};
}

} // namespace gaisnet
