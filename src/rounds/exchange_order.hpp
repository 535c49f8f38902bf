#pragma once

#include "base/tensor_view.hpp"
#include "transport/transport.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
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

/// Where a message belongs.
struct exchange_place {
    static constexpr int nobody = -1;
    int cluster = nobody;    ///< Nobody's are deliveries, which wait for nothing.
    std::int64_t batch = -1; ///< Of the round or session.
    std::int64_t size = 0;   ///< Of the batch.
    std::uint32_t stage = 0; ///< In the chain: that receives it.
};

/// The one order in which all ranks begin exchanges: deliveries, then waves of runtime.active_clusters groups of clusters
/// one after another; within a wave by the ledger's start, an average behind messages of the same moment, then by the order
/// of adding. It extends what depends on what, so operations that wait for their other end cannot wait in a circle.
///
/// Clusters of a group compute together: what one of them sends waits for what the others receive. So the same message of
/// each begins with that of the slowest, and behind the batch before it of all of them.
class exchange_order {
public:
    /// \param start_s on one clock for everything that is added
    void add(decided_exchange what, exchange_place where, double start_s) {
        all_.push_back({std::move(what), {}, where, {start_s, all_.size()}, 0});
    }
    /// \param clusters whose modules are averaged
    void add_average(decided_exchange what, std::vector<int> clusters, double start_s) {
        all_.push_back({std::move(what), std::move(clusters), {}, {start_s, all_.size()}, 0});
    }
    /// \param group_of by cluster: the first of those with which it computes together \param active groups in a wave
    std::vector<decided_exchange> take(std::span<const int> group_of, int active);

private:
    /// Of what begins at the same moment, what was added first comes first.
    struct moment {
        double start_s = 0;
        std::size_t number = 0;
        auto operator<=>(const moment&) const = default;
    };
    struct placed {
        decided_exchange what;
        std::vector<int> averaged;
        exchange_place where;
        moment begin;
        int wave = 0;
    };
    void wait_for_the_slowest(std::span<const int> group_of);

    std::vector<placed> all_;
};

} // namespace gaisnet
