#pragma once

#include "experiment/session.hpp"
#include "settings/options.hpp"

namespace gaisnet {

/// Hybrid federated split fine-tuning: the edge-client half of the workflow. Every rank has to call it.
exit_code finetune(const command_line&, session&);

/// Inference over chains: requests of start points are answered by the stages of their clusters. Every rank has to call
/// it.
exit_code infer(const command_line&, session&);

/// Rounds of service: in each one edge's model is fine-tuned, or a client's requests are answered. Every rank has to
/// call it.
exit_code serve(const command_line&, session&);

/// What finetune would cost, without training.
exit_code plan(const command_line&, session&);

/// Prints the speed of this computer, and of the link between two ranks, as settings. Every rank has to call it.
exit_code calibrate(const command_line&, session&);

/// Trains a small foundation model on procedural images and writes it as safetensors. Every rank has to call it.
exit_code pretrain(const command_line&, session&);

} // namespace gaisnet
