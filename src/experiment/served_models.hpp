#pragma once

#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "experiment/session.hpp"
#include "settings/configuration.hpp"

#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// Sets tuning.* to the values with which the modules of infer.modules were tuned; without modules, or for the untuned
/// model, only a head is delivered. \throws usage_error when the user has set other values.
configuration with_tuning_of_modules(const configuration&);

/// Where the models that answer requests come from, for messages. \throws usage_error
std::string origin_of_models(const scenario&);

/// Warns of clients that draw more than their battery holds in a session.
void warn_of_batteries(std::span<const node_row>);

/// The models that answer requests.
struct served_models {
    std::vector<tensor_view> modules;              ///< Indexed by edge; float32 [elements of its domain's tunables].
    std::vector<std::vector<std::string>> classes; ///< Indexed by edge: the classes that its model distinguishes.
    std::string from;                              ///< See origin_of_models().
};

/// The classes of each edge's model: those of its modules if the user's own images are classified, otherwise those of
/// its data.
std::vector<std::vector<std::string>> served_classes(const scenario&, const workload&);

/// Reads modules from files. A model without a head for an edge's classes (the untuned model, or that of another edge
/// with other classes) gets one from the class means of the edge's training samples (see class_means). Every rank has
/// to call it. \param make_heads false: for a forecast, which needs no values. \throws usage_error for files that do
/// not fit.
served_models load_served_models(const prepared_run&, const loaded_backbone&, session&, bool make_heads = true);

} // namespace gaisnet
