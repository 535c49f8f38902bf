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

/// Tuned modules as a safetensors file: one tensor per tunable, by name. The metadata contain the method with its
/// settings ("method", ...), the classes of the head ("classes", a JSON list) and the weights.
struct modules_file {
    std::filesystem::path path;
    std::map<std::string, std::string> metadata;
    std::vector<std::string> classes;
};

/// The metadata of tuning settings. \param rank that of the edge: the largest
std::map<std::string, std::string> metadata_of(const tuning_settings&, std::int64_t rank);
/// The settings (tuning.*) with which a file's modules were tuned, only those of its method, as text.
std::vector<std::pair<std::string, std::string>> settings_of(const modules_file&);

/// \throws usage_error for a file that is not a safetensors file, or was not written by `finetune`.
modules_file open_modules(const std::filesystem::path&);
/// Reads the values of `tunables`, float32 [elements]. \throws usage_error when one is missing or has another shape, or
/// when the file has more.
tensor_view read_modules(const modules_file&, const std::vector<tunable_spec>& tunables);
/// \param values float32 [elements], in the order of `tunables`. \throws runtime_failure
void write_modules(const std::filesystem::path&, const std::vector<tunable_spec>& tunables, const tensor_view& values,
                   std::map<std::string, std::string> metadata);

} // namespace gaisnet
