#include "rounds/exchange_order.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace gaisnet {

void exchange_order::wait_for_the_slowest(std::span<const int> group_of) {
    std::map<int, int> members;
    for (const int group : group_of) {
        ++members[group];
    }
    // The messages of a batch, by what is the same for all clusters that compute it together; of each channel the first,
    // the second, and so on.
    using same_message =
        std::tuple<std::int64_t, std::uint32_t, message_kind, std::size_t>; // size, stage, kind, number
    struct shared_batch {
        std::map<same_message, std::vector<placed*>> messages;
        /// The signals behind the batch. A cluster without a next batch has none, so they are not the same for all.
        std::vector<placed*> signals;
        std::map<std::tuple<int, std::uint32_t, message_kind>, std::size_t> counted; ///< By cluster and channel.
    };
    std::map<std::pair<int, std::int64_t>, shared_batch> batches; // by group and number
    for (auto& one : all_) {
        const auto& [cluster, number, size, stage] = one.where;
        if (cluster == exchange_place::nobody || members[group_of[static_cast<std::size_t>(cluster)]] == 1) {
            continue;
        }
        auto& batch = batches[{group_of[static_cast<std::size_t>(cluster)], number}];
        if (one.what.route.kind == message_kind::control) {
            batch.signals.push_back(&one);
            continue;
        }
        const auto which = batch.counted[{cluster, stage, one.what.route.kind}]++;
        batch.messages[{size, stage, one.what.route.kind, which}].push_back(&one);
    }
    int group = -1;
    moment done; // of the group's batches so far
    for (auto& [key, batch] : batches) {
        if (std::exchange(group, key.first) != key.first) {
            done = {-std::numeric_limits<double>::infinity(), 0};
        }
        moment first{std::numeric_limits<double>::infinity(), std::numeric_limits<std::size_t>::max()};
        for (auto& [same, messages] : batch.messages) {
            moment slowest = messages.front()->begin;
            for (const auto* one : messages) {
                slowest.start_s = std::max(slowest.start_s, one->begin.start_s);
                slowest.number = std::max(slowest.number, one->begin.number);
            }
            for (auto* one : messages) {
                one->begin = slowest;
            }
            first = {std::min(first.start_s, slowest.start_s), std::min(first.number, slowest.number)};
        }
        const double later_s = std::max(0.0, done.start_s - first.start_s);
        const auto later = done.number >= first.number ? done.number - first.number + 1 : 0;
        moment last = done;
        for (auto& [same, messages] : batch.messages) {
            for (auto* one : messages) { // a sum of times may be rounded downwards
                one->begin = {std::max(done.start_s, one->begin.start_s + later_s), one->begin.number + later};
                last = {std::max(last.start_s, one->begin.start_s), std::max(last.number, one->begin.number)};
            }
        }
        done = last;
        for (auto* one : batch.signals) { // in the order of sending
            done = {std::max(done.start_s, one->begin.start_s), done.number + 1};
            one->begin = done;
        }
    }
}

std::vector<decided_exchange> exchange_order::take(std::span<const int> group_of, int active) {
    wait_for_the_slowest(group_of);
    std::map<int, int> number; // of groups, in their order
    for (const int group : std::set<int>(group_of.begin(), group_of.end())) {
        number.emplace(group, static_cast<int>(number.size()));
    }
    const auto wave_of = [&](int cluster) { return number.at(group_of[static_cast<std::size_t>(cluster)]) / active; };
    std::map<int, double> last_s; // by cluster
    for (auto& one : all_) {
        const int cluster = one.where.cluster;
        one.wave = cluster == exchange_place::nobody ? -1 : wave_of(cluster); // deliveries come before all waves
        const auto known = last_s.emplace(cluster, one.begin.start_s).first;
        known->second = std::max(known->second, one.begin.start_s);
    }
    for (auto& one : all_) {
        for (const int cluster : one.averaged) { // behind all that its clusters have sent
            one.wave = std::max(one.wave, wave_of(cluster));
            if (const auto last = last_s.find(cluster); last != last_s.end()) {
                one.begin.start_s = std::max(one.begin.start_s, last->second);
            }
        }
    }
    std::stable_sort(all_.begin(), all_.end(), [](const placed& a, const placed& b) {
        return std::tuple(a.wave, a.begin.start_s, a.what.is_average(), a.begin.number) <
               std::tuple(b.wave, b.begin.start_s, b.what.is_average(), b.begin.number);
    });
    std::vector<decided_exchange> order;
    for (auto& one : std::exchange(all_, {})) {
        order.push_back(std::move(one.what));
    }
    return order;
}

} // namespace gaisnet
