#pragma once

#include "roles/deployment.hpp"
#include "runtime/pass.hpp"

namespace gaisnet {

/// The cloud: averages what edges have in common, weighted by their samples, and sends it back. Heads stay with their
/// domains.
struct cloud_role {
    const deployment* deploy = nullptr;
    actor me;

    task<> federate(pass& in);
};

} // namespace gaisnet
