#pragma once

#include "scenario/scenario.hpp"

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

namespace gaisnet {

/// What a plan has chosen beside the forms of chains, for ranks that have not planned.
struct planned_way {
    schedule_kind schedule{};
    int micro_batches = 1;
    std::string method;
    std::int64_t prompts = 0, bottleneck = 0;
    drawn_count rank;
    std::string lacking; ///< Why there is no plan that fits; empty: there is one.

    static planned_way of(const scenario& scene, std::string lacking) {
        const auto& tuning = scene.tuning;
        return {scene.train.schedule, scene.train.micro_batches, tuning.method, tuning.prompts, tuning.bottleneck,
                tuning.rank,          std::move(lacking)};
    }
    void apply_to(scenario& scene) const {
        scene.train.schedule = schedule;
        scene.train.micro_batches = micro_batches;
        scene.tuning.method = method;
        scene.tuning.prompts = prompts;
        scene.tuning.rank = rank;
        scene.tuning.bottleneck = bottleneck;
    }
    static auto parts(auto& self) {
        return std::tie(self.schedule, self.micro_batches, self.method, self.prompts, self.bottleneck, self.rank,
                        self.lacking);
    }
};

} // namespace gaisnet
