#pragma once

#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "model/torch/backbone.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/stage_speed.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace gaisnet {

/// Times every shape of stage of a deployment on this rank, with random data of a micro-batch's size. Uses CPU time if
/// there is one thread, so that other processes do not matter, otherwise wall time; takes the fastest of several
/// repetitions.
std::vector<stage_speed> measure_stages(const deployment&, std::shared_ptr<const model_backbone>);
/// Measures what this computer can do, if that is needed: for `compute = measured`, where the deployment uses the
/// speeds, or for the real clock, to know which time scale the ranks can keep. Every rank has to call it. \param clock
/// null unless `clock = real`. \param from a checkpoint whose speeds are used instead. \returns the speeds at rank 0.
/// \throws usage_error on GPUs.
std::vector<stage_speed> measure_as_wanted(const prepared_run&, session&, const loaded_backbone&,
                                           const real_clock* clock, const std::optional<checkpoint>& from);
/// Runs every shape of stage once with random data, so that a GPU's kernels are loaded and its libraries have chosen
/// their algorithms before the first round. \throws runtime_failure when the GPU's memory is too small.
void warm_up(const deployment&, std::shared_ptr<const model_backbone>);
/// The same for inference only, with batches of these sizes.
void warm_up(const deployment&, std::shared_ptr<const model_backbone>, const std::set<std::int64_t>& batches);

/// FLOP/s of this computer on a whole chain of the deployment's first cluster, forward and backward.
double measure_chain(const deployment&, std::shared_ptr<const model_backbone>);

/// What messages between two ranks take.
struct measured_link {
    double latency_s = 0, rate_bit_s = 0;
};
/// Between ranks 0 and 1, by messages that go to and fro; at rank 0. Every rank has to call it.
measured_link measure_link(transport&);

} // namespace gaisnet
