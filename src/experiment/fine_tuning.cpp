#include "experiment/fine_tuning.hpp"

#include "transport/collectives.hpp"

#include "base/progress.hpp"
#include "base/stopwatch.hpp"
#include "experiment/backbone.hpp"
#include "experiment/domain_matrix.hpp"
#include "experiment/measurement.hpp"
#include "experiment/output_paths.hpp"
#include "experiment/players.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/resumable_run.hpp"
#include "experiment/round_log.hpp"
#include "experiment/trained_clusters.hpp"
#include "experiment/written_modules.hpp"
#include "model/torch/torch_support.hpp"
#include "planning/advice.hpp"
#include "results/report.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/describe.hpp"
#include "rounds/slow_links.hpp"
#include "rounds/stop_watch.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <optional>

namespace gaisnet {

namespace {

/// Rank 0's decision after a round, sent to the other ranks.
struct verdict {
    bool stop = false;
    bool requeue = false;
    bool interrupted = false;
    bool checkpoint = false;
    bool late = false; ///< Real time was not kept, and strict_fidelity is on.
};

} // namespace

class fine_tuning::parts {
public:
    parts(configuration given, session& here, fine_tuning_options options)
        : given_(std::move(given))
        , here_(here)
        , options_(std::move(options))
        , run_(prepare(given_, here, true))
        , stop_(run_.scene->train.stop, run_.scene->train.rounds) {}

    run_ending ending() const { return ending_; }
    const fine_tuning_outcome& outcome() const { return outcome_; }
    const prepared_run& prepared() const { return run_; }
    const loaded_backbone& backbone() const { return backbone_; }
    run_summary so_far() const {
        std::vector<round_row> rows;
        std::vector<node_row> nodes;
        for (const auto& record : rounds_) {
            rows.insert(rows.end(), record.forecast.rounds.begin(), record.forecast.rounds.end());
            nodes.insert(nodes.end(), record.forecast.nodes.begin(), record.forecast.nodes.end());
        }
        return summarise(rows, nodes, describe_nodes(*run_.deploy, run_.rank_of));
    }

    std::optional<finished_round> next() {
        if (ending_ != run_ending::none) {
            return std::nullopt;
        }
        if (!file_ && !begin()) {
            ending_ = run_ending::was_there;
            return std::nullopt;
        }
        if (stop_.stopped()) { // the stop rule was already met before the checkpoint
            finish();
            return std::nullopt;
        }
        if (!change_clusters(rounds_done() + 1)) { // other clusters could not be found either
            save_checkpoint();
            finish();
            return std::nullopt;
        }
        play_round();
        const auto said = decide();
        if (said.checkpoint) {
            save_checkpoint();
        }
        if (said.late) {
            file_->stop("real time was not kept");
            throw error(exit_code::fidelity, clock_->complaint(rounds_done()), true);
        }
        auto ended = describe_last();
        if (said.interrupted) {
            file_->stop("interrupted");
            ending_ = run_ending::interrupted;
        } else if (said.stop) {
            finish();
        } else if (said.requeue) {
            file_->stop(fmt::format("stopped by a signal after round {}; resumable", rounds_.size()));
            ending_ = run_ending::requeue;
        }
        return ended;
    }

private:
    /// Prepares the first round. \returns false when nothing is left to do.
    bool begin() {
        backbone_ = options_.backbone ? *options_.backbone : load_backbone(*run_.scene, here_);
        if (here_.gpu()) {
            run_.data->use_gpu(*here_.gpu());
            here_.note("warming the GPU up");
            warm_up(*run_.deploy, backbone_.backbone);
        }
        file_.emplace(given_, run_, backbone_, here_, "round", options_.keeps_files);
        if (file_->has_ended({modules_path(*run_.scene, run_.deploy->net.edges - 1)})) {
            return false;
        }
        file_->find();
        clusters_.emplace(run_, here_, backbone_);
        if (here_.root()) {
            spdlog::info("{} nodes in {} clusters on {} rank(s), {} from {}", run_.deploy->net.nodes.size(),
                         run_.deploy->net.clusters.size(), here_.ranks(), describe_sizes(*run_.deploy),
                         run_.data->origin());
        }
        clock_ = real_clock::start(*run_.scene, here_);
        speeds_ = measure_as_wanted(run_, here_, backbone_, clock_.get(), from());
        make_output();
        replay();
        change_clusters(rounds_done() + 1);
        clusters_->make_tensors([this] { return hooks_of_tensors(); }, from());
        if (!stop_.stopped()) {
            // Detects a deadlock of the roles before anything is trained or shown.
            const auto& first = clusters_->forecast(rounds_done() + 1);
            refuse_what_does_not_fit(first);
            if (clock_ && first && !speeds_.empty()) {
                clock_->check_scale(*run_.deploy, run_.rank_of, *first, speeds_);
            }
        }
        file_->publish();
        if (judges() && !from()) {
            judge({{"untuned", {}, 0, false}}, 0);
        }
        session::check_interrupt();
        if (options_.keeps_files) {
            session::begin_steps();
        }
        return true;
    }

