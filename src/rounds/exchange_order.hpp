#pragma once

#include "base/tensor_view.hpp"
#include "transport/transport.hpp"

#include <tuple>
#include <vector>

namespace gaisnet {

/// An operation between ranks in the tensor pass.
struct decided_exchange {
    channel route;       ///< Channel of a message between ranks ...
    tensor_view shape;   ///< ... and its type and shape.
    int average_of = -1; ///< Otherwise the node (edge or cloud) that averages.

    bool is_average() const { return average_of >= 0; }
    static auto parts(auto& self) { return std::tie(self.average_of, self.route, self.shape.type, self.shape.shape); }
};

/// The one order in which all ranks begin exchanges: waves of runtime.active_clusters clusters one after another, within
/// a wave by the ledger's start, an average behind messages of the same moment, then by the order of adding. It extends
/// what depends on what, so operations that wait for their other end cannot wait in a circle.
class exchange_order {
public:
    static constexpr int before_all = -1; ///< The wave of deliveries, which wait for nothing.

    /// \param start_s on one clock for everything that is added
    void add(decided_exchange what, int wave, double start_s) { all_.push_back({wave, start_s, std::move(what)}); }
    std::vector<decided_exchange> take();

private:
    struct placed {
        int wave = 0;
        double start_s = 0;
        decided_exchange what;
    };
    std::vector<placed> all_;
};

} // namespace gaisnet
