#include "emulation/event.hpp"

namespace gaisnet {

const char* name_of(event_kind kind) {
    switch (kind) {
    case event_kind::sense: return "sense";
    case event_kind::forward: return "forward";
    case event_kind::backward: return "backward";
    case event_kind::step: return "step";
    case event_kind::aggregate: return "aggregate";
    case event_kind::evaluate: return "evaluate";
    case event_kind::send_modules_down: return "send_modules_down";
    case event_kind::send_modules_up: return "send_modules_up";
    case event_kind::send_forward: return "send_forward";
    case event_kind::send_gradient: return "send_gradient";
    case event_kind::send_label: return "send_label";
    case event_kind::send_result: return "send_result";
    case event_kind::send_samples: return "send_samples";
    case event_kind::send_request: return "send_request";
    case event_kind::wait: return "wait";
    }
    return "unknown";
}

const char* name_of(link_class link) {
    switch (link) {
    case link_class::none: return "none";
    case link_class::cs_up: return "cs_up";
    case link_class::cs_down: return "cs_down";
    case link_class::d2d: return "d2d";
    case link_class::backhaul: return "backhaul";
    }
    return "unknown";
}

const char* name_of(node_role role) {
    switch (role) {
    case node_role::cloud: return "cloud";
    case node_role::edge: return "edge";
    case node_role::client: return "client";
    }
    return "unknown";
}

} // namespace gaisnet