    /// The last round; only rank 0 knows the ledger's figures.
    finished_round describe_last() {
        finished_round ended;
        ended.number = rounds_done();
        ended.edges = share_from_root(here_.network(), rounds_.back().forecast.rounds);
        for (const auto& edge : ended.edges) {
            ended.accuracy += edge.accuracy / static_cast<double>(ended.edges.size());
            ended.loss += edge.loss / static_cast<double>(ended.edges.size());
        }
        return ended;
    }

    /// The hooks of new tensors, whose work the progress counts.
    tensor_run_hooks hooks_of_tensors() {
        work_a_round_ = computations_a_round(run_, here_.rank());
        work_done_ = work_a_round_ * rounds_.size();
        auto hooks = watchful_hooks(run_, here_, clock_.get(), [this] { return rounds_done() + 1; });
        hooks.computed = [this](std::size_t strands) { show_progress(work_done_ + strands); };
        hooks.nan_when_diverged = !options_.keeps_files;
        return hooks;
    }

    void show_progress(std::uint64_t work_done) {
        work_done_ = work_done;
        if (here_.root() && work_a_round_ > 0) {
            if (std::exchange(told_rounds_, rounds_done()) != rounds_done()) {
                told_ = told_of(rounds_, run_.scene->train.rounds);
            }
            progress_.update(work_done_, work_a_round_ * static_cast<std::uint64_t>(run_.scene->train.rounds), told_);
        }
    }

    /// Restores the rounds before a checkpoint: the ledger plays them again, the rest comes from the checkpoint.
    void replay() {
        if (!from()) {
            return;
        }
        for (const auto& results : from()->rounds) {
            change_clusters(rounds_done() + 1);
            round_record record;
            record.results = results;
            if (here_.root()) {
                record.forecast = clusters_->take_forecast(rounds_done() + 1);
                advisor_.add(record.forecast);
                log_.write(record, recorded());
            }
            tell_stop_watch(record.results, static_cast<int>(rounds_.size()) + 1);
            rounds_.push_back(std::move(record));
        }
        const bool nobody_left =
            here_.root() && !rounds_.empty() && !clusters_->may_change() && give_up(); // rank 0 knows
        if (share_from_root(here_.network(), nobody_left) && !stop_.stopped()) {
            stop_.give_up(nobody_is_left);
        }
    }

    /// Takes other clusters before a round, if it is time. \returns false when the run ends for want of any that can play.
    bool change_clusters(int round) {
        if (!stop_.stopped() && !clusters_->change(round, from(), recorded())) {
            stop_.give_up(nobody_is_left);
        }
        return !stop_.stopped();
    }

    /// Creates the results file, which stays hidden until it contains all rounds before the checkpoint.
    void make_output() {
        if (!here_.root() || !options_.keeps_files) {
            return;
        }
        const auto& scene = *run_.scene;
        recorder_options options;
        options.events = scene.events;
        options.ranks = describe_ranks(here_.devices());
        options.samples = describe_samples(run_);
        for (const auto& one : speeds_) {
            options.stages.push_back({one.shape, one.forward_flop_s, one.backward_flop_s, one.step_flop_s});
        }
        auto header = header_of(given_, scene, here_);
        header.clock = clock_ ? "real" : "virtual";
        header.time_scale = scene.time_scale;
        if (from()) {
            log_.restore(*from());
        }
        check_modules_path(scene); // before anything is written
        file_->open(std::move(header), std::move(options));
        file_->results().write_probes(log_.probes());
    }

