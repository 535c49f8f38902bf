#include "experiment/serving.hpp"

#include "experiment/backbone.hpp"
#include "experiment/measurement.hpp"
#include "experiment/players.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/resumable_run.hpp"
#include "experiment/service_table.hpp"
#include "model/torch/torch_stage.hpp"
#include "planning/gain_curve.hpp"
#include "planning/service_policy.hpp"
#include "results/recorder.hpp"
#include "rounds/describe.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/inference_run.hpp"
#include "rounds/ledger_run.hpp"
#include "scenario/scenario.hpp"
#include "transport/collectives.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>

namespace gaisnet {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// Samples of requests, of which earlier sessions have used the first ones.
class remaining_requests final : public sample_source {
public:
    remaining_requests(std::shared_ptr<sample_source> all, const std::int64_t& used)
        : all_(std::move(all))
        , used_(used) {}
    tensor_view images(const micro_batch& micro) override { return all_->images(after(micro)); }
    tensor_view labels(const micro_batch& micro) override { return all_->labels(after(micro)); }

private:
    micro_batch after(micro_batch micro) const {
        micro.first += used_;
        return micro;
    }
    std::shared_ptr<sample_source> all_;
    const std::int64_t& used_;
};

} // namespace

class serving::parts {
public:
    parts(configuration given, session& here)
        : given_(std::move(given))
        , here_(here)
        , run_(prepare(given_, here, true))
        , infer_scene_(std::make_unique<scenario>(*run_.scene)) {
        const auto& scene = *run_.scene;
        if (scene.computing == compute_model::measured) {
            throw usage_error("serve: compute = model is accepted; measured is not built yet");
        }
        if (scene.scheme == scheme_kind::sl || scene.scheme == scheme_kind::centralised) {
            throw usage_error("scheme: serve accepts hfsl, fl and splitfed");
        }
        if (scene.cloud.period > 0) {
            throw usage_error("cloud.period: a cloud is not built yet for serve; 0 is accepted");
        }
        if (scene.infer.arrivals == arrival_kind::trace || !scene.infer.images.empty() ||
            !scene.infer.modules.empty() || scene.infer.model.whose != served_model::own) {
            throw usage_error("serve: infer.trace, infer.images, infer.modules and infer.model belong to infer");
        }
        for (const auto& node : run_.deploy->net.nodes) {
            if (std::isfinite(node.device.battery_j)) {
                throw usage_error(node.name + " has a battery: batteries are not built yet for serve");
            }
        }
        infer_scene_->service = service_kind::inference;
        infer_deploy_ = std::make_unique<deployment>(make_deployment(
            *infer_scene_, make_tuning_method(*infer_scene_), run_.data->sizes(), run_.data->shares().samples()));
        const auto edges = static_cast<std::size_t>(scene.network.edges);
        used_.assign(infer_deploy_->chains.size(), 0);
        sessions_of_edge_.assign(edges, 0);
        versions_.assign(infer_deploy_->net.nodes.size(), -1);
        for (const auto& chain : run_.deploy->chains) {
            start_points_.push_back(run_.deploy->net.nodes[chain.front().node].name);
        }
    }

    const service_outcome& outcome() const { return outcome_; }

    run_ending run() {
        const auto& scene = *run_.scene;
        const auto backbone = load_backbone(scene, here_);
        if (here_.gpu()) {
            run_.data->use_gpu(*here_.gpu());
            warm_up(*run_.deploy, backbone.backbone);
        }
        file_.emplace(given_, run_, backbone, here_, "step");
        if (file_->has_ended({})) {
            return run_ending::was_there;
        }
        replays_ = file_->find().has_value();
        clock_ = real_clock::start(scene, here_);
        make_players(backbone);
        if (here_.root()) {
            open_output();
            estimate_costs();
        }
        if (!replays_) {
            begin_steps();
        }
        const auto starts = evaluate_all();
        begin_decisions(starts);
        for (int round = 0; round < scene.serve.rounds; ++round) {
            session::check_interrupt();
            const auto action = decide(round);
            if (!action) {
                service_row nothing;
                nothing.accuracy = nothing.expected = unknown;
                note_row(round, nothing, "none");
            } else if (action->upgrade) {
                fine_tune(round, static_cast<std::uint32_t>(action->model));
            } else {
                answer_requests(round, static_cast<std::uint32_t>(action->model));
            }
            if (!end_step()) {
                return run_ending::requeue;
            }
        }
        if (scene.serve.regret && !train_to_the_end()) {
            return run_ending::requeue;
        }
        if (here_.root()) {
            if (scene.serve.regret) {
                compare_with_oracle();
            }
            file_->end(fmt::format("serve.rounds = {}", scene.serve.rounds));
            outcome_ = {rows_, scene.serve.cash, oracle_cash_, expected_cash_};
        }
        return run_ending::complete;
    }

private:
    std::uint32_t edges() const { return static_cast<std::uint32_t>(run_.scene->network.edges); }

