#pragma once

#include "rounds/ledger_run.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// How fast this computer really works on stages of one shape, FLOP/s by the FLOPs that the ledger counts; 0: it has no
/// such work.
struct stage_speed {
    std::string shape; ///< See shape_of.
    double forward_flop_s = 0, backward_flop_s = 0, step_flop_s = 0;
};

/// Stages with the same text cost the same: "embedding, 2 blocks, head of 5; gradient in; all tokens out".
std::string shape_of(const stage_spec&);

/// `compute = measured`: from now on the ledger takes these speeds, times device.*.factor, in place of device.*.rate.
void use_speeds(deployment&, const std::vector<stage_speed>&);

/// As text, for a checkpoint, and back. \throws usage_error when it is damaged.
std::string speeds_text(const std::vector<stage_speed>&);
std::vector<stage_speed> read_speeds(const std::string&);

/// The smallest time_scale that the ranks can keep in a round, by their measured speeds: each rank computes one thing at a
/// time, in the ledger's order and not before its time, and has to be done when the next message of its node is due at
/// the other end, or `tolerance_s` of real time later. An estimate: transports, loading of samples and averages are left
/// out.
double smallest_time_scale(const deployment&, const std::vector<int>& rank_of, const round_forecast&,
                           const std::vector<stage_speed>&, double tolerance_s = 0.0);

} // namespace gaisnet
