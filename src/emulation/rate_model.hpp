#pragma once

#include <limits>
#include <memory>
#include <vector>

namespace gaisnet {

constexpr double never = std::numeric_limits<double>::infinity();

/// The rate of a link over time when it has its medium to itself: piecewise constant. To add a link model, derive from
/// this class.
class rate_model {
public:
    virtual ~rate_model() = default;
    /// Rate (bit/s) from `time` (s) on.
    virtual double rate_at(double time) const = 0;
    /// Rate (bit/s) with a part of the sender's power: lower for a radio link, unchanged for any other link.
    virtual double rate_with(double power_part, double time) const {
        static_cast<void>(power_part);
        return rate_at(time);
    }
    /// The first time after `time` at which the rate may change; `never` when it stays constant.
    virtual double next_change(double time) const = 0;
    /// The time at which `bits` have been sent if sending starts at `start` (s): the integral of the rate from `start`
    /// to the result is `bits`. `never` when that takes more than ten million changes of the rate.
    virtual double finish_time(double start, double bits) const;
    /// The integral of the rate from `start` to `end`.
    virtual double bits_between(double start, double end) const;
    /// Time between `start` and `end` during which the rate is above 0.
    virtual double time_on(double start, double end) const;
};

/// A rate that never changes.
class constant_rate final : public rate_model {
public:
    explicit constant_rate(double bits_per_second): bits_per_second_(bits_per_second) {}
    double rate_at(double) const override { return bits_per_second_; }
    double next_change(double) const override { return never; }
    double finish_time(double start, double bits) const override { return start + bits / bits_per_second_; }
    double bits_between(double start, double end) const override { return (end - start) * bits_per_second_; }
    double time_on(double start, double end) const override { return end - start; }

private:
    double bits_per_second_;
};

/// A recorded rate.
struct rate_trace {
    std::vector<double> times;           ///< s, ascending, the first is 0.
    std::vector<double> bits_per_second; ///< Rate from the time with the same index on; at least one is above 0.
    double period_s = 0;                 ///< The trace repeats after it; 0: the last rate, above 0, stays for ever.
};

class traced_rate final : public rate_model {
public:
    explicit traced_rate(std::shared_ptr<const rate_trace> trace): trace_(std::move(trace)) {}
    double rate_at(double time) const override;
    double next_change(double time) const override;

private:
    struct place {
        double lap; ///< When the current repetition began.
        std::size_t step;
    };
    place find(double time) const;

    std::shared_ptr<const rate_trace> trace_;
};

/// Another rate model, multiplied by a factor.
class scaled_rate final : public rate_model {
public:
    scaled_rate(std::unique_ptr<rate_model> whole, double factor): whole_(std::move(whole)), factor_(factor) {}
    double rate_at(double time) const override { return factor_ * whole_->rate_at(time); }
    double rate_with(double power_part, double time) const override {
        return factor_ * whole_->rate_with(power_part, time);
    }
    double next_change(double time) const override { return whole_->next_change(time); }

private:
    std::unique_ptr<rate_model> whole_;
    double factor_;
};

/// The minimum of several rates at each time: the speed that all receivers of a multicast can follow.
class slowest_rate final : public rate_model {
public:
    /// \param parts at least one; they must outlive this object.
    explicit slowest_rate(std::vector<const rate_model*> parts): parts_(std::move(parts)) {}
    double rate_at(double time) const override { return rate_with(1.0, time); }
    double rate_with(double power_part, double time) const override;
    double next_change(double time) const override;

private:
    std::vector<const rate_model*> parts_;
};

} // namespace gaisnet