    void refuse_what_does_not_fit(const std::optional<round_forecast>& first) {
        std::string lacking;
        try {
            if (first && rounds_.empty()) {
                check_memory(*run_.deploy, first->nodes);
            }
        } catch (const does_not_fit& problem) { // thrown again on every rank
            lacking = problem.what();
        }
        if (lacking = share_from_root(here_.network(), lacking); !lacking.empty()) {
            throw does_not_fit(lacking);
        }
    }

    /// Null: nothing is kept.
    recorder* recorded() { return file_->keeps() ? &file_->results() : nullptr; }

    const std::optional<checkpoint>& from() const { return file_->from(); }
    int rounds_done() const { return static_cast<int>(rounds_.size()); }

    void play_round() {
        const stopwatch watch;
        const int round = rounds_done() + 1;
        round_record record;
        here_.note(fmt::format("round {}: ledger pass", round));
        record.forecast = clusters_->take_forecast(round);
        const auto decisions = share_from_root(here_.network(), record.forecast.decisions);

        if (clock_) {
            clock_->begin_round();
        }
        auto& tensors = clusters_->tensors();
        tensors.play(round, decisions);
        std::vector<fidelity_row> late;
        if (clock_) {
            late = clock_->end_round(static_cast<std::uint32_t>(round), decisions.latency_s, tensors.take_lateness());
        }

        here_.note(fmt::format("round {}: evaluation", round));
        const auto batches = run_.scene->train.evaluates(round) ? clusters_->evaluate() : std::vector<batch_result>();
        if (decisions.federates && judges()) {
            // After a federation all tensors before an edge's head are the cloud's.
            judge({{"cloud", {}, 0, false}}, round);
        }
        record.results = collect_results(here_.network(), *run_.deploy, tensors.take_totals(), batches);
        const auto carried = collect_counters(here_.network());
        for (auto& result : record.results) {
            result.wall_s = watch.seconds();
        }
        if (here_.root()) {
            for (const auto& warning : slow_links_.find(record.forecast.events)) {
                spdlog::warn("{}", warning);
            }
            log_.add(record.forecast.rounds.front().round, carried, late);
            advisor_.add(record.forecast);
            log_.write(record, recorded());
        }
        rounds_.push_back(std::move(record));
    }

    bool tell_stop_watch(const std::vector<round_result>& results, int round) {
        const auto means = means_of(results);
        if (const auto hint = hint_of(means, *run_.deploy); here_.root() && round == rounds_done() && !hint.empty()) {
            spdlog::warn("round {}: {}", round, hint);
        }
        if (!means.trained && here_.root()) {
            spdlog::warn("round {}: no cluster ended in time, and the model stays as it was", round);
        }
        return stop_.round_ended(round, means.accuracy, means.loss, means.trained);
    }

    /// At rank 0: gives up when no cluster can take part in another round.
    bool give_up() {
        if (!clusters_->anyone_left()) {
            stop_.give_up(nobody_is_left);
        }
        return stop_.stopped();
    }

    verdict decide() {
        verdict said;
        const auto asked = file_->asked_to_stop();
        said.requeue = asked.requeue;
        said.interrupted = asked.interrupted;
        if (here_.root()) {
            const int round = rounds_done();
            said.stop = tell_stop_watch(rounds_.back().results, round) || (!clusters_->may_change() && give_up());
            const auto every = run_.scene->checkpoint.every;
            said.late = clock_ && clock_->violated();
            said.checkpoint =
                file_->keeps() && (said.requeue || said.stop || said.late || (every > 0 && round % every == 0));
        }
        return share_from_root(here_.network(), said);
    }

    void save_checkpoint() {
        here_.note("checkpoint");
        auto stages = clusters_->stages();
        auto models = clusters_->models();
        if (!here_.root()) {
            return;
        }
        checkpoint state;
        state.step = rounds_.size();
        for (const auto& record : rounds_) {
            state.rounds.push_back(record.results);
        }
        log_.save(state);
        state.models = models;
        state.changes = clusters_->changes();
        state.stages = std::move(stages);
        state.speeds = speeds_.empty() ? std::string() : speeds_text(speeds_);
        file_->save(std::move(state));
        models_ = std::move(models);
    }

