#pragma once

#include "base/position.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// Things on a plane, by square cells, so that those near a place are found without looking at all of them.
class cell_grid {
public:
    /// \param side of a cell, m; infinite: one cell holds everything.
    explicit cell_grid(double side): side_(side) {}

    void add(std::uint32_t thing, const position& where) { cells_[key(cell(where))].push_back(thing); }
    /// \param where it was added
    void remove(std::uint32_t thing, const position& where) {
        auto& all = cells_.at(key(cell(where)));
        *std::find(all.begin(), all.end(), thing) = all.back();
        all.pop_back();
    }
    void clear() { cells_.clear(); }

    /// Calls visit(thing) for all that are no farther than a side from a place, and some that are.
    template <class Visit>
    void near(const position& where, const Visit& visit) const {
        const int steps = std::isfinite(side_) ? 1 : 0;
        const auto centre = cell(where);
        for (int x = -steps; x <= steps; ++x) {
            for (int y = -steps; y <= steps; ++y) {
                if (const auto found = cells_.find(key({centre[0] + x, centre[1] + y})); found != cells_.end()) {
                    for (const auto thing : found->second) {
                        visit(thing);
                    }
                }
            }
        }
    }

private:
    using whole = std::array<std::int64_t, 2>;
    whole cell(const position& where) const {
        return {static_cast<std::int64_t>(std::floor(where.x / side_)),
                static_cast<std::int64_t>(std::floor(where.y / side_))};
    }
    static std::uint64_t key(const whole& cell) {
        constexpr int half = 32;
        return (static_cast<std::uint64_t>(cell[0]) << half) | static_cast<std::uint32_t>(cell[1]);
    }

    double side_;
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> cells_;
};

} // namespace gaisnet