    void make_players(const loaded_backbone& backbone) {
        const auto hooks = watchful_hooks(run_, here_, clock_.get());
        const auto models = initial_models(run_, backbone);
        tuner_ = std::make_unique<tensor_run>(*run_.deploy, here_.network(), run_.rank_of,
                                              training_executors(run_, backbone.backbone), models, hooks);
        std::int64_t most = 0; // requests that one start point can have
        for (int round = 0; round < run_.scene->serve.rounds; ++round) {
            std::int64_t largest = 0;
            for (std::uint32_t edge = 0; edge < edges(); ++edge) {
                largest = std::max(largest, demand_of(round, edge));
            }
            most += largest;
        }
        answerer_ = std::make_unique<inference_run>(
            *infer_deploy_, here_.network(), run_.rank_of,
            [&](const stage_seat& seat) {
                std::shared_ptr<sample_source> source;
                const auto cluster = static_cast<std::size_t>(seat.cluster);
                if (seat.node == infer_deploy_->chains[cluster].front().node) {
                    source = std::make_shared<remaining_requests>(
                        run_.data->requests_of(seat.cluster, start_points_[cluster], most), used_[cluster]);
                }
                return std::make_unique<torch_stage>(seat.spec, backbone.backbone, optimizer_settings{},
                                                     std::move(source));
            },
            models, hooks);
        for (const auto& domain : run_.deploy->domains) {
            evaluated_.emplace_back(backbone.backbone, run_.deploy->method, domain.size.classes);
        }
        if (here_.root()) {
            const auto order = here_.network().needs_order() ? run_.rank_of : std::vector<int>();
            tuning_ledger_ = std::make_unique<ledger_run>(*run_.deploy, order);
            answer_ledger_ = std::make_unique<inference_ledger>(*infer_deploy_, order);
        }
    }

    void open_output() {
        recorder_options options;
        options.events = run_.scene->events;
        options.ranks = describe_ranks(here_.devices());
        options.samples = describe_samples(run_);
        auto header = header_of(given_, *run_.scene, here_);
        header.clock = clock_ ? "real" : "virtual";
        header.time_scale = run_.scene->time_scale;
        if (file_->from()) {
            fidelity_ = file_->from()->fidelity;
        }
        file_->open(std::move(header), std::move(options));
    }

    /// After a round of service, or of training to the end. Of the steps before a checkpoint the ledger's part is
    /// played again, and what tensors gave is known; after the last one they are as they were.
    /// \returns false when the run has to stop for now.
    bool end_step() {
        ++steps_;
        if (replays_) {
            if (steps_ == file_->steps_before()) {
                restore();
            }
            return true;
        }
        struct verdict {
            bool requeue = false, checkpoint = false, late = false;
        };
        const auto asked = file_->asked_to_stop();
        const auto every = static_cast<std::size_t>(run_.scene->checkpoint.every);
        const bool late = clock_ && clock_->violated();
        const auto said = share_from_root(
            here_.network(), verdict{asked.requeue, asked.requeue || late || (every > 0 && steps_ % every == 0), late});
        if (said.checkpoint) {
            save();
        }
        if (said.late) {
            file_->stop("real time was not kept");
            throw error(exit_code::fidelity, clock_->complaint(static_cast<int>(steps_)), true);
        }
        if (said.requeue) {
            file_->stop(fmt::format("stopped by a signal after step {}; resumable", steps_));
        }
        return !said.requeue;
    }

    void restore() {
        const auto& state = *file_->from();
        tuner_->restore(state.stages);
        for (std::uint32_t edge = 0; edge < state.models.size(); ++edge) {
            tuner_->set_model(edge, state.models[edge]);
            answerer_->set_model(edge, state.models[edge]);
        }
        replays_ = false;
        begin_steps();
    }

    void begin_steps() {
        file_->publish();
        session::check_interrupt();
        session::begin_steps();
    }

