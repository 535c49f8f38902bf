#include "experiment/serving.hpp"

#include "experiment/backbone.hpp"
#include "experiment/measurement.hpp"
#include "experiment/preparation.hpp"
#include "experiment/real_clock.hpp"
#include "experiment/resumable_run.hpp"
#include "experiment/service_accounts.hpp"
#include "experiment/service_forecasts.hpp"
#include "experiment/service_players.hpp"
#include "planning/request_desk.hpp"
#include "planning/request_stream.hpp"
#include "results/recorder.hpp"
#include "results/service_report.hpp"
#include "rounds/describe.hpp"
#include "scenario/scenario.hpp"
#include "transport/collectives.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

class serving::parts {
public:
    parts(configuration given, session& here)
        : given_(std::move(given))
        , here_(here)
        , run_(prepare(given_, here, true))
        , infer_scene_(std::make_unique<scenario>(*run_.scene)) {
        check_what_is_built();
        infer_scene_->service = service_kind::inference;
        if (run_.scene->serve.requests_wait()) {
            infer_scene_->infer.arrivals = arrival_kind::burst; // those of a session have come before it
            for (const auto& chain : run_.deploy->chains) {
                start_points_.push_back(run_.deploy->net.nodes[chain.front().node].name);
            }
            arrivals_ = draw_service_arrivals(*run_.scene, start_points_);
        }
        infer_deploy_ = std::make_unique<deployment>(make_deployment(
            *infer_scene_, make_tuning_method(*infer_scene_), run_.data->sizes(), run_.data->shares().samples()));
    }

    const service_outcome& outcome() const { return outcome_; }
    std::string description() const { return describe(run_); }

    std::vector<service_row> forecast() {
        load_backbone(*run_.scene, here_);
        here_.network().barrier();
        std::vector<service_row> rows;
        if (here_.root()) {
            recorder::check_output(run_.scene->output, run_.scene->overwrite);
            estimate_costs(&rows);
        }
        return rows;
    }

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
        const auto& from = file_->find();
        clock_ = real_clock::start(scene, here_);
        std::vector<std::int64_t> requests;
        for (const auto& times : arrivals_) {
            requests.push_back(static_cast<std::int64_t>(times.size()));
        }
        players_.emplace(run_, *infer_deploy_, here_, backbone, clock_.get(), from ? &*from : nullptr, requests);
        begin();
        for (int round = 0; round < scene.serve.rounds; ++round) {
            session::check_interrupt();
            play_round(round);
            if (!end_step()) {
                return run_ending::requeue;
            }
        }
        if (scene.serve.regret && !train_to_the_end()) {
            return run_ending::requeue;
        }
        if (here_.root()) {
            finish();
        }
        return run_ending::complete;
    }

