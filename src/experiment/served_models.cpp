#include "experiment/served_models.hpp"
#include "transport/collectives.hpp"

#include "experiment/collected.hpp"
#include "model/files/tuned_modules.hpp"
#include "model/torch/class_means.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "network/population.hpp"
#include "scenario/scenario.hpp"

#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

namespace gaisnet {

namespace {

bool untuned(const scenario& scene) {
    return scene.infer.model.whose == served_model::untuned || scene.infer.modules.empty();
}

const std::string& file_of(const scenario& scene, std::size_t edge) {
    const auto& files = scene.infer.modules;
    return files.size() == 1 ? files.front() : files.at(edge);
}

/// The edge whose modules an edge uses.
std::size_t source_of(const scenario& scene, std::size_t edge) {
    return scene.infer.model.whose == served_model::other ? static_cast<std::size_t>(scene.infer.model.edge) : edge;
}

modules_file open(const scenario& scene, std::size_t edge) {
    try {
        return open_modules(file_of(scene, edge));
    } catch (const usage_error& problem) {
        throw usage_error(std::string("infer.modules: ") + problem.what());
    }
}

/// A head for an edge's classes, made from its training samples and a model's features.
tensor_view head_of_means(const prepared_run& run, const tuned_model& model, std::size_t edge) {
    constexpr std::int64_t least = 200;
    class_means means(run.deploy->domain_of(static_cast<std::uint32_t>(edge)).size.classes, model.dim());
    const c10::NoGradGuard no_grad;
    with_clear_errors([&] {
        run.data->for_each_batch(
            run.data->shares().set_of_edge(edge), true, std::max(least, run.scene->probe.samples),
            [&](const labelled_batch& batch) { means.add(model.features(batch).cpu(), to_torch(batch.labels)); });
    });
    return to_view(means.as_head().to(at::kFloat).contiguous());
}

} // namespace

std::string origin_of_models(const scenario& scene) {
    if (untuned(scene)) {
        return scene.infer.modules.empty() ? "the untuned foundation model (infer.modules is not set)"
                                           : "the untuned foundation model";
    }
    std::string text;
    for (std::size_t edge = 0; edge < static_cast<std::size_t>(scene.network.edges); ++edge) {
        text += (edge == 0 ? "" : ", ") + open(scene, source_of(scene, edge)).path.string();
    }
    return text;
}

void warn_of_batteries(std::span<const node_row> rows) {
    const auto empty = std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.battery_j <= 0.0; });
    if (empty > 0) {
        spdlog::warn("{} client(s) draw more than their battery holds; infer goes on as if they had mains", empty);
    }
}

configuration with_tuning_of_modules(const configuration& given) {
    auto out = given;
    const auto scene = read_scenario(given.values, service_kind::inference);
    if (untuned(scene)) {
        out.values["tuning.method"] = {scene.model.tells_next_tokens() ? "none" : "head",
                                       scene.infer.modules.empty() ? "no infer.modules" : "infer.model = untuned"};
        return out;
    }
    for (std::size_t edge = 0; edge < static_cast<std::size_t>(scene.network.edges); ++edge) {
        const auto file = open(scene, source_of(scene, edge));
        for (const auto& [key, value] : settings_of(file)) {
            auto& setting = out.values.at(key);
            const auto plain = [](std::string text) {
                std::erase(text, ' ');
                return text;
            };
            if (plain(setting.value) == plain(value)) {
                continue;
            }
            if (key == "tuning.rank" && value == std::to_string(largest_tuning_size(scene))) {
                continue; // a file has the largest rank, and clients the ranks that are drawn
            }
            // A config file may belong to another run, but what the user sets for this one must fit.
            const bool given_now = setting.source == "command line" || setting.source.starts_with("environment");
            const bool by_file = edge > 0 && setting.source == open(scene, source_of(scene, 0)).path.string();
            if (given_now || by_file) {
                throw usage_error(fmt::format("infer.modules: {} was tuned with {} = {}, but {} says {}",
                                              file.path.string(), key, value, setting.source, setting.value));
            }
            setting = {value, file.path.string()};
        }
    }
    return out;
}

