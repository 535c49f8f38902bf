#pragma once

#include "rounds/ledger_run.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// Measured speed of this computer on stages of one shape, in FLOP/s by the FLOPs that the ledger counts; 0: there is
/// no such work.
struct stage_speed {
    std::string shape; ///< See shape_of.
    double forward_flop_s = 0, backward_flop_s = 0, step_flop_s = 0;
};

/// Describes a stage; stages with the same text cost the same: "embedding, 2 blocks, head of 5; gradient in; all tokens
/// out".
std::string shape_of(const stage_spec&);

/// `compute = measured`: from now on the ledger uses these speeds, times device.*.factor, instead of device.*.rate.
void use_speeds(deployment&, const std::vector<stage_speed>&);

/// Converts speeds to text for a checkpoint, and back. \throws usage_error when the text is damaged.
std::string speeds_text(const std::vector<stage_speed>&);
std::vector<stage_speed> read_speeds(const std::string&);

/// Estimates the smallest time_scale that the ranks can keep in a round at their measured speeds. Each rank computes
/// one thing at a time, in the ledger's order and not before its time. It must finish before the next message of its
/// node is due at the receiver, or at most `tolerance_s` of real time later. Ignores transports, loading of samples and
/// averages.
double smallest_time_scale(const deployment&, const std::vector<int>& rank_of, const round_forecast&,
                           const std::vector<stage_speed>&, double tolerance_s = 0.0);

} // namespace gaisnet
