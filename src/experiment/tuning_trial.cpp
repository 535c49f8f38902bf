#include "experiment/tuning_trial.hpp"

#include "base/progress.hpp"
#include "base/stopwatch.hpp"
#include "base/text.hpp"
#include "data/image_supply.hpp"
#include "experiment/backbone.hpp"
#include "experiment/fine_tuning.hpp"
#include "experiment/preparation.hpp"
#include "results/recorder.hpp"
#include "scenario/scenario.hpp"
#include "settings/key.hpp"
#include "transport/collectives.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <system_error>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

/// Candidates log what any run does; each would repeat it.
class quiet_log {
public:
    explicit quiet_log(spdlog::level::level_enum least): before_(spdlog::default_logger()->level()) {
        spdlog::default_logger()->set_level(std::max(before_, least));
    }
    ~quiet_log() { spdlog::default_logger()->set_level(before_); }
    quiet_log(const quiet_log&) = delete;
    quiet_log& operator=(const quiet_log&) = delete;

private:
    spdlog::level::level_enum before_;
};

void set_tuning(configuration& given, const scenario& scene, const tuning_choice& choice) {
    for (const auto& [key, value] : keys_of(with_choice(scene, choice))) {
        given.set(key, value);
    }
}

/// The parts of `optimise` without tuning.
std::string other_parts(const std::string& parts) {
    std::string others;
    for (const auto& part : split_text(parts, ',')) {
        others += part == "tuning" ? "" : (others.empty() ? "" : ",") + part;
    }
    return others.empty() ? "none" : others;
}

/// Fine-tuning of one candidate with the virtual clock.
configuration run_of(const configuration& given, const scenario& scene, const tuning_choice& choice) {
    configuration out{"finetune", given.values, given.files};
    for (const auto* key :
         {"measure", "pareto", "json", "clock", "time_scale", "strict_fidelity", "fidelity.tolerance", "resume"}) {
        out.values.at(key) = {find_key(key)->initial, "default"};
    }
    set_tuning(out, scene, choice);
    out.of_plan = true;
    out.set("optimise", other_parts(given.values.at("optimise").value)).set("probe.samples", "0");
    out.set("train.evaluate_every", "1");
    return out;
}

/// What could not be written in the end is refused before the training.
void check_what_is_written(const configuration& given, const scenario& scene) {
    if (scene.plan.json) {
        return;
    }
    if (given.values.at("output").source == "command line") {
        recorder::check_output(scene.output, scene.overwrite);
    }
    for (const auto* suffix : {".plan.cfg", ".plan.json"}) {
        const auto path = beside_output(scene.output, suffix);
        std::error_code code;
        if (std::filesystem::exists(path, code) && !scene.overwrite) {
            throw usage_error("output " + scene.output + ": the plan goes to " + path.string() +
                              ", which exists; another output, or overwrite = on, is accepted");
        }
    }
}

class tuning_trial {
public:
    tuning_trial(const configuration& given, session& here)
        : here_(here)
        , scene_(read_scenario(given.values))
        , progress_(here.root() ? given.progress : progress_mode::none) {
        found_.rounds_a_rung = scene_.plan.measure;
        found_.objective = objective_of(scene_);
        if (scene_.train.stop.kind == stop_kind::target) {
            found_.target = scene_.train.stop.accuracy;
        }
        for (const auto& choice : scene_.plan.tunings) {
            if (std::none_of(found_.tried.begin(), found_.tried.end(),
                             [&](const auto& other) { return other.choice == choice; })) {
                found_.tried.push_back({choice});
            }
        }
        for (const auto& one : found_.tried) {
            auto& mine = candidates_.emplace_back();
            mine.settings = run_of(given, scene_, one.choice);
        }
        for (auto left = candidates_.size(); left > 0; left = left > 1 ? (left + 1) / 2 : 0) {
            rounds_in_all_ += left * static_cast<std::size_t>(found_.rounds_a_rung);
        }
    }

