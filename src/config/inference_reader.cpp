#include "config/inference_reader.hpp"

#include "config/trace_files.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

void read_arrivals(const value_reader& in, scenario& out) {
    auto& infer = out.infer;
    constexpr std::int64_t most_requests = 10'000'000;
    infer.requests = in.integer("infer.requests", 1, most_requests);
    infer.arrivals = in.choice<arrival_kind>(
        "infer.arrivals",
        {{"poisson", arrival_kind::poisson}, {"burst", arrival_kind::burst}, {"trace", arrival_kind::trace}});
    infer.rate = in.real("infer.rate", 0.0, 1e9, true);
    const bool by_trace = infer.arrivals == arrival_kind::trace;
    if (by_trace == in.path("infer.trace").empty()) {
        in.reject("infer.trace",
                  by_trace ? "infer.arrivals = trace needs a file of times" : "it goes with infer.arrivals = trace");
    }
    if (by_trace) {
        infer.trace = in.read_file<std::shared_ptr<const request_trace>>("infer.trace", read_request_trace);
        if (in.is_changed("infer.requests")) {
            in.reject("infer.requests", "infer.arrivals = trace: the file says how many there are");
        }
    }
    if (infer.arrivals != arrival_kind::poisson && in.is_changed("infer.rate")) {
        in.reject("infer.rate", "it belongs to infer.arrivals = poisson");
    }
}

void read_model(const value_reader& in, scenario& out) {
    auto& infer = out.infer;
    infer.modules = in.paths("infer.modules");
    const auto edges = static_cast<std::size_t>(out.network.edges);
    if (std::find(infer.modules.begin(), infer.modules.end(), "") != infer.modules.end()) {
        in.reject("infer.modules", "between two commas there is no file");
    }
    if (infer.modules.size() > 1 && infer.modules.size() != edges) {
        in.reject("infer.modules", std::to_string(infer.modules.size()) + " files for " + std::to_string(edges) +
                                       " edge(s): one for each edge, or one for all, is accepted");
    }
    const auto& model = in.text("infer.model");
    if (model == "own" || model == "untuned") {
        infer.model = model == "own" ? served_model::own : served_model::untuned;
    } else {
        if (model.empty() || model.find_first_not_of("0123456789") != std::string::npos) {
            in.reject("infer.model", "own, untuned, or the number of an edge is accepted");
        }
        infer.model = served_model::other;
        infer.model_edge = static_cast<int>(in.whole("infer.model", model, 0, out.network.edges - 1));
    }
    if (infer.model == served_model::other && infer.modules.empty()) {
        in.reject("infer.model", "there is no model of an edge without infer.modules");
    }
    infer.images = in.path("infer.images");
    if (!infer.images.empty() && infer.arrivals == arrival_kind::trace) {
        in.reject("infer.images",
                  "each image is one request, and infer.trace has requests of its own: infer.arrivals = "
                  "poisson or burst is accepted");
    }
    if (!infer.images.empty() && in.is_changed("infer.requests")) {
        in.reject("infer.requests", "with infer.images each image is one request");
    }
}

} // namespace

void read_inference(const value_reader& in, scenario& out) {
    read_arrivals(in, out);
    read_model(in, out);
    out.infer.deadline_s = in.text("infer.deadline").empty() ? 0.0 : in.quantity("infer.deadline", true);
    out.infer.batch = in.count("infer.batch", 1);
    out.infer.in_flight = in.count("infer.in_flight", 0);
    out.infer.delivery = in.choice<delivery_kind>(
        "delivery",
        {{"tunable", delivery_kind::tunable}, {"full", delivery_kind::full}, {"none", delivery_kind::none}});
}

} // namespace gaisnet