    /// Whether models are compared across domains.
    bool judges() const { return run_.deploy->net.edges > 1 && run_.scene->probe.samples > 0; }

    /// \param which the models, without values except for the foundation model.
    void judge(std::vector<judged_model> which, int round) {
        here_.note(fmt::format("round {}: comparison of models on domains", round));
        const auto models = clusters_->models();
        for (auto& one : which) {
            if (one.name != "untuned" && here_.root()) {
                one.modules = models[one.edge];
            }
        }
        const auto rows = judge_models(run_, backbone_.backbone, here_, std::move(which), round);
        if (here_.root()) {
            log_.add(rows);
            if (auto* file = recorded()) {
                file->write_probes(rows);
            }
        }
    }

    void finish() {
        ending_ = run_ending::complete;
        if (judges()) {
            std::vector<judged_model> all;
            for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(run_.deploy->net.edges); ++edge) {
                all.push_back({run_.deploy->net.nodes[edge].name, {}, edge, true});
            }
            judge(std::move(all), rounds_done());
        }
        const auto peaks = collect_peak_memory(here_.network());
        if (!here_.root()) {
            return;
        }
        if (models_.empty() && from()) {
            models_ = from()->models;
        }
        for (std::uint32_t edge = 0; edge < models_.size(); ++edge) {
            outcome_.modules.push_back(write_tuned_modules(run_, backbone_, edge, models_[edge]));
        }
        file_->end(stop_.reason(), stop_.converged());
        auto& summary = outcome_.summary;
        summary = so_far();
        summary.stop_reason = stop_.reason();
        summary.converged = stop_.converged();
        summary.clock = clock_ ? "real" : "virtual";
        summary.time_scale = run_.scene->time_scale;
        if (clock_) {
            summary.lateness = clock_->late_s();
        }
        summary.output = run_.scene->output;
        progress_.finish();
        outcome_.probes = log_.probes();
        outcome_.advice =
            options_.keeps_files && !clusters_->may_change() ? advisor_.text(given_.values) : std::string();
        spdlog::info("ledger: {} events, {:.3f} s in all ({:.2f} % of the rounds' wall time)",
                     clusters_->ledger_events(), clusters_->ledger_seconds(),
                     summary.wall_s > 0 ? 100.0 * clusters_->ledger_seconds() / summary.wall_s : 0.0);
        spdlog::info("really moved: {}", log_.moved());
        spdlog::info("peak resident memory of the processes: {}", peak_memory_text(peaks));
    }

    configuration given_;
    session& here_;
    fine_tuning_options options_;
    prepared_run run_;
    stop_watch stop_;
    loaded_backbone backbone_;
    std::optional<resumable_run> file_;
    std::optional<trained_clusters> clusters_;
    slow_links slow_links_{*run_.deploy};
    std::unique_ptr<real_clock> clock_; ///< `clock = real`; else null.
    std::vector<stage_speed> speeds_;   ///< Rank 0: measured speeds.
    std::vector<round_record> rounds_;
    round_log log_;                   ///< Rank 0
    advisor advisor_{*run_.deploy};   ///< Rank 0
    std::vector<tensor_view> models_; ///< Rank 0: those of the last checkpoint; at the end, of the last round.
    std::uint64_t work_a_round_ = 0, work_done_ = 0;
    progress progress_{given_.progress};
    int told_rounds_ = -1; ///< Of which the progress tells.
    std::string told_;
    run_ending ending_ = run_ending::none;
    fine_tuning_outcome outcome_; ///< Rank 0
};

fine_tuning::fine_tuning(configuration given, session& here, fine_tuning_options options)
    : parts_(std::make_unique<parts>(std::move(given), here, std::move(options))) {}

fine_tuning::~fine_tuning() = default;

std::optional<finished_round> fine_tuning::next() { return parts_->next(); }

run_ending fine_tuning::ending() const { return parts_->ending(); }

const fine_tuning_outcome& fine_tuning::outcome() const { return parts_->outcome(); }

run_summary fine_tuning::so_far() const { return parts_->so_far(); }

const prepared_run& fine_tuning::prepared() const { return parts_->prepared(); }

std::shared_ptr<const loaded_backbone> fine_tuning::backbone() const {
    return std::make_shared<loaded_backbone>(parts_->backbone());
}

} // namespace gaisnet
