#include "experiment/inference.hpp"

#include "base/atomic_file.hpp"
#include "base/progress.hpp"
#include "base/stopwatch.hpp"
#include "experiment/backbone.hpp"
#include "experiment/collected.hpp"
#include "experiment/described_answer.hpp"
#include "experiment/measurement.hpp"
#include "experiment/output_paths.hpp"
#include "experiment/players.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/request_session.hpp"
#include "experiment/resumable_run.hpp"
#include "experiment/served_models.hpp"
#include "model/files/safetensors.hpp"
#include "model/torch/torch_stage.hpp"
#include "planning/advice.hpp"
#include "results/inference_report.hpp"
#include "rounds/checkpoint.hpp"
#include "rounds/describe.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/inference_run.hpp"
#include "rounds/slow_links.hpp"
#include "transport/collectives.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>

namespace gaisnet {

namespace {

/// Formats a text as a CSV cell.
std::string cell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (const char letter : text) {
        quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
    }
    return quoted + "\"";
}

} // namespace

class inference::parts {
public:
    parts(const configuration& given, session& here)
        : given_(with_tuning_of_modules(given))
        , here_(here)
        , run_(prepare(given_, here, true))
        , plan_(plan_of_requests(run_)) {}

    inference_summary forecast() {
        const auto models = prepare_session(load_backbone(*run_.scene, here_));
        here_.network().barrier();
        if (here_.root()) {
            recorder::check_output(run_.scene->output, run_.scene->overwrite);
        }
        return summary(models.from);
    }

    run_ending run() {
        const auto backbone = load_backbone(*run_.scene, here_);
        file_.emplace(given_, run_, backbone, here_, "batch");
        if (file_->has_ended({predictions_path(*run_.scene)})) {
            return run_ending::was_there;
        }
        file_->find();
        clock_ = real_clock::start(*run_.scene, here_);
        const auto models = prepare_session(backbone);
        open_output();
        if (!play(backbone, models)) {
            return run_ending::requeue;
        }
        if (here_.root()) {
            end_texts();
            take_answers(models);
            write();
            progress_.finish();
            outcome_ = summary(models.from);
        }
        return run_ending::complete;
    }

    const inference_summary& outcome() const { return outcome_; }
    std::string advice() const { return request_advice(*run_.deploy, plan_, played_, given_.values); }
    std::string description() const { return describe(run_); }
    std::string predictions() const { return predictions_path(*run_.scene).string(); }

private:
    /// Prepares everything before the ledger pass. \returns the models that answer.
    served_models prepare_session(const loaded_backbone& backbone) {
        speeds_ = measure_as_wanted(run_, here_, backbone, clock_.get(), file_ ? file_->from() : std::nullopt);
        auto models = load_served_models(run_, backbone, here_, !given_.dry_run);
        if (here_.root()) {
            const auto rank_of = here_.network().needs_order() ? run_.rank_of : std::vector<int>();
            played_ = inference_ledger(*run_.deploy, rank_of).play(plan_);
            check_memory(*run_.deploy, played_.nodes);
            warn_of_batteries(played_.nodes);
            for (const auto& warning : slow_links(*run_.deploy).find(played_.events)) {
                spdlog::warn("{}", warning);
            }
        }
        return models;
    }

    void open_output() {
        if (!here_.root()) {
            return;
        }
        const auto& scene = *run_.scene;
        std::vector<stage_description> stages;
        for (const auto& one : speeds_) {
            stages.push_back({one.shape, one.forward_flop_s, one.backward_flop_s, one.step_flop_s});
        }
        std::size_t widest = 64;
        for (std::size_t c = 0; c < plan_.lines.size(); ++c) {
            const int cluster = static_cast<int>(c);
            for (const auto sample :
                 run_.data->requests().of(cluster, requester(cluster), plan_.requests_of(cluster))) {
                widest = std::max(widest, run_.data->requests().describe(cluster, sample).first.size());
            }
        }
        recorder_options options;
        options.events = scene.events;
        options.ranks = describe_ranks(here_.devices());
        options.stages = std::move(stages);
        if (run_.scene->model.tells_next_tokens()) {
            widest = recorder_options::most_bytes; // texts
        }
        options.image_bytes = std::min(widest, recorder_options::most_bytes);
        auto header = header_of(given_, scene, here_);
        header.clock = name_of_clock();
        header.time_scale = scene.time_scale;
        if (clock_ && !speeds_.empty()) {
            check_scale();
        }
        file_->open(std::move(header), std::move(options));
        file_->publish();
    }