    void save() {
        here_.note("checkpoint");
        checkpoint state;
        state.step = steps_;
        state.stages = collect_stages(here_.network(), tuner_->save());
        state.models = collect_models(here_.network(), *tuner_, run_.scene->network.edges);
        state.rounds = evaluations_;
        state.sessions = sessions_;
        state.fidelity = fidelity_;
        file_->save(std::move(state));
    }

    double price(const std::vector<node_row>& nodes, const std::vector<event_row>& events, double latency_s,
                 service_row& row) const {
        const auto& serve = run_.scene->serve;
        for (const auto& node : nodes) {
            row.energy_j += node.total_j();
        }
        for (const auto& event : events) {
            row.spectrum_hz_s += event.airtime_hz_s;
        }
        row.latency_s = latency_s;
        return serve.price_time * row.latency_s + serve.price_energy * row.energy_j +
               serve.price_spectrum * row.spectrum_hz_s;
    }

    /// What a service of each edge costs, from ledgers of their own: nothing of it is done.
    void estimate_costs() {
        ledger_run tuning(*run_.deploy);
        inference_ledger answering(*infer_deploy_);
        for (std::uint32_t edge = 0; edge < edges(); ++edge) {
            service_row row;
            const auto first = tuning.play_one(1, edge);
            check_memory(*run_.deploy, first.nodes);
            tuning_cost_.push_back(price(first.nodes, first.events, first.rounds.front().latency_s, row));
            service_row other;
            std::int64_t most = 1;
            for (int round = 0; round < run_.scene->serve.rounds; ++round) {
                most = std::max(most, demand_of(round, edge));
            }
            const auto plan = plan_for(first_cluster(edge), 0, most);
            const auto session = answering.play(plan);
            const auto mine = of_edge(session, edge);
            answer_cost_.push_back(price(mine.nodes, mine.events, session.end_s[edge], other) /
                                   static_cast<double>(most));
        }
    }

    int first_cluster(std::uint32_t edge) const { return static_cast<int>(edge) * run_.scene->network.clusters; }

    /// Requests that a round of use of an edge's model answers. \param round from 0.
    std::int64_t demand_of(int round, std::uint32_t edge) const {
        return static_cast<std::int64_t>(rules().demand_of(round, edge));
    }

    /// A session in which one start point has requests.
    /// \param round of service, from 0.
    inference_plan plan_for(int cluster, int round, std::int64_t of_session) const {
        std::vector<std::int64_t> requests(infer_deploy_->chains.size(), 0);
        requests[static_cast<std::size_t>(cluster)] = of_session;
        auto plan = make_inference_plan(*infer_deploy_, requests, round + 1);
        for (std::size_t node = 0; node < versions_.size(); ++node) {
            const auto owner = infer_deploy_->net.nodes[node].edge;
            plan.holds[node] =
                plan.holds[node] || (owner >= 0 && versions_[node] == tuner_rounds_[static_cast<std::size_t>(owner)]);
        }
        return plan;
    }

    /// Other edges have no part in a session.
    inference_forecast of_edge(const inference_forecast& all, std::uint32_t edge) const {
        inference_forecast mine;
        mine.requests = all.requests;
        mine.events = all.events;
        for (const auto& node : all.nodes) {
            if (infer_deploy_->net.nodes[node.node].edge == static_cast<int>(edge)) {
                mine.nodes.push_back(node);
            }
        }
        return mine;
    }

    /// Accuracies of all edges' models as they are, at rank 0.
    std::vector<double> evaluate_all() {
        here_.note("evaluation");
        std::vector<std::uint32_t> all(edges());
        std::iota(all.begin(), all.end(), 0U);
        return accuracies(all);
    }

    std::vector<double> accuracies(std::span<const std::uint32_t> some) {
        std::vector<round_result> results;
        if (replays_) {
            results = file_->from()->rounds.at(evaluations_.size());
        } else {
            const auto batches = evaluate_models(run_, here_, *tuner_, evaluated_, some);
            results = collect_results(here_.network(), *run_.deploy, tuner_->take_totals(), batches);
        }
        evaluations_.push_back(results);
        std::vector<double> values;
        for (const auto& one : results) {
            values.push_back(one.accuracy);
        }
        last_results_ = results;
        return values;
    }

