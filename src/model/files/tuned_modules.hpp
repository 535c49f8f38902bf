#pragma once

#include "base/tensor_view.hpp"
#include "model/tuning_method.hpp"
#include "scenario/tuning.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// Tuned modules as a safetensors file: one tensor for each tunable by its name, and metadata that say how they were
/// tuned ("method" and its settings), what the head tells apart ("classes", a JSON list) and on which weights.
struct modules_file {
    std::filesystem::path path;
    std::map<std::string, std::string> metadata;
    std::vector<std::string> classes;
};

/// The metadata of tuning settings.
std::map<std::string, std::string> metadata_of(const tuning_settings&);
/// Settings of a scenario (tuning.*) that a file's modules were tuned with, those of its method only, as text.
std::vector<std::pair<std::string, std::string>> settings_of(const modules_file&);

/// \throws usage_error for a file that is no safetensors file, or was not written by `finetune`.
modules_file open_modules(const std::filesystem::path&);
/// Values of `tunables`, float32 [elements], from the file. \throws usage_error when one is missing, has another shape,
/// or the file has more.
tensor_view read_modules(const modules_file&, const std::vector<tunable_spec>& tunables);
/// \param values float32 [elements] of `tunables`. \throws runtime_failure
void write_modules(const std::filesystem::path&, const std::vector<tunable_spec>& tunables, const tensor_view& values,
                   std::map<std::string, std::string> metadata);

} // namespace gaisnet