    const char* name_of_clock() const { return run_.scene->clock == clock_kind::real ? "real" : "virtual"; }

    void check_scale() const {
        round_forecast whole; // a session is like one round in which all edges begin together
        whole.events = played_.events;
        for (std::uint32_t edge = 0; edge < played_.end_s.size(); ++edge) {
            auto& row = whole.rounds.emplace_back();
            row.edge = edge;
            row.end_s = row.latency_s = played_.end_s[edge];
        }
        clock_->check_scale(*run_.deploy, run_.rank_of, whole, speeds_);
    }

    const std::string& requester(int cluster) const {
        return run_.deploy->net.nodes[run_.deploy->chains[static_cast<std::size_t>(cluster)].front().node].name;
    }

    /// \returns false when the run has to stop for now.
    bool play(const loaded_backbone& backbone, const served_models& models) {
        const auto decisions = share_from_root(here_.network(), played_.decisions);
        if (here_.gpu() && !run_.scene->model.tells_next_tokens()) {
            std::set<std::int64_t> sizes;
            for (const auto& of_cluster : decisions.batches) {
                for (const auto& batch : of_cluster) {
                    sizes.insert(batch.count);
                }
            }
            warm_up(*run_.deploy, backbone.backbone, sizes);
        }
        const stopwatch watch;
        std::uint64_t work = 0, done = 0, computations = 0;
        const auto before = part_of(plan_, decisions, 0, file_->steps_before()).decisions.batches;
        for (std::size_t c = 0; c < decisions.batches.size(); ++c) {
            for (const auto& seat : run_.deploy->chains[c]) {
                const bool mine = run_.rank_of[seat.node] == here_.rank();
                work += mine ? decisions.batches[c].size() : 0;
                done += mine ? before[c].size() : 0;
            }
        }
        const auto& scene = *run_.scene;
        const auto done_before = done;
        auto hooks = watchful_hooks(run_, here_, clock_.get());
        hooks.computed = [&](std::size_t strands) {
            done += strands;
            ++computations;
            if (here_.root()) {
                progress_.update(done, work, "inference");
            }
        };
        stage_stacks stacks(*run_.deploy, backbone.backbone,
                            {scene.train.optimizer, scene.train.momentum, scene.train.weight_decay});
        inference_run tensors(
            *run_.deploy, here_.network(), run_.rank_of,
            [&](const stage_seat& seat) {
                std::shared_ptr<sample_source> source;
                if (seat.node == run_.deploy->chains[static_cast<std::size_t>(seat.cluster)].front().node) {
                    source =
                        run_.data->requests_of(seat.cluster, requester(seat.cluster), plan_.requests_of(seat.cluster));
                }
                auto stage = std::make_unique<torch_stage>(stacks.of(seat), std::move(source));
                const auto& infer = scene.infer;
                stage->choose_tokens_by(make_token_chooser({infer.temperature, infer.top_k, infer.top_p}, scene.seed,
                                                           requester(seat.cluster)));
                return stage;
            },
            models.modules, std::move(hooks));
        const bool whole = play_parts(tensors, decisions);
        wall_s_ = watch.seconds();
        if (here_.root()) {
            spdlog::info("rank 0 computed {} times, for {} batches at a stage (runtime.fuse)", computations,
                         done - done_before);
        }
        return whole;
    }

    /// Rank 0's decision after a part, sent to the other ranks.
    struct verdict {
        std::uint64_t batches = 1; ///< Number of batches of each cluster in the next part.
        bool requeue = false, interrupted = false;
        bool late = false; ///< Real time was not kept, and strict_fidelity is on.
    };