    void begin_decisions(const std::vector<double>& starts) {
        if (!here_.root()) {
            return;
        }
        for (std::uint32_t edge = 0; edge < edges(); ++edge) {
            const double fit = run_.data->shares().data_fit(edge, start_points_);
            curves_.emplace_back(starts[edge], fit);
            truth_.push_back({starts[edge]});
            spdlog::info(
                "edge{}: accuracy {:.4f} before service, data fit {:.3f}, a fine-tuning costs {:.4g}, a request {:.4g}",
                edge, starts[edge], fit, tuning_cost_[edge], answer_cost_[edge]);
        }
        state_ = {std::vector<std::size_t>(edges(), 0), run_.scene->serve.cash};
    }

    /// Accuracy of an edge's model after some rounds, as it is believed.
    double believed(std::uint32_t edge, std::size_t rounds) const {
        const auto& given = run_.scene->serve.curves;
        if (given.empty()) {
            return curves_[edge].at(rounds);
        }
        return given[edge][std::min(rounds, given[edge].size() - 1)];
    }

    /// Profits of a request and costs of fine-tuning by level. \param accuracy of an edge's model by rounds.
    std::vector<service_model> models_with(const std::function<double(std::uint32_t, std::size_t)>& accuracy) const {
        const auto& serve = run_.scene->serve;
        std::vector<service_model> models;
        for (std::uint32_t edge = 0; edge < edges(); ++edge) {
            service_model one{run_.deploy->net.nodes[edge].name, {}, {}};
            for (std::size_t level = 0; level <= static_cast<std::size_t>(serve.rounds); ++level) {
                one.profit.push_back(serve.value[edge] * accuracy(edge, level) - answer_cost_[edge]); // of a request
                if (level > 0) {
                    one.upgrade_cost.push_back(tuning_cost_[edge]);
                }
            }
            models.push_back(std::move(one));
        }
        return models;
    }

    service_rules rules() const { return rules_of(*run_.scene); }

    std::optional<service_action> decide(int round) {
        std::optional<service_action> chosen;
        if (here_.root()) {
            const auto models = models_with([&](std::uint32_t edge, std::size_t n) { return believed(edge, n); });
            random_stream stream(run_.scene->seed, "service", "services", static_cast<std::uint32_t>(round));
            chosen = choose_service(run_.scene->serve.policies.front(), models, rules(), round, state_, stream);
        }
        return share_from_root(here_.network(), chosen);
    }

    /// A round of fine-tuning of one edge. \returns its forecast, at rank 0.
    round_forecast train(std::uint32_t edge) {
        const int number = ++tuner_rounds_[edge];
        round_forecast played;
        if (here_.root()) {
            tuning_ledger_->wait_until(edge, now_s_);
            played = tuning_ledger_->play_one(number, edge);
        }
        const auto decisions = share_from_root(here_.network(), played.decisions);
        if (!replays_) {
            in_real_time(decisions.latency_s, *tuner_, [&] { tuner_->play(number, decisions); });
        }
        return played;
    }

    /// \param work of a service that takes `latency_s`: it begins and ends with the real clock, if there is one.
    template <typename Players, typename Work>
    void in_real_time(double latency_s, Players& players, const Work& work) {
        if (clock_ && !to_the_end_) {
            clock_->begin_round();
        }
        work();
        if (clock_ && !to_the_end_) {
            const auto late =
                clock_->end_round(static_cast<std::uint32_t>(steps_) + 1, latency_s, players.take_lateness());
            fidelity_.insert(fidelity_.end(), late.begin(), late.end());
        }
    }

    void fine_tune(int round, std::uint32_t edge) {
        here_.note(fmt::format("service {}: fine-tuning of edge{}", round + 1, edge));
        auto played = train(edge);
        if (!replays_ && tuner_->in_group(edge)) {
            answerer_->set_model(edge, tuner_->model(edge));
        }
        const auto results = accuracies(std::span(&edge, 1));
        if (!here_.root()) {
            return;
        }
        const double accuracy = results[edge];
        service_row row;
        row.model = run_.deploy->net.nodes[edge].name;
        row.expected = believed(edge, state_.levels[edge] + 1);
        row.accuracy = accuracy;
        row.level = static_cast<std::uint32_t>(state_.levels[edge]);
        row.cost = price(played.nodes, played.events, played.rounds.front().latency_s, row);
        tuning_cost_[edge] = row.cost;
        curves_[edge].add(accuracy);
        truth_[edge].push_back(accuracy);
        ++state_.levels[edge];
        now_s_ += row.latency_s;
        auto& record = played.rounds.front();
        const auto& result = last_results_[edge];
        record.accuracy = result.accuracy;
        record.loss = result.loss;
        record.train_accuracy = result.train_accuracy;
        record.train_loss = result.train_loss;
        write(round, played.rounds, played.nodes, played.events, {});
        note_row(round, row, "fine_tune");
    }

