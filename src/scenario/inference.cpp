#include "scenario/inference.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

void check_arrivals(const inference_settings& infer, const value_reader& in) {
    const bool by_trace = infer.arrivals == arrival_kind::trace;
    if (by_trace != in.is_set("infer.trace")) {
        in.reject("infer.trace",
                  by_trace ? "infer.arrivals = trace needs a file of times" : "it goes with infer.arrivals = trace");
    }
    if (by_trace && in.is_changed("infer.requests")) {
        in.reject("infer.requests", "infer.arrivals = trace: the file says how many there are");
    }
    if (infer.arrivals != arrival_kind::poisson && in.is_changed("infer.rate")) {
        in.reject("infer.rate", "it belongs to infer.arrivals = poisson");
    }
    if (by_trace && !infer.images.empty()) {
        in.reject("infer.images",
                  "each image is one request, and infer.trace has requests of its own: infer.arrivals = "
                  "poisson or burst is accepted");
    }
    if (!infer.images.empty() && in.is_changed("infer.requests")) {
        in.reject("infer.requests", "with infer.images each image is one request");
    }
    if (!infer.prompts.empty() && (by_trace || in.is_changed("infer.requests"))) {
        in.reject(by_trace ? "infer.trace" : "infer.requests", "with infer.prompts each prompt is one request");
    }
}

} // namespace

served_choice inference_settings::parse_model(const std::string& text) {
    if (text == "own" || text == "untuned") {
        return {text == "own" ? served_model::own : served_model::untuned};
    }
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
        throw usage_error("own, untuned, or the number of an edge is accepted");
    }
    return {served_model::other, static_cast<int>(parse_integer(text, at_least(0)))};
}

void check_inference(scenario& scene, const value_reader& in) {
    if (!scene.model.tells_next_tokens()) {
        scene.infer.prompts.clear();
    }
    const auto& infer = scene.infer;
    if (scene.model.takes_texts() && !infer.images.empty()) {
        in.reject("infer.images", "model.family = " + scene.model.family + " takes texts");
    }
    check_arrivals(infer, in);
    if (std::find(infer.modules.begin(), infer.modules.end(), "") != infer.modules.end()) {
        in.reject("infer.modules", "between two commas there is no file");
    }
    const auto edges = static_cast<std::size_t>(scene.network.edges);
    if (infer.modules.size() > 1 && infer.modules.size() != edges) {
        in.reject("infer.modules", std::to_string(infer.modules.size()) + " files for " + std::to_string(edges) +
                                       " edge(s): one for each edge, or one for all, is accepted");
    }
    if (infer.model.edge >= scene.network.edges) {
        in.reject("infer.model",
                  "a whole number from 0 to " + std::to_string(scene.network.edges - 1) + " is accepted");
    }
    if (infer.model.whose == served_model::other && infer.modules.empty()) {
        in.reject("infer.model", "there is no model of an edge without infer.modules");
    }
}

} // namespace gaisnet
