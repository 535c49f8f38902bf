#include "scenario/run.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <charconv>

namespace gaisnet {

std::uint64_t run_settings::parse_seed(const std::string& text) {
    std::uint64_t seed = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (code != std::errc{} || end != text.data() + text.size()) {
        throw usage_error("a whole number from 0 to 18446744073709551615 is accepted");
    }
    return seed;
}

double run_settings::parse_events(const std::string& text) {
    if (text == "on" || text == "off") {
        return text == "on" ? 1.0 : 0.0;
    }
    double part = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), part);
    if (code != std::errc{} || end != text.data() + text.size() || !(part > 0.0 && part < 1.0)) {
        throw usage_error("on, off, or a part of the clusters between 0 and 1 is accepted");
    }
    return part;
}

fusion_rule runtime_settings::parse_fusion(const std::string& text) {
    if (text == "auto") {
        return {};
    }
    if (text == "off") {
        return {false, 1};
    }
    int clusters = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), clusters);
    if (code != std::errc{} || end != text.data() + text.size() || clusters < 1) {
        throw usage_error("off, auto, or a number of clusters from 1 is accepted");
    }
    return {false, clusters};
}

void check_run(scenario& scene, const value_reader& in) {
    if (scene.compute.device == device_choice::cpu && scene.compute.precision == compute_precision::tf32) {
        in.reject("precision", "device = cpu has no TF32; fp32 and bf16 are accepted");
    }
    if (scene.job.ranks > 0 && scene.job.ranks < scene.job.nodes) {
        in.reject("job.nodes", "job.ranks = " + std::to_string(scene.job.ranks) +
                                   ": a computer without a rank has nothing to do; at most that many are accepted");
    }
    for (const auto* key : {"device.edge.factor", "device.client.factor", "device.cloud.factor"}) {
        if (scene.computing == compute_model::by_rate && in.is_changed(key)) {
            in.reject(key, "it belongs to compute = measured, and compute is model");
        }
    }
    if (scene.clock == clock_kind::real && !in.is_changed("runtime.active_clusters")) {
        scene.runtime.active_clusters =
            std::max(1, first_cluster_of(scene, scene.network.edges)); // they train at the same time
    }
    if (const auto& fuse = scene.runtime.fuse; !fuse.automatic && fuse.clusters > 1) {
        if (scene.clock == clock_kind::real) {
            in.reject("runtime.fuse",
                      "with clock = real each cluster goes on when its own messages arrive, so none waits "
                      "to compute with others; off or auto is accepted");
        }
        if (scene.tuning.method == "full") {
            in.reject("runtime.fuse", "tuning.method = full: clusters have no frozen weights in common; off or auto is "
                                      "accepted");
        }
    }
    if (scene.runtime.merge_micro_batches && scene.clock == clock_kind::real) {
        in.reject("runtime.merge_micro_batches",
                  "with clock = real each micro-batch is computed when it is due; off is accepted");
    }
    for (const auto* key : {"time_scale", "strict_fidelity", "fidelity.tolerance"}) {
        if (scene.clock == clock_kind::virtual_time && in.is_changed(key)) {
            in.reject(key, "it belongs to clock = real, and clock is virtual");
        }
    }
    if (scene.output.empty()) {
        in.reject("output", "a path is accepted");
    }
}

} // namespace gaisnet