    /// A session of inference of one of the edge's clients, in turn.
    void answer_requests(int round, std::uint32_t edge) {
        here_.note(fmt::format("service {}: requests to edge{}", round + 1, edge));
        if (demand_of(round, edge) == 0) {
            service_row row;
            row.model = run_.deploy->net.nodes[edge].name;
            row.accuracy = row.expected = unknown;
            note_row(round, row, "infer");
            return;
        }
        const int number = round + 1;
        const int cluster = first_cluster(edge) + sessions_of_edge_[edge]++ % run_.scene->network.clusters;
        const auto plan = plan_for(cluster, round, demand_of(round, edge));
        inference_forecast played;
        if (here_.root()) {
            played = answer_ledger_->play(plan, number, now_s_);
        }
        const auto decisions = share_from_root(here_.network(), played.decisions);
        if (replays_) {
            sessions_.push_back(file_->from()->sessions.at(sessions_.size()));
        } else {
            in_real_time(decisions.latency_s, *answerer_, [&] { answerer_->play(plan, decisions); });
            sessions_.push_back(collect_answers(here_.network(), *answerer_));
        }
        const auto& answers = sessions_.back();
        for (const auto& seat : infer_deploy_->chains[static_cast<std::size_t>(cluster)]) {
            versions_[seat.node] = tuner_rounds_[edge];
        }
        const auto which = static_cast<std::size_t>(cluster);
        const auto requests = plan.requests_of(cluster);
        if (here_.root()) {
            const auto samples = run_.data->requests().of(cluster, start_points_[which], used_[which] + requests);
            service_row row;
            row.model = run_.deploy->net.nodes[edge].name;
            row.requester = start_points_[which];
            row.level = static_cast<std::uint32_t>(state_.levels[edge]);
            row.expected = believed(edge, state_.levels[edge]);
            row.requests = static_cast<std::uint64_t>(requests);
            for (auto& one : played.requests) {
                const auto& given = answers.at(cluster).at(one.request);
                std::tie(one.image, one.label) = run_.data->requests().describe(
                    cluster, samples.at(static_cast<std::size_t>(used_[which]) + one.request));
                one.predicted = run_.data->shares().class_names(edge).at(given.predicted);
                one.probability = given.probability;
                row.right += one.label == one.predicted ? 1U : 0U;
            }
            row.accuracy = static_cast<double>(row.right) / static_cast<double>(row.requests);
            const auto mine = of_edge(played, edge);
            row.cost = price(mine.nodes, mine.events, played.end_s[edge] - now_s_, row);
            row.value = run_.scene->serve.value[edge] * static_cast<double>(row.right);
            answer_cost_[edge] = row.cost / static_cast<double>(requests);
            now_s_ += row.latency_s;
            write(round, {}, mine.nodes, mine.events, played.requests);
            note_row(round, row, "infer");
        }
        used_[which] += requests;
    }

    /// Rows of whatever ledger, under the number of the round of service.
    void write(int round, std::vector<round_row> rounds, std::vector<node_row> nodes, std::vector<event_row> events,
               std::vector<request_row> requests) {
        const auto number = static_cast<std::uint32_t>(round) + 1;
        const auto renumber = [&](auto& rows) {
            for (auto& row : rows) {
                row.round = number;
            }
        };
        renumber(rounds);
        renumber(nodes);
        renumber(events);
        renumber(requests);
        if (!requests.empty()) {
            file_->results().write_requests(requests);
        }
        std::vector<fidelity_row> late;
        std::copy_if(fidelity_.begin(), fidelity_.end(), std::back_inserter(late),
                     [&](const auto& row) { return row.round == number; });
        file_->results().write_round({rounds, nodes, events, {}, late});
    }

    void note_row(int round, service_row row, const char* action) {
        if (!here_.root()) {
            return;
        }
        row.round = static_cast<std::uint32_t>(round) + 1;
        row.policy = name_of(run_.scene->serve.policies.front());
        row.action = action;
        state_.cash += row.income();
        row.cash = state_.cash;
        if (run_.scene->serve.liquidity && state_.cash < 0.0) {
            spdlog::warn(
                "round {}: the service earned less than was expected, and cash is {:.4g}: serve.liquidity keeps "
                "what is planned from going below 0, not what happens",
                row.round, state_.cash);
        }
        file_->results().write_services(std::span(&row, 1));
        spdlog::info("round {}: {} {}{}, accuracy {:.4f}, income {:.4g}, cash {:.4g}", row.round, row.action, row.model,
                     row.requester.empty() ? "" : " for " + row.requester, row.accuracy, row.income(), row.cash);
        rows_.push_back(std::move(row));
    }

