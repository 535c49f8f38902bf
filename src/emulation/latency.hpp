#pragma once

#include "base/registry.hpp"
#include "emulation/event.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// A part of a round's latency. One statement: rows, sums, the end table, the columns of /rounds and the readers of
/// results follow from it.
///
///     const registration<latency_part> registered_labels{
///         {"labels", 35, "labels", "labels on their way along the chain",
///          [](const event_row& event, std::uint32_t) { return event.kind == event_kind::send_label; }}};
struct latency_part {
    const char* name; ///< "d2d": the column is d2d_s.
    int order;        ///< Of columns and lines.
    const char* label;
    const char* description; ///< Of the column, behind "Part of latency_s: ".
    /// Whether an event on the critical path belongs to it; the first part in order that holds an event has it. nullptr:
    /// it is not made of a round's events.
    bool (*holds)(const event_row&, std::uint32_t edge);
    bool only_when_used = false; ///< The end table leaves out a line of 0 s.
};

/// A part of a request's latency, likewise; inference_ledger says how long each was.
struct request_part {
    const char* name;
    int order;
    const char* label;
    const char* description;
};

/// Seconds of each part that is registered.
template <typename Part>
class seconds_by_part {
public:
    static constexpr std::size_t most = 16;

    /// Parts in their order.
    static const std::vector<const Part*>& parts() {
        static const auto all = [] {
            auto list = registry<Part>::all();
            ensure(list.size() <= most, "at most 16 parts of a latency");
            std::stable_sort(list.begin(), list.end(),
                             [](const auto* a, const auto* b) { return a->order < b->order; });
            return list;
        }();
        return all;
    }

    double& operator[](std::string_view name) { return seconds_[index_of(name)]; }
    double operator[](std::string_view name) const { return seconds_[index_of(name)]; }
    /// \param index in the order of parts()
    double& at(std::size_t index) { return seconds_.at(index); }
    double at(std::size_t index) const { return seconds_.at(index); }
    seconds_by_part& operator+=(const seconds_by_part& other) {
        for (std::size_t i = 0; i < most; ++i) {
            seconds_[i] += other.seconds_[i];
        }
        return *this;
    }
    double total() const {
        double sum = 0.0;
        for (const double part : seconds_) {
            sum += part;
        }
        return sum;
    }

private:
    static std::size_t index_of(std::string_view name) {
        const auto& all = parts();
        const auto found = std::find_if(all.begin(), all.end(), [&](const Part* part) { return part->name == name; });
        ensure(found != all.end(), "a part of a latency is registered");
        return static_cast<std::size_t>(found - all.begin());
    }

    std::array<double, most> seconds_{};
};

using latency_parts = seconds_by_part<latency_part>;
using request_parts = seconds_by_part<request_part>;

/// Index of the part that has an event of the critical path of an edge's round.
std::size_t latency_part_of(const event_row&, std::uint32_t edge);

} // namespace gaisnet
