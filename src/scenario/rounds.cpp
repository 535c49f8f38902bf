#include "scenario/rounds.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

closing_rule round_settings::parse(const std::string& text) {
    const auto measures = [&](dimension what, double& value) {
        try {
            value = parse_quantity(text, what);
            return true;
        } catch (const usage_error&) {
            return false;
        }
    };
    closing_rule rule;
    if (text == "all") {
        return rule;
    }
    if (measures(dimension::number, rule.fraction) && rule.fraction > 0.0 && rule.fraction <= 1.0) {
        rule.wait = wait_kind::fraction;
    } else if (rule.fraction == 1.0 && measures(dimension::time, rule.deadline_s) && rule.deadline_s > 0.0) {
        rule.wait = wait_kind::deadline;
    } else {
        throw usage_error("all, a part above 0 and at most 1, or a time above 0 is accepted");
    }
    return rule;
}

std::vector<scheduled_dropout> dropout_settings::parse_schedule(const std::string& text) {
    std::vector<scheduled_dropout> schedule;
    for (const auto& entry : split_text(text, ',')) {
        const auto at = entry.find('@');
        if (at == std::string::npos || at == 0) {
            throw usage_error("\"" + entry + "\": CLIENT@ROUND is accepted, for example c0.1@3.5");
        }
        schedule.push_back({entry.substr(0, at), parse_number(entry.substr(at + 1), at_least(1))});
    }
    return schedule;
}

void check_rounds(const scenario& scene, const value_reader& in) {
    using enum scheme_kind;
    for (const auto& lost : scene.dropout.schedule) {
        if (lost.round > scene.train.rounds + 1.0) {
            in.reject("dropout.schedule", "a round of at least 1 and at most " +
                                              std::to_string(scene.train.rounds + 1) +
                                              " is accepted (train.rounds = " + in.text("train.rounds") + ")");
        }
    }
    if (scene.scheme == hfsl) {
        return;
    }
    const auto& name = in.text("scheme");
    if (in.text("cluster.edge_stage") != "none") {
        in.reject("cluster.edge_stage", "scheme = " + name + " says who holds a stage: none is accepted");
    }
    if (scene.dropout.policy == dropout_policy::repair) {
        in.reject("dropout.policy", "scheme = " + name + " has no chain that could be repaired: skip is accepted");
    }
    if (scene.scheme != centralised) {
        return;
    }
    if (scene.service == service_kind::inference) {
        in.reject("scheme", "requests begin at start points, and centralised has no stage there: others are accepted");
    }
    if (scene.train.labels == label_route::local) {
        in.reject("train.labels", "scheme = centralised sends samples with their labels: chain is accepted");
    }
    for (const auto* key : {"data.label_noise", "data.blur", "data.noise"}) {
        if (in.is_changed(key)) {
            in.reject(key, "start points of different quality are not built yet for scheme = centralised");
        }
    }
    for (const auto* key : {"round.wait", "dropout.probability", "dropout.schedule", "device.client.battery"}) {
        if (in.is_changed(key)) {
            const auto& initial = find_key(key)->initial;
            in.reject(key, "start points that are late, drop out or run out of power are not built yet for scheme = "
                           "centralised: " +
                               (initial.empty() ? "nothing" : initial) + " is accepted");
        }
    }
    for (const auto& one : scene.network.overrides.nodes) {
        if (one.battery) {
            in.reject("network.file", "it gives " + one.name +
                                          " a battery, and batteries are not built yet for scheme "
                                          "= centralised");
        }
    }
    if (in.text("sense.mode") != "dataset") {
        in.reject("sense.mode", "start points send their samples once in scheme = centralised: dataset is accepted");
    }
}

} // namespace gaisnet
