#pragma once

#include "experiment/preparation.hpp"
#include "experiment/session.hpp"
#include "model/torch/backbone.hpp"
#include "results/rows.hpp"

#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A model to be compared.
struct judged_model {
    std::string name;    ///< See probe_row.
    tensor_view modules; ///< Tunables of the edge's model, float32 [elements]; empty: the untuned foundation model.
    std::uint32_t edge = 0;
    bool with_head = false; ///< Also evaluate its head, on domains with the same classes as the edge's.
};

/// Evaluates models on every domain of the workload (see probe_domains); each pair is evaluated by one rank. Every rank has
/// to call it; only rank 0 needs the models. \returns the rows at rank 0, by model and domain; empty elsewhere.
std::vector<probe_row> judge_models(const prepared_run&, std::shared_ptr<const model_backbone>, session&,
                                    std::vector<judged_model>, int round);

} // namespace gaisnet
