#include "network/link_model.hpp"

#include "base/registry.hpp"

namespace gaisnet {

namespace {

/// By radio with a path loss, else a trace, else a rate: what the scenario has.
std::unique_ptr<rate_model> by_what_is_set(const link_model_request& in) {
    const auto& its = in.link.parameters;
    if (in.link.by_radio) {
        return radio_map::rate(in.net.radio, its.kind, *settings_of(in.scene, its.kind).radio, its.from, its.to,
                               its.bandwidth_hz, in.round);
    }
    if (in.link.trace) {
        return std::make_unique<traced_rate>(in.link.trace);
    }
    return std::make_unique<constant_rate>(in.link.rate_bit_s);
}

const registration<link_model_entry> registered_auto{{"auto", by_what_is_set}};

const link_model_entry& model_of(const link_model_request& in) {
    const auto kind = in.link.parameters.kind;
    return registry<link_model_entry>::at(settings_of(in.scene, kind).model,
                                          "link." + std::string(name_of(kind)) + ".model");
}

} // namespace

std::unique_ptr<rate_model> make_rate_model(const link_model_request& in) {
    auto rate = model_of(in).make(in);
    return in.link.rate_factor == 1.0 ? std::move(rate)
                                      : std::make_unique<scaled_rate>(std::move(rate), in.link.rate_factor);
}

bool changes_by_round(const link_model_request& in) {
    const auto& settings = settings_of(in.scene, in.link.parameters.kind);
    if (settings.model != "auto") {
        return true;
    }
    return in.link.by_radio && settings.radio->fading.kind != fading_kind::none;
}

bool is_constant(const link_model_request& in) {
    const auto& its = in.link.parameters;
    return !in.link.by_radio && !in.link.trace && its.jitter.is_zero() && its.loss == 0.0 && !changes_by_round(in);
}

} // namespace gaisnet