    measured_tunings run() {
        std::vector<std::size_t> left(candidates_.size());
        std::iota(left.begin(), left.end(), std::size_t{0});
        std::vector<std::size_t> ranked;
        for (int rung = 1;; ++rung) {
            for (const auto one : left) {
                train(one, rung);
            }
            // What decides lies at rank 0; the other ranks do not have the ledger's figures.
            ranked = share_from_root(here_.network(), here_.root() ? ranked_now(left) : ranked);
            auto going_on = share_from_root(here_.network(), here_.root() ? next_rung(left) : left);
            const bool last = going_on.size() <= 1;
            for (const auto one : ranked) {
                if (last ? one != ranked.front() : !std::count(going_on.begin(), going_on.end(), one)) {
                    found_.tried[one].dropped = rung;
                    candidates_[one].run.reset();
                }
            }
            if (last) {
                break;
            }
            std::sort(going_on.begin(), going_on.end()); // trained in the order of plan.tunings
            left = std::move(going_on);
        }
        progress_.finish();
        choose(ranked);
        return std::move(found_);
    }

private:
    struct candidate {
        configuration settings;
        std::unique_ptr<fine_tuning> run;
        bool ended = false; ///< By its stop rule or a failure.
    };

    void train(std::size_t index, int rung) {
        auto& mine = candidates_[index];
        auto& found = found_.tried[index];
        if (mine.ended) {
            rounds_done_ += static_cast<std::size_t>(found_.rounds_a_rung);
            return;
        }
        const stopwatch watch;
        measured_rung now = found.rungs.empty() ? measured_rung{} : found.rungs.back();
        const double wall_before_s = now.wall_s;
        try {
            const quiet_log quiet(backbone_ ? spdlog::level::err : spdlog::level::warn); // warnings once
            if (!mine.run) {
                share_memory(mine);
                mine.run = std::make_unique<fine_tuning>(
                    mine.settings, here_, fine_tuning_options{.keeps_files = false, .backbone = backbone_});
            }
            for (int round = 0; round < found_.rounds_a_rung && !mine.ended; ++round) {
                progress_.update(rounds_done_++, rounds_in_all_,
                                 fmt::format("rung {}, {}, round {}", rung, found.choice.name(), now.rounds + 1));
                play_round(mine, found, now);
            }
        } catch (const does_not_fit& problem) { // on every rank
            fail(mine, found, problem.what());
            return;
        }
        if (!backbone_) {
            backbone_ = mine.run->backbone();
        }
        now.wall_s = wall_before_s + watch.seconds();
        note_figures(mine, found, now);
        if (here_.root()) {
            progress_.clear();
            spdlog::info("rung {}: {} {}", rung, found.choice.name(),
                         found.failure.empty() ? fmt::format("has accuracy {:.4f} after {} round(s), {}", now.accuracy,
                                                             now.rounds, quantity(now.latency_s, "s"))
                                               : found.failure);
        }
    }

    /// The first run may cache as many images as a run alone; the others share as much. On GPUs each takes a part of what
    /// is free.
    void share_memory(candidate& mine) const {
        if (backbone_ && !scene_.data.cache && !here_.gpu()) {
            const auto each = available_memory() / 4 / here_.share().ranks / candidates_.size();
            mine.settings.set("data.cache", fmt::format("{} B", each));
        }
    }

    void play_round(candidate& mine, measured_tuning& found, measured_rung& now) {
        const auto round = mine.run->next();
        const auto ending = mine.run->ending();
        if (ending == run_ending::interrupted || ending == run_ending::requeue) {
            throw error(exit_code::interrupted, "interrupted", true);
        }
        mine.ended = ending != run_ending::none;
        if (!round) {
            return;
        }
        now.rounds = round->number;
        now.accuracy = round->accuracy;
        now.loss = round->loss;
        if (!std::isfinite(round->loss)) {
            now.accuracy = std::numeric_limits<double>::quiet_NaN();
            fail(mine, found, fmt::format("diverged in round {}; a smaller train.lr may help", round->number));
            return;
        }
        now.best_accuracy = std::max(now.best_accuracy, round->accuracy);
        found.reached = found_.target && round->accuracy >= *found_.target;
    }

