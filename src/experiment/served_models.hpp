#pragma once

#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "experiment/session.hpp"
#include "settings/configuration.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// A command line whose tuning.* are those with which the modules of infer.modules were tuned; without modules, or for
/// the untuned model, only a head is delivered. \throws usage_error when the user has given other values.
configuration with_tuning_of_modules(const configuration&);

/// What answers requests.
struct served_models {
    std::vector<tensor_view> modules;              ///< By edge, float32 [elements of its domain's tunables].
    std::vector<std::vector<std::string>> classes; ///< By edge: what its model tells apart.
    std::string from;                              ///< For people.
};

/// The classes of each edge's model: those of its modules when the user's own images are classified, else its data's.
std::vector<std::vector<std::string>> served_classes(const scenario&, const workload&);

/// Reads modules from files. A model without a head for an edge's classes (the untuned one, or that of another edge
/// with other classes) gets one made of the means of the edge's training samples (see class_means). Every rank has to
/// call it. \param make_heads false: for a forecast, values do not matter. \throws usage_error for files that do not
/// fit.
served_models load_served_models(const prepared_run&, const loaded_backbone&, session&, bool make_heads = true);

} // namespace gaisnet
