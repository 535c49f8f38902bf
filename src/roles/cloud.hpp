#pragma once

#include "roles/deployment.hpp"
#include "runtime/pass.hpp"

namespace gaisnet {

/// The cloud: averages the shared modules of the edges, weighted by their samples, and sends the average back. Heads
/// stay at the edges.
struct cloud_role {
    const deployment* deploy = nullptr;
    actor me;

    task<> federate(pass& in);
};

} // namespace gaisnet