    /// Plays parts until all batches are answered. \returns false when the run has to stop for now.
    bool play_parts(inference_run& tensors, const inference_decisions& decisions) {
        if (const auto& from = file_->from()) {
            answers_ = from->sessions.at(0);
            fidelity_ = from->fidelity;
        }
        session::check_interrupt();
        session::begin_steps();
        const auto all = most_batches(decisions);
        verdict next;
        if (clock_) {
            next.batches = all; // a pause between parts would make messages late
        }
        int parts = 0;
        for (auto done = file_->steps_before(); done < all;) {
            const stopwatch of_part;
            const auto end = std::min<std::size_t>(all, done + next.batches);
            const auto part = part_of(plan_, decisions, done, end);
            if (clock_) {
                clock_->begin_round();
            }
            tensors.play(part.plan, part.decisions);
            if (clock_) {
                const auto late = clock_->end_round(1, part.decisions.latency_s, tensors.take_lateness());
                fidelity_.insert(fidelity_.end(), late.begin(), late.end());
            }
            for (const auto& [cluster, some] : collect_answers(here_.network(), tensors)) {
                answers_[cluster].insert(answers_[cluster].end(), some.begin(), some.end());
            }
            next = decide(end - done, of_part.seconds());
            done = end;
            const auto every = run_.scene->checkpoint.every;
            const bool stops = next.requeue && done < all;
            const auto carried = carried_so_far();
            if (next.interrupted) {
                file_->stop("interrupted");
                throw error(exit_code::interrupted, "interrupted", true);
            }
            if (here_.root() && (stops || done == all || (every > 0 && ++parts % every == 0))) {
                checkpoint state;
                state.step = done;
                state.sessions = {answers_};
                state.transports = carried;
                state.fidelity = fidelity_;
                state.speeds = speeds_.empty() ? std::string() : speeds_text(speeds_);
                file_->save(std::move(state));
            }
            if (next.late) {
                file_->stop("real time was not kept");
                throw error(exit_code::fidelity, clock_->complaint(1), true);
            }
            if (stops) {
                file_->stop(fmt::format("stopped by a signal after {} of {} batches; resumable", done, all));
                return false;
            }
        }
        carried_ = carried_so_far();
        return true;
    }

    /// \param batches number of batches of each cluster in the last part. \param took its wall time, s.
    verdict decide(std::size_t batches, double took) const {
        verdict said;
        const auto asked = file_->asked_to_stop();
        if (here_.root()) {
            constexpr double most_growth = 8.0; // the first part has one batch and is slow
            const double growth = std::min(most_growth, run_.scene->checkpoint.part_s / std::max(took, 1e-9));
            said = {std::max<std::uint64_t>(1, static_cast<std::uint64_t>(growth * static_cast<double>(batches))),
                    asked.requeue, asked.interrupted, clock_ && clock_->violated()};
        }
        return share_from_root(here_.network(), said);
    }

    /// Traffic of all runs of this output so far, at rank 0.
    std::vector<transport_row> carried_so_far() const {
        auto rows = file_->from() ? file_->from()->transports : std::vector<transport_row>();
        for (const auto& now : collect_counters(here_.network())) {
            const auto same = [&](const auto& row) { return row.transport == now.transport; };
            const auto before = std::find_if(rows.begin(), rows.end(), same);
            auto& row = before == rows.end() ? rows.emplace_back(transport_row{1, now.transport, 0, 0}) : *before;
            row.messages += now.messages;
            row.bytes += now.bytes;
        }
        return rows;
    }

    /// A text ends at the token that says so, and the ledger is played again with what was really told: a forecast cannot
    /// know it.
    void end_texts() {
        const auto words = run_.data->words();
        if (!run_.scene->model.tells_next_tokens() || run_.scene->infer.until == text_end::length || clock_ ||
            !words->specials().end) {
            return;
        }
        auto shorter = plan_;
        bool ended = false;
        for (auto& [cluster, texts] : answers_) {
            for (std::size_t request = 0; request < texts.size(); ++request) {
                auto& tokens = texts[request].tokens;
                const auto end = std::find(tokens.begin(), tokens.end(), *words->specials().end);
                if (end != tokens.end() && end + 1 != tokens.end()) {
                    tokens.erase(end + 1, tokens.end());
                    shorter.lines[static_cast<std::size_t>(cluster)].texts[request].tokens =
                        static_cast<std::int64_t>(tokens.size());
                    ended = true;
                }
            }
        }
        if (ended) {
            plan_ = std::move(shorter);
            played_ = inference_ledger(*run_.deploy).play(plan_);
        }
    }

