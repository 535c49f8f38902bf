#include "emulation/rate_model.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

double rate_model::finish_time(double start, double bits) const {
    constexpr int most_changes = 10'000'000;
    double time = start, left = bits;
    for (int change = 0; change < most_changes && time < never; ++change) {
        const double rate = rate_at(time), until = next_change(time);
        const double possible = rate * (until - time);
        if (rate > 0.0 && (until == never || left <= possible)) {
            return time + left / rate;
        }
        left -= rate > 0.0 ? possible : 0.0;
        time = until;
    }
    return never;
}

double rate_model::bits_between(double start, double end) const {
    double bits = 0.0;
    for (double time = start; time < end;) {
        const double until = std::min(end, next_change(time));
        bits += rate_at(time) * (until - time);
        time = until;
    }
    return bits;
}

double rate_model::time_on(double start, double end) const {
    double seconds = 0.0;
    for (double time = start; time < end;) {
        const double until = std::min(end, next_change(time));
        seconds += rate_at(time) > 0.0 ? until - time : 0.0;
        time = until;
    }
    return seconds;
}

traced_rate::place traced_rate::find(double time) const {
    double lap = 0.0;
    if (trace_->period_s > 0.0) {
        lap = std::floor(time / trace_->period_s) * trace_->period_s;
        if (time >= lap + trace_->period_s) { // rounding
            lap += trace_->period_s;
        }
    }
    const auto& times = trace_->times;
    auto next = std::upper_bound(times.begin(), times.end(), std::max(0.0, time - lap));
    // lap + times[i] must equal what next_change() returns; because of rounding, the difference above may lie just
    // before it.
    while (next != times.end() && lap + *next <= time) {
        ++next;
    }
    return {lap, static_cast<std::size_t>(next - times.begin()) - 1};
}

double traced_rate::rate_at(double time) const { return trace_->bits_per_second[find(time).step]; }

double traced_rate::next_change(double time) const {
    const auto [lap, step] = find(time);
    if (step + 1 < trace_->times.size()) {
        return lap + trace_->times[step + 1];
    }
    return trace_->period_s > 0.0 ? lap + trace_->period_s : never;
}

double slowest_rate::rate_with(double power_part, double time) const {
    double rate = never;
    for (const auto* part : parts_) {
        rate = std::min(rate, part->rate_with(power_part, time));
    }
    return rate;
}

double slowest_rate::next_change(double time) const {
    double change = never;
    for (const auto* part : parts_) {
        change = std::min(change, part->next_change(time));
    }
    return change;
}

} // namespace gaisnet