    void fail(candidate& mine, measured_tuning& found, const std::string& why) {
        mine.ended = true;
        found.failure = why;
        found.reached = false;
    }

    /// The ledger's figures, at rank 0.
    void note_figures(const candidate& mine, measured_tuning& found, measured_rung& now) {
        if (here_.root()) {
            const auto sums = mine.run->so_far();
            now.latency_s = sums.latency.total_s;
            now.energy_j = sums.energy_of_all().total_j();
            now.spectrum_hz_s = std::accumulate(sums.airtime_hz_s.begin(), sums.airtime_hz_s.end(), 0.0);
            found.memory_bytes =
                static_cast<double>(sums.memory[static_cast<std::size_t>(node_role::client)].total_bytes);
            found.upload_bytes =
                static_cast<double>(sums.bytes[static_cast<std::size_t>(link_class::cs_up)]) / std::max(1, now.rounds);
            for (const auto& domain : mine.run->prepared().deploy->domains) {
                found.parameters = std::max(found.parameters, domain.elements);
            }
        }
        found.rungs.push_back(now);
    }

    std::vector<std::size_t> ranked_now(const std::vector<std::size_t>& left) const {
        std::vector<std::size_t> ranked;
        for (const auto place : ranking(scores_of(found_, left))) {
            ranked.push_back(left[place]);
        }
        return ranked;
    }

    /// Who trains on; one when there is nothing left to train.
    std::vector<std::size_t> next_rung(const std::vector<std::size_t>& left) const {
        std::vector<std::size_t> going_on;
        for (const auto place : better_half(scores_of(found_, left))) {
            going_on.push_back(left[place]);
        }
        if (std::all_of(going_on.begin(), going_on.end(), [&](std::size_t one) { return candidates_[one].ended; })) {
            going_on.erase(going_on.begin() + std::min<std::ptrdiff_t>(std::ssize(going_on), 1), going_on.end());
        }
        return going_on;
    }

    /// \param last those of the last rung, best first
    void choose(const std::vector<std::size_t>& last) {
        const auto usable = [&](std::size_t one) { return found_.tried[one].failure.empty(); };
        auto best = std::find_if(last.begin(), last.end(), usable);
        if (best != last.end()) {
            found_.chosen = *best;
        } else { // all of the last rung have failed: the best of those that were dropped before
            std::vector<std::size_t> all(found_.tried.size());
            std::iota(all.begin(), all.end(), std::size_t{0});
            std::erase_if(all, [&](std::size_t one) { return !usable(one); });
            if (all.empty()) {
                const auto& first = found_.tried.front();
                throw usage_error("plan.tunings: none of them can be trained; " + first.choice.name() + ": " +
                                  first.failure);
            }
            found_.chosen = share_from_root(here_.network(), here_.root() ? ranked_now(all).front() : std::size_t{0});
        }
        found_.tried[found_.chosen].dropped = 0;
    }

    session& here_;
    scenario scene_;
    progress progress_;
    measured_tunings found_;
    std::vector<candidate> candidates_; ///< As found_.tried.
    std::shared_ptr<const loaded_backbone> backbone_;
    std::size_t rounds_done_ = 0, rounds_in_all_ = 0;
};

} // namespace

bool wants_trial(const configuration& given) {
    return given.command == "plan" && !given.dry_run && read_scenario(given.values).plan.measure > 0;
}

measured_tunings try_tunings(const configuration& given, session& here) {
    if (here.root()) {
        check_what_is_written(given, read_scenario(given.values));
    }
    return tuning_trial(given, here).run();
}

configuration with_chosen(configuration given, const measured_tunings& measured) {
    const auto& choice = measured.tried[measured.chosen].choice;
    set_tuning(given, read_scenario(given.values), choice);
    given.set("plan.tunings", choice.name());
    return given;
}

} // namespace gaisnet
