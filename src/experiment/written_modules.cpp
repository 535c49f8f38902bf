#include "experiment/written_modules.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "experiment/output_paths.hpp"
#include "model/files/tuned_modules.hpp"
#include "network/population.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <utility>

namespace gaisnet {

std::string write_tuned_modules(const prepared_run& run, const loaded_backbone& backbone, std::uint32_t edge,
                                const tensor_view& model) {
    const auto path = modules_path(*run.scene, static_cast<int>(edge));
    auto metadata = metadata_of(run.scene->tuning, largest_tuning_size(*run.scene));
    metadata["task"] = run.scene->model.tells_next_tokens() ? "next_token" : "classification";
    metadata["classes"] = nlohmann::json(run.data->shares().class_names(edge)).dump();
    metadata["weights"] = valid_utf8(std::filesystem::path(run.scene->model.weights).filename().string());
    metadata["weights_hash"] = fmt::format("{:016x}", backbone.fingerprint());
    write_modules(path, run.deploy->domain_of(edge).tunables, model, std::move(metadata));
    return path.string();
}

} // namespace gaisnet
