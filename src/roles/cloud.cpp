#include "roles/cloud.hpp"

namespace gaisnet {

task<> cloud_role::federate(pass& in) {
    const auto average = co_await in.average(me, me.node);
    const auto cost = deploy->cost_of_federation(average.parties);
    compute_cost merge{event_kind::aggregate, cost.flops(), 0, cost.workspace_bytes()};
    co_await in.charge(me, merge);
    for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(deploy->net.edges); ++edge) {
        // Every rank with an edge took part in the sum, so its values are there.
        in.send(me, edge, message_kind::modules, tensor_view::shape_only({deploy->domains.front().shared_elements}));
    }
}

} // namespace gaisnet