    /// Stores the predictions of all start points.
    void take_answers(const served_models& models) {
        std::map<int, std::vector<std::size_t>> samples;
        for (auto& row : played_.requests) {
            const int cluster = static_cast<int>(row.cluster);
            auto& own = samples[cluster];
            if (own.empty()) {
                own = run_.data->requests().of(cluster, requester(cluster), plan_.requests_of(cluster));
            }
            describe_answer(*run_.data, cluster, own.at(row.request), answers_.at(cluster).at(row.request),
                            models.classes[row.edge], row);
        }
        for (auto& row : played_.tokens) {
            row.id = static_cast<std::int32_t>(
                answers_.at(static_cast<int>(row.cluster)).at(row.request).tokens.at(row.token));
        }
    }

    /// OUTPUT.predictions.csv, and of texts OUTPUT.predictions.jsonl: they have line feeds.
    std::string predictions_text() const {
        std::string text;
        if (run_.scene->model.tells_next_tokens()) {
            for (const auto& row : played_.requests) {
                const nlohmann::ordered_json line{{"requester", run_.deploy->net.nodes[row.client].name},
                                                  {"request", row.request},
                                                  {"sample", row.image},
                                                  {"prompt", row.label},
                                                  {"text", row.predicted},
                                                  {"prompt_tokens", row.prompt_tokens},
                                                  {"tokens", row.tokens},
                                                  {"arrival_s", row.arrival_s},
                                                  {"first_token_s", row.first_token_s},
                                                  {"latency_s", row.latency_s}};
                text += line.dump() + "\n";
            }
            return text;
        }
        text = "requester,request,image,label,predicted,probability,arrival_s,latency_s\n";
        for (const auto& row : played_.requests) {
            text += fmt::format("{},{},{},{},{},{:.6f},{:.9g},{:.9g}\n", run_.deploy->net.nodes[row.client].name,
                                row.request, cell(row.image), cell(row.label), cell(row.predicted), row.probability,
                                row.arrival_s, row.latency_s);
        }
        return text;
    }

    void write() {
        file_->results().write_requests(played_.requests);
        file_->results().write_tokens(played_.tokens);
        file_->results().write_round({{}, played_.nodes, played_.events, carried_, fidelity_});
        const auto text = predictions_text();
        atomic_file file(predictions_path(*run_.scene));
        file.write_at(0, std::as_bytes(std::span(text)));
        file.commit();
        file_->end("all requests are answered");
    }

    inference_summary summary(const std::string& from) const {
        auto out = summary_of(run_, played_);
        out.planned = given_.dry_run;
        out.wall_s = wall_s_;
        out.clock = name_of_clock();
        out.time_scale = run_.scene->time_scale;
        for (const auto& row : fidelity_) {
            out.lateness.push_back(row.late_s);
        }
        out.served_by = from;
        out.output = given_.dry_run ? "" : run_.scene->output;
        return out;
    }

    const configuration given_;
    session& here_;
    prepared_run run_;
    inference_plan plan_; ///< At the end, texts are as long as they became.
    std::optional<resumable_run> file_;
    inference_forecast played_;       ///< Rank 0
    std::vector<stage_speed> speeds_; ///< Rank 0: measured speeds.
    session_answers answers_;         ///< Rank 0
    std::vector<transport_row> carried_;
    std::unique_ptr<real_clock> clock_;  ///< Null unless `clock = real`.
    std::vector<fidelity_row> fidelity_; ///< Rank 0
    double wall_s_ = 0;
    progress progress_{given_.progress};
    inference_summary outcome_; ///< Rank 0
};

inference::inference(configuration given, session& here): parts_(std::make_unique<parts>(given, here)) {}
inference::~inference() = default;
inference_summary inference::forecast() { return parts_->forecast(); }
run_ending inference::run() { return parts_->run(); }
const inference_summary& inference::outcome() const { return parts_->outcome(); }
std::string inference::advice() const { return parts_->advice(); }
std::string inference::description() const { return parts_->description(); }
std::string inference::predictions() const { return parts_->predictions(); }

} // namespace gaisnet
