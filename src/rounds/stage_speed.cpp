#include "rounds/stage_speed.hpp"

#include "base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace gaisnet {

namespace {

using speed_table = std::map<std::string, const stage_speed*>;

speed_table by_shape(const std::vector<stage_speed>& all) {
    speed_table table;
    for (const auto& one : all) {
        table[one.shape] = &one;
    }
    return table;
}

double speed_of(const stage_speed& stage, event_kind kind) {
    switch (kind) {
    case event_kind::forward: return stage.forward_flop_s;
    case event_kind::backward: return stage.backward_flop_s;
    case event_kind::step: return stage.step_flop_s;
    default: return 0.0;
    }
}

struct task_of_rank {
    int rank = 0;
    double ready = 0, deadline = never, seconds = 0; ///< Emulated, emulated, real.
};

bool can_keep(double scale, const std::vector<task_of_rank>& tasks, int ranks, double tolerance_s) {
    std::vector<double> free_at(static_cast<std::size_t>(ranks), 0.0);
    for (const auto& one : tasks) {
        auto& free = free_at[static_cast<std::size_t>(one.rank)];
        free = std::max(free, scale * one.ready) + one.seconds;
        if (free > scale * one.deadline + tolerance_s) {
            return false;
        }
    }
    return true;
}

} // namespace

std::string shape_of(const stage_spec& spec) {
    const auto& cut = spec.cut();
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    if (cut.embedding) {
        add("embedding");
    }
    if (cut.blocks > 0) {
        add(std::to_string(cut.blocks) + (cut.blocks == 1 ? " block" : " blocks"));
    }
    if (cut.head) {
        add((spec.tells_tokens() ? "output layer of " : "head of ") + std::to_string(spec.logits()));
    }
    add(std::to_string(spec.tunable_elements()) + " tunable values"); // clients may tune with different sizes
    return text + (spec.input_gradient ? "; gradient in" : "") + (spec.all_tokens_out ? "; all tokens out" : "");
}

void use_speeds(deployment& deploy, const std::vector<stage_speed>& all) {
    const auto table = by_shape(all);
    for (auto& chain : deploy.chains) {
        for (auto& seat : chain) {
            const auto found = table.find(shape_of(seat.spec));
            if (found == table.end()) {
                throw runtime_failure("no speed was measured for a stage with " + shape_of(seat.spec));
            }
            const auto& speed = *found->second;
            seat.measured = {speed.forward_flop_s, speed.backward_flop_s, speed.step_flop_s};
        }
    }
}

std::string speeds_text(const std::vector<stage_speed>& all) {
    auto list = nlohmann::json::array();
    for (const auto& one : all) {
        list.push_back({one.shape, one.forward_flop_s, one.backward_flop_s, one.step_flop_s});
    }
    return list.dump();
}

std::vector<stage_speed> read_speeds(const std::string& text) {
    std::vector<stage_speed> all;
    try {
        for (const auto& one : nlohmann::json::parse(text)) {
            all.push_back({one.at(0).get<std::string>(), one.at(1).get<double>(), one.at(2).get<double>(),
                           one.at(3).get<double>()});
        }
    } catch (const nlohmann::json::exception& problem) {
        throw usage_error(std::string("checkpoint: measured speeds cannot be read: ") + problem.what());
    }
    return all;
}

double smallest_time_scale(const deployment& deploy, const std::vector<int>& rank_of, const round_forecast& round,
                           const std::vector<stage_speed>& all, double tolerance_s) {
    const auto table = by_shape(all);
    std::map<std::uint32_t, const stage_speed*> slowest; // slowest stage of each node: an event does not tell its stage
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            const auto* speed = table.at(shape_of(seat.spec));
            auto& known = slowest[seat.node];
            known = known && known->forward_flop_s <= speed->forward_flop_s ? known : speed;
        }
    }
    std::map<int, double> starts; // edges have separate clocks
    for (const auto& row : round.rounds) {
        starts[static_cast<int>(row.edge)] = row.end_s - row.latency_s;
    }
    std::map<std::uint32_t, std::vector<std::pair<double, double>>> sent; // start and arrival, by node
    for (const auto& event : round.events) {
        if (event.receivers > 0) {
            sent[event.node].emplace_back(event.start_s, event.arrival_s);
        }
    }
    for (auto& [node, list] : sent) {
        std::sort(list.begin(), list.end());
    }
    std::vector<task_of_rank> tasks;
    int ranks = 1;
    for (const auto& event : round.events) {
        const auto stage = slowest.find(event.node);
        const double speed = stage == slowest.end() || event.receivers > 0 ? 0.0 : speed_of(*stage->second, event.kind);
        if (speed <= 0.0) {
            continue;
        }
        const double start = starts.at(deploy.net.nodes[event.node].edge);
        task_of_rank one{rank_of[event.node], event.start_s - start, never, event.flops / speed};
        const auto& list = sent[event.node];
        const auto next = std::lower_bound(list.begin(), list.end(), std::pair{event.end_s - 1e-12, 0.0});
        if (next != list.end()) {
            one.deadline = next->second - start;
        }
        ranks = std::max(ranks, one.rank + 1);
        tasks.push_back(one);
    }
    std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.ready < b.ready; });
    double high = 1e-9;
    while (high < 1e9 && !can_keep(high, tasks, ranks, tolerance_s)) {
        high *= 2.0;
    }
    double low = 0.5 * high;
    for (int i = 0; i < 30; ++i) {
        const double middle = 0.5 * (low + high);
        (can_keep(middle, tasks, ranks, tolerance_s) ? high : low) = middle;
    }
    return high;
}

} // namespace gaisnet