    /// All models are trained for as many rounds as there are. \returns false when the run has to stop for now.
    bool train_to_the_end() {
        to_the_end_ = true; // nobody is served meanwhile
        tuner_->pace_by(nullptr);
        const auto last = static_cast<std::size_t>(run_.scene->serve.rounds);
        for (std::uint32_t edge = 0; edge < edges(); ++edge) {
            while (static_cast<std::size_t>(tuner_rounds_[edge]) < last) {
                here_.note(fmt::format("training edge{} to the end", edge));
                train(edge);
                const auto results = accuracies(std::span(&edge, 1));
                if (here_.root()) {
                    truth_[edge].push_back(results[edge]);
                }
                if (!end_step()) {
                    return false;
                }
            }
        }
        return true;
    }

    /// What an oracle would have earned, and what this policy's decisions earn by the same figures.
    void compare_with_oracle() {
        const auto models = models_with([&](std::uint32_t edge, std::size_t n) { return truth_[edge].at(n); });
        service_state state{std::vector<std::size_t>(edges(), 0), run_.scene->serve.cash};
        oracle_cash_ = best_plan(models, rules(), 0, state).cash;
        for (const auto& row : rows_) {
            if (row.action != "none") {
                const auto model = static_cast<std::size_t>(
                    std::find_if(models.begin(), models.end(), [&](const auto& one) { return one.name == row.model; }) -
                    models.begin());
                apply(models, rules(), static_cast<int>(row.round) - 1, state, {row.action == "fine_tune", model});
            }
        }
        expected_cash_ = state.cash;
    }

    configuration given_;
    session& here_;
    prepared_run run_;
    std::unique_ptr<scenario> infer_scene_;
    std::unique_ptr<deployment> infer_deploy_; ///< The same nodes, with the links of inference.
    std::vector<std::string> start_points_;    ///< By cluster
    std::unique_ptr<tensor_run> tuner_;
    std::unique_ptr<inference_run> answerer_;
    std::vector<tuned_vit> evaluated_;
    std::vector<round_result> last_results_; ///< Rank 0
    std::unique_ptr<ledger_run> tuning_ledger_;
    std::unique_ptr<inference_ledger> answer_ledger_;
    std::optional<resumable_run> file_;
    std::unique_ptr<real_clock> clock_;                  ///< `clock = real`; else null.
    std::vector<fidelity_row> fidelity_;                 ///< Rank 0
    bool to_the_end_ = false;                            ///< Service is over; see train_to_the_end().
    std::size_t steps_ = 0;                              ///< Done, those before a checkpoint too.
    bool replays_ = false;                               ///< These are steps before a checkpoint.
    std::vector<std::vector<round_result>> evaluations_; ///< Rank 0: what tensors gave so far.
    std::vector<session_answers> sessions_;              ///< Likewise
    /// Rank 0, by edge: of the last fine-tuning, and of a request of the last session.
    std::vector<double> tuning_cost_, answer_cost_;
    std::vector<gain_curve> curves_;
    std::vector<std::vector<double>> truth_; ///< Rank 0, by edge and rounds: measured accuracies.
    service_state state_;
    std::vector<service_row> rows_;
    std::optional<double> oracle_cash_, expected_cash_; ///< Rank 0, with serve.regret.
    double now_s_ = 0;
    std::vector<int> tuner_rounds_ = std::vector<int>(static_cast<std::size_t>(run_.scene->network.edges), 0);
    std::vector<int> sessions_of_edge_;
    std::vector<int> versions_;      ///< By node: after how many rounds was the model that it holds; -1: none.
    std::vector<std::int64_t> used_; ///< By cluster: requests of earlier sessions.
    service_outcome outcome_;        ///< Rank 0
};

serving::serving(configuration given, session& here): parts_(std::make_unique<parts>(std::move(given), here)) {}
serving::~serving() = default;
run_ending serving::run() { return parts_->run(); }
const service_outcome& serving::outcome() const { return parts_->outcome(); }

} // namespace gaisnet