private:
    std::uint32_t edges() const { return static_cast<std::uint32_t>(run_.scene->network.edges); }

    void check_what_is_built() const {
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
        const auto& infer = scene.infer;
        if (infer.arrivals == arrival_kind::trace || !infer.images.empty() || !infer.prompts.empty() ||
            !infer.modules.empty() || infer.model.whose != served_model::own) {
            throw usage_error(
                "serve: infer.trace, infer.images, infer.prompts, infer.modules and infer.model belong to infer");
        }
        for (const auto& node : run_.deploy->net.nodes) {
            if (std::isfinite(node.device.battery_j)) {
                throw usage_error(node.name + " has a battery: batteries are not built yet for serve");
            }
        }
    }

    /// How good answers of a model are, 0 to 1.
    double quality(const round_result& validated) const {
        const bool by_perplexity =
            run_.scene->model.tells_next_tokens() && run_.scene->serve.quality == text_quality::perplexity;
        return by_perplexity ? std::exp(-validated.loss) : validated.accuracy;
    }

    /// Up to the first round of service.
    void begin() {
        std::vector<service_costs> costs;
        if (here_.root()) {
            open_output();
            costs = estimate_costs();
        }
        if (!players_->replays()) {
            begin_steps();
        }
        here_.note("evaluation");
        std::vector<std::uint32_t> all(edges());
        std::iota(all.begin(), all.end(), 0U);
        const auto starts = players_->evaluate(all);
        for (std::uint32_t edge = 0; here_.root() && edge < edges(); ++edge) {
            accounts_->open(run_.deploy->net.nodes[edge].name, costs[edge], quality(starts[edge]),
                            run_.data->shares().data_fit(edge, players_->start_points()));
        }
        if (here_.root() && waits()) {
            open_desk();
        }
    }

    void open_output() {
        recorder_options options;
        options.events = run_.scene->events;
        options.ranks = describe_ranks(here_.devices());
        options.samples = describe_samples(run_);
        if (run_.scene->model.tells_next_tokens()) {
            options.image_bytes = recorder_options::most_bytes; // texts
        }
        auto header = header_of(given_, *run_.scene, here_);
        header.clock = clock_ ? "real" : "virtual";
        header.time_scale = run_.scene->time_scale;
        file_->open(std::move(header), std::move(options));
    }

    /// What services of each edge cost, before any is done. \param rows null, or what is told of them.
    std::vector<service_costs> estimate_costs(std::vector<service_row>* rows = nullptr) {
        accounts_.emplace(*run_.scene);
        forecasts_.emplace(run_, *infer_deploy_);
        std::vector<service_costs> costs;
        for (const auto& its : forecasts_->first_services()) {
            auto& of_edge = costs.emplace_back();
            const auto note = [&](const service_effort& effort, const char* action, std::int64_t requests) {
                service_row row;
                row.action = action;
                row.model = run_.deploy->net.nodes[costs.size() - 1].name;
                row.level = static_cast<std::uint32_t>(of_edge.tuning.size());
                row.requests = static_cast<std::uint64_t>(requests);
                row.cost = accounts_->price(effort, row);
                if (rows != nullptr) {
                    rows->push_back(row);
                }
                return service_price{row.latency_s, row.cost};
            };
            of_edge.answer = note(its.answering, "infer", its.requests).cost / static_cast<double>(its.requests);
            for (const auto& round : its.tuning) {
                of_edge.tuning.push_back(note(round, "fine_tune", 0));
            }
        }
        return costs;
    }

    // Requests that come by themselves and wait

    bool waits() const { return run_.scene->serve.requests_wait(); }
    std::uint32_t edge_of(int cluster) const {
        return static_cast<std::uint32_t>(run_.deploy->net.clusters[static_cast<std::size_t>(cluster)].edge);
    }

    /// By the ledger.
    service_price price_of_session(const session_order& order, bool has_version, int round) {
        return forecasts_->price(order, has_version, round, now_s_,
                                 [&](const service_effort& effort) { return accounts_->price(effort); });
    }

    /// With what sessions of each client take: a line through those of one request and of two full batches, and what one
    /// more takes for which modules have to be delivered.
    void open_desk() {
        std::vector<desk_client> clients;
        for (std::size_t cluster = 0; cluster < arrivals_.size(); ++cluster) {
            clients.push_back({start_points_[cluster], edge_of(static_cast<int>(cluster)), arrivals_[cluster]});
        }
        desk_.emplace(*run_.scene, std::move(clients));
        const std::int64_t many = 2 * static_cast<std::int64_t>(run_.scene->infer.batch);
        const auto less = [](service_price more, service_price one, double parts) -> service_price {
            return {std::max(0.0, (more.latency_s - one.latency_s) / parts),
                    std::max(0.0, (more.cost - one.cost) / parts)};
        };
        for (std::size_t cluster = 0; cluster < arrivals_.size(); ++cluster) {
            const auto number = static_cast<std::int32_t>(cluster);
            const auto of_many = price_of_session({number, 0, many}, true, 0);
            const auto of_one = price_of_session({number, 0, 1}, true, 0);
            const auto request = less(of_many, of_one, static_cast<double>(many - 1));
            const auto delivery = less(price_of_session({number, 0, 1}, false, 0), of_one, 1.0);
            desk_->price(cluster, {of_one.latency_s - request.latency_s, of_one.cost - request.cost}, request,
                         delivery);
        }
    }

    /// What rank 0 has chosen for a round: fine-tuning, a session, or nothing.
    struct round_order {
        bool tunes = false, answers = false;
        std::uint32_t edge = 0;
        session_order session;
    };

    round_order decide(int round) {
        for (std::size_t client = 0; client < arrivals_.size(); ++client) {
            if (const auto requests = desk_->answerable(client); requests > 0) {
                const session_order order{static_cast<std::int32_t>(client), desk_->first(client), requests};
                desk_->price_next(client, price_of_session(order, players_->has_version(order.cluster), round));
            }
        }
        const auto chosen = desk_->choose(round, accounts_->believed_models(), accounts_->levels(), accounts_->cash());
        file_->results().write_service_candidates(desk_->candidates());
        if (!chosen) {
            return {};
        }
        if (chosen->tunes) {
            return {true, false, static_cast<std::uint32_t>(chosen->number), {}};
        }
        const auto cluster = static_cast<std::int32_t>(chosen->number);
        return {
            false, true, edge_of(cluster), {cluster, desk_->first(chosen->number), desk_->answerable(chosen->number)}};
    }

    void serve_waiting(int round) {
        round_order order;
        if (here_.root()) {
            order = decide(round);
        }
        order = share_from_root(here_.network(), order);
        if (order.tunes) {
            fine_tune(round, order.edge);
        } else if (order.answers) {
            here_.note(fmt::format("service {}: requests of {}", round + 1,
                                   start_points_[static_cast<std::size_t>(order.session.cluster)]));
            answer_session(round, order.session);
        } else if (here_.root()) {
            wait_for_requests(round);
        }
        if (here_.root()) {
            desk_->pass_to(now_s_);
        }
    }

    /// Nothing is done until the next request comes.
    void wait_for_requests(int round) {
        auto row = service_accounts::nothing();
        if (const double next_s = desk_->next_arrival_s(); std::isfinite(next_s)) {
            row.latency_s = next_s - now_s_;
            now_s_ = next_s;
        }
        book(round, std::move(row), "none");
    }

    /// Makes the latencies of requests begin when they came, not with their session.
    void add_waits(const session_order& order, answered_session& done) const {
        for (auto& one : done.requests) {
            one.arrival_s = desk_->arrival_s(static_cast<std::size_t>(order.cluster), order.first + one.request);
            const double wait_s = now_s_ - one.arrival_s;
            one.latency_s += wait_s;
            one.first_token_s += wait_s;
            one.parts["queue"] += wait_s;
        }
        for (auto& one : done.tokens) {
            if (one.token == 0) {
                one.latency_s +=
                    now_s_ - desk_->arrival_s(static_cast<std::size_t>(order.cluster), order.first + one.request);
            }
        }
    }

    // Rounds

    void play_round(int round) {
        if (waits()) {
            serve_waiting(round);
            return;
        }
        std::optional<service_action> action;
        if (here_.root()) {
            action = accounts_->choose(round);
        }
        action = share_from_root(here_.network(), action);
        if (!action) {
            if (here_.root()) {
                book(round, service_accounts::nothing(), "none");
            }
        } else if (action->upgrade) {
            fine_tune(round, static_cast<std::uint32_t>(action->model));
        } else {
            answer_requests(round, static_cast<std::uint32_t>(action->model));
        }
    }

    void fine_tune(int round, std::uint32_t edge) {
        here_.note(fmt::format("service {}: fine-tuning of edge{}", round + 1, edge));
        auto played = players_->train(round, edge, now_s_);
        players_->put_to_use(edge);
        const auto results = players_->evaluate(std::span(&edge, 1));
        if (!here_.root()) {
            return;
        }
        const auto& result = results[edge];
        auto& record = played.rounds.front();
        const service_effort effort{played.nodes, played.events, record.latency_s};
        auto row = accounts_->fine_tuned(edge, effort, quality(result));
        now_s_ += row.latency_s;
        record.accuracy = result.accuracy;
        record.loss = result.loss;
        record.train_accuracy = result.train_accuracy;
        record.train_loss = result.train_loss;
        record.bits_per_byte = result.bits_per_byte;
        write(round, played.rounds, played.nodes, played.events, {});
        book(round, std::move(row), "fine_tune");
    }

    void answer_requests(int round, std::uint32_t edge) {
        here_.note(fmt::format("service {}: requests to edge{}", round + 1, edge));
        if (players_->demand_of(round, edge) == 0) {
            if (here_.root()) {
                book(round, accounts_->unasked(edge), "infer");
            }
            return;
        }
        answer_session(round, players_->take_turn(round, edge));
    }

    void answer_session(int round, const session_order& order) {
        auto done = players_->answer(round, order, now_s_);
        if (here_.root()) {
            auto row = accounts_->answered(edge_of(order.cluster), done);
            if (desk_) {
                add_waits(order, done);
                desk_->answer(static_cast<std::size_t>(order.cluster), row.right);
            }
            now_s_ += row.latency_s;
            write(round, {}, done.effort.nodes, done.effort.events, done.requests, done.tokens);
            book(round, std::move(row), "infer");
        }
    }

    /// Writes rows of any ledger under the number of the round of service.
    void write(int round, std::vector<round_row> rounds, std::vector<node_row> nodes, std::vector<event_row> events,
               std::vector<request_row> requests, std::vector<token_row> tokens = {}) {
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
        renumber(tokens);
        if (!requests.empty()) {
            file_->results().write_requests(requests);
            file_->results().write_tokens(tokens);
        }
        std::vector<fidelity_row> late;
        const auto& fidelity = players_->fidelity();
        std::copy_if(fidelity.begin(), fidelity.end(), std::back_inserter(late),
                     [&](const auto& row) { return row.round == number; });
        file_->results().write_round({rounds, nodes, events, {}, late});
    }

    void book(int round, service_row done, const char* action) {
        const auto& row = accounts_->book(round, std::move(done), action);
        file_->results().write_services(std::span(&row, 1));
        spdlog::info("round {}: {} {}{}, accuracy {:.4f}, income {:.4g}, cash {:.4g}", row.round, row.action, row.model,
                     row.requester.empty() ? "" : " for " + row.requester, row.accuracy, row.income(), row.cash);
    }

    /// Ends a round of service, or of the training to the end. During a replay the ledger plays the step again and the
    /// checkpoint supplies what the tensors gave; after the last replayed step the state is that of the checkpoint.
    /// \returns false when the run has to stop for now.
    bool end_step() {
        ++steps_;
        if (players_->replays()) {
            if (steps_ == file_->steps_before()) {
                players_->restore();
                begin_steps();
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
            here_.note("checkpoint");
            auto state = players_->save();
            state.step = steps_;
            file_->save(std::move(state));
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

    void begin_steps() {
        file_->publish();
        session::check_interrupt();
        session::begin_steps();
    }

    /// Trains all models for as many rounds as there are. \returns false when the run has to stop for now.
    bool train_to_the_end() {
        players_->leave_real_time(); // no requests are served meanwhile
        const int last = run_.scene->serve.rounds;
        for (std::uint32_t edge = 0; edge < edges(); ++edge) {
            while (players_->rounds_of(edge) < last) {
                here_.note(fmt::format("training edge{} to the end", edge));
                const auto played = players_->train(last, edge, now_s_);
                const auto results = players_->evaluate(std::span(&edge, 1));
                if (here_.root()) {
                    accounts_->trained_on(edge, {played.nodes, played.events, played.rounds.front().latency_s},
                                          quality(results[edge]));
                }
                if (!end_step()) {
                    return false;
                }
            }
        }
        return true;
    }

    void finish() {
        const double cash = run_.scene->serve.cash;
        outcome_ = {accounts_->rows(), cash, std::nullopt, {}};
        if (desk_) {
            outcome_.clients = desk_->clients();
            file_->results().write_service_clients(outcome_.clients);
        }
        if (run_.scene->serve.regret) {
            outcome_.oracle =
                desk_ ? accounts_->compare_with(desk_->best(accounts_->true_models(), cash, run_.scene->serve.rounds,
                                                            accounts_->binds_oracle()))
                      : accounts_->compare_with_oracle();
            file_->results().write_service_policies(regrets_of(outcome_.rounds, cash, *outcome_.oracle));
        }
        file_->end(fmt::format("serve.rounds = {}", run_.scene->serve.rounds));
    }

    configuration given_;
    session& here_;
    prepared_run run_;
    std::unique_ptr<scenario> infer_scene_;
    std::unique_ptr<deployment> infer_deploy_;  ///< The same nodes, with other links.
    std::vector<std::string> start_points_;     ///< Names, by cluster; only when requests wait.
    std::vector<std::vector<double>> arrivals_; ///< Of requests that wait, by cluster; else empty.
    std::optional<service_players> players_;
    std::optional<resumable_run> file_;
    std::unique_ptr<real_clock> clock_;          ///< `clock = real`; else null.
    std::optional<service_accounts> accounts_;   ///< Rank 0
    std::optional<service_forecasts> forecasts_; ///< Rank 0
    std::optional<request_desk> desk_;           ///< Rank 0, when requests wait.
    std::size_t steps_ = 0;                      ///< Steps done, including those before a checkpoint.
    double now_s_ = 0;                           ///< Rank 0: emulated time.
    service_outcome outcome_;                    ///< Rank 0
};

serving::serving(configuration given, session& here): parts_(std::make_unique<parts>(std::move(given), here)) {}
serving::~serving() = default;
run_ending serving::run() { return parts_->run(); }
std::vector<service_row> serving::forecast() { return parts_->forecast(); }
const service_outcome& serving::outcome() const { return parts_->outcome(); }
std::string serving::description() const { return parts_->description(); }

} // namespace gaisnet