std::vector<std::vector<std::string>> served_classes(const scenario& scene, const workload& data) {
    std::vector<std::vector<std::string>> all;
    for (std::size_t edge = 0; edge < static_cast<std::size_t>(scene.network.edges); ++edge) {
        const bool of_file = !scene.infer.images.empty() && !untuned(scene);
        all.push_back(of_file ? open(scene, source_of(scene, edge)).classes : data.shares().class_names(edge));
    }
    return all;
}

served_models load_served_models(const prepared_run& run, const loaded_backbone& backbone, session& here,
                                 bool make_heads) {
    const auto& scene = *run.scene;
    served_models out;
    out.from = origin_of_models(scene);
    out.classes = served_classes(scene, *run.data);
    std::vector<bool> needs_means;
    const bool tells_tokens = scene.model.tells_next_tokens();
    for (std::size_t edge = 0; edge < out.classes.size(); ++edge) {
        const auto& domain = run.deploy->domain_of(static_cast<std::uint32_t>(edge));
        if (untuned(scene)) {
            out.modules.push_back(initial_values(domain.tunables, scene.seed, backbone.weights));
            needs_means.push_back(!tells_tokens);
            continue;
        }
        const auto source = source_of(scene, edge);
        const auto file = open(scene, source);
        const auto tuned_on = file.metadata.find("weights_hash");
        if (here.root() && tuned_on != file.metadata.end() &&
            tuned_on->second != fmt::format("{:016x}", backbone.fingerprint())) {
            const auto name = file.metadata.find("weights");
            spdlog::warn("{} was tuned on other weights than model.weights = {}{}", file.path.string(),
                         scene.model.weights, name == file.metadata.end() ? "" : ": on a file called " + name->second);
        }
        const auto task = file.metadata.find("task");
        if (task != file.metadata.end() && (task->second == "next_token") != tells_tokens) {
            throw usage_error(fmt::format("infer.modules: {} was tuned with model.task = {}, and model.task is {} here",
                                          file.path.string(), task->second,
                                          tells_tokens ? "next_token" : "classification"));
        }
        const bool other_classes = !tells_tokens && file.classes != out.classes[edge];
        if (other_classes && scene.infer.model.whose == served_model::own) {
            throw usage_error(fmt::format("infer.modules: {} tells apart {}, but the samples of edge{} are {}; modules "
                                          "that were tuned on these classes, or infer.images, are accepted",
                                          file.path.string(), fmt::join(file.classes, ", "), edge,
                                          fmt::join(out.classes[edge], ", ")));
        }
        const auto its_classes = tells_tokens ? no_classes : static_cast<std::int64_t>(file.classes.size());
        const auto its_tunables = whole_model(run.deploy->model, run.deploy->method, its_classes).tunables();
        tensor_view values;
        try {
            values = read_modules(file, its_tunables);
        } catch (const usage_error& problem) {
            throw usage_error(std::string("infer.modules: ") + problem.what());
        }
        if (other_classes) { // all values except the head's, which come last
            auto mine = tensor_view::allocate({domain.elements});
            std::memset(mine.data, 0, mine.bytes());
            std::memcpy(mine.data, values.data, static_cast<std::size_t>(domain.shared_elements) * sizeof(float));
            values = std::move(mine);
        }
        out.modules.push_back(std::move(values));
        needs_means.push_back(other_classes);
    }
    here.note("means of classes");
    for (std::size_t edge = 0; edge < out.modules.size(); ++edge) {
        if (!needs_means[edge] || !make_heads) {
            continue;
        }
        const auto& domain = run.deploy->domain_of(static_cast<std::uint32_t>(edge));
        if (here.root()) {
            spdlog::info("edge{}: the head is made of class means of its training samples", edge);
            tuned_model model(backbone.backbone, run.deploy->method, domain.size.classes);
            model.load(out.modules[edge]);
            const auto head = head_of_means(run, model, edge);
            auto whole = tensor_view::allocate({domain.elements});
            std::memcpy(whole.data, out.modules[edge].data, whole.bytes());
            std::memcpy(whole.as<float>() + domain.shared_elements, head.data, head.bytes());
            out.modules[edge] = std::move(whole);
        }
    }
    out.modules = share_from_root(here.network(), out.modules);
    return out;
}

} // namespace gaisnet
