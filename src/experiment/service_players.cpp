#include "experiment/service_players.hpp"

#include "experiment/collected.hpp"
#include "experiment/described_answer.hpp"
#include "experiment/players.hpp"
#include "experiment/service_table.hpp"
#include "model/torch/torch_stage.hpp"
#include "transport/collectives.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace gaisnet {

namespace {

/// The samples of requests that earlier sessions have not used.
class remaining_requests final : public sample_source {
public:
    remaining_requests(std::shared_ptr<sample_source> all, const std::int64_t& used)
        : all_(std::move(all))
        , used_(used) {}
    tensor_view inputs(const micro_batch& micro) override { return all_->inputs(after(micro)); }
    tensor_view labels(const micro_batch& micro) override { return all_->labels(after(micro)); }
    tensor_view padding(const micro_batch& micro) override { return all_->padding(after(micro)); }
    tensor_view prompt(const micro_batch& micro) override { return all_->prompt(after(micro)); }

private:
    micro_batch after(micro_batch micro) const {
        micro.first += used_;
        return micro;
    }
    std::shared_ptr<sample_source> all_;
    const std::int64_t& used_;
};

} // namespace

service_players::service_players(const prepared_run& run, const deployment& answering, session& here,
                                 const loaded_backbone& backbone, real_clock* clock, const checkpoint* from,
                                 const std::vector<std::int64_t>& requests)
    : run_(run)
    , answering_(answering)
    , here_(here)
    , clock_(clock)
    , from_(from)
    , rules_(rules_of(*run.scene))
    , rounds_(static_cast<std::size_t>(run.scene->network.edges), 0)
    , sessions_of_edge_(rounds_.size(), 0)
    , versions_(answering.chains.size(), -1)
    , used_(answering.chains.size(), 0) {
    for (const auto& chain : run_.deploy->chains) {
        start_points_.push_back(run_.deploy->net.nodes[chain.front().node].name);
    }
    make_tensors(backbone, requests);
    if (here_.root()) {
        const auto order = here_.network().needs_order() ? run_.rank_of : std::vector<int>();
        tuning_ledger_ = std::make_unique<ledger_run>(*run_.deploy, order);
        answer_ledger_ = std::make_unique<inference_ledger>(answering_, order);
        if (from_) {
            fidelity_ = from_->fidelity;
        }
    }
}

/// Upper bound of the requests of one start point.
std::int64_t service_players::largest_demand() const {
    std::int64_t most = 0;
    for (int round = 0; round < run_.scene->serve.rounds; ++round) {
        std::int64_t largest = 0;
        for (std::uint32_t edge = 0; edge < edges(); ++edge) {
            largest = std::max(largest, demand_of(round, edge));
        }
        most += largest;
    }
    return most;
}

std::uint32_t service_players::edge_of(int cluster) const {
    return static_cast<std::uint32_t>(answering_.net.clusters[static_cast<std::size_t>(cluster)].edge);
}

void service_players::make_tensors(const loaded_backbone& backbone, const std::vector<std::int64_t>& requests) {
    const auto hooks = watchful_hooks(run_, here_, clock_);
    const auto models = initial_models(run_, backbone);
    tuner_ = std::make_unique<tensor_run>(*run_.deploy, here_.network(), run_.rank_of,
                                          training_executors(run_, backbone.backbone), models, hooks);
    const auto most = requests.empty() ? largest_demand() : 0;
    answerer_ = std::make_unique<inference_run>(
        answering_, here_.network(), run_.rank_of,
        [&](const stage_seat& seat) {
            std::shared_ptr<sample_source> source;
            const auto cluster = static_cast<std::size_t>(seat.cluster);
            if (seat.node == answering_.chains[cluster].front().node) {
                source = std::make_shared<remaining_requests>(
                    run_.data->requests_of(seat.cluster, start_points_[cluster],
                                           requests.empty() ? most : requests[cluster]),
                    used_[cluster]);
            }
            auto stage =
                std::make_unique<torch_stage>(seat.spec, backbone.backbone, optimizer_settings{}, std::move(source));
            const auto& infer = run_.scene->infer;
            stage->choose_tokens_by(
                [choose = make_token_chooser({infer.temperature, infer.top_k, infer.top_p}, run_.scene->seed,
                                             start_points_[cluster]),
                 &used = used_[cluster]](std::span<const float> logits, std::int64_t request, std::int64_t token) {
                    return choose(logits, used + request, token);
                });
            return stage;
        },
        models, hooks);
    for (const auto& domain : run_.deploy->domains) {
        evaluated_.emplace_back(backbone.backbone, run_.deploy->method, domain.size.classes);
    }
}

std::int64_t service_players::demand_of(int round, std::uint32_t edge) const {
    return static_cast<std::int64_t>(rules_.demand_of(round, edge));
}

/// Runs the work of a service that takes `latency_s`, paced by the real clock if there is one.
template <typename Players, typename Work>
void service_players::in_real_time(int round, double latency_s, Players& players, const Work& work) {
    if (clock_) {
        clock_->begin_round();
    }
    work();
    if (clock_) {
        const auto late = clock_->end_round(static_cast<std::uint32_t>(round) + 1, latency_s, players.take_lateness());
        fidelity_.insert(fidelity_.end(), late.begin(), late.end());
    }
}

round_forecast service_players::train(int round, std::uint32_t edge, double now_s) {
    const int number = ++rounds_[edge];
    round_forecast played;
    if (here_.root()) {
        tuning_ledger_->wait_until(edge, now_s);
        played = tuning_ledger_->play_one(number, edge);
    }
    const auto decisions = share_from_root(here_.network(), played.decisions);
    if (!replays()) {
        in_real_time(round, decisions.latency_s, *tuner_, [&] { tuner_->play(number, decisions); });
    }
    return played;
}

void service_players::put_to_use(std::uint32_t edge) {
    if (!replays() && tuner_->in_group(edge)) {
        answerer_->set_model(edge, tuner_->model(edge));
    }
}

session_order service_players::take_turn(int round, std::uint32_t edge) {
    const int cluster =
        first_cluster(edge) + sessions_of_edge_[edge]++ % clusters_of(*run_.scene, static_cast<int>(edge));
    return {cluster, used_[static_cast<std::size_t>(cluster)], demand_of(round, edge)};
}

answered_session service_players::answer(int round, const session_order& order, double now_s) {
    const int cluster = order.cluster;
    const auto edge = edge_of(cluster);
    const auto plan = plan_of_session(answering_, order, has_version(cluster), round);
    auto& used = used_[static_cast<std::size_t>(cluster)];
    used = order.first; // some may have been given up
    inference_forecast played;
    if (here_.root()) {
        played = answer_ledger_->play(plan, round + 1, now_s, static_cast<int>(edge));
    }
    const auto decisions = share_from_root(here_.network(), played.decisions);
    if (replays()) {
        sessions_.push_back(from_->sessions.at(sessions_.size()));
    } else {
        in_real_time(round, decisions.latency_s, *answerer_, [&] { answerer_->play(plan, decisions); });
        sessions_.push_back(collect_answers(here_.network(), *answerer_));
    }
    versions_[static_cast<std::size_t>(cluster)] = rounds_[edge];
    const auto before = std::exchange(used, used + plan.requests_of(cluster));
    if (!here_.root()) {
        return {};
    }
    answered_session done;
    done.requester = start_points_[static_cast<std::size_t>(cluster)];
    done.effort = effort_of_session(played, edge, now_s);
    done.requests = std::move(played.requests);
    done.tokens = std::move(played.tokens);
    const auto& data = *run_.data;
    const auto samples = data.requests().of(cluster, done.requester, used);
    const auto& answers = sessions_.back();
    for (auto& one : done.requests) {
        describe_answer(data, cluster, samples.at(static_cast<std::size_t>(before) + one.request),
                        answers.at(cluster).at(one.request), data.shares().class_names(edge), one);
    }
    for (auto& one : done.tokens) {
        one.id = static_cast<std::int32_t>(answers.at(cluster).at(one.request).tokens.at(one.token));
    }
    return done;
}

std::vector<round_result> service_players::evaluate(std::span<const std::uint32_t> some) {
    if (replays()) {
        evaluations_.push_back(from_->rounds.at(evaluations_.size()));
    } else {
        const auto batches = evaluate_models(run_, here_, *tuner_, evaluated_, some);
        evaluations_.push_back(collect_results(here_.network(), *run_.deploy, tuner_->take_totals(), batches));
    }
    return evaluations_.back();
}

void service_players::leave_real_time() {
    clock_ = nullptr;
    tuner_->pace_by(nullptr);
}

void service_players::restore() {
    tuner_->restore(from_->stages);
    for (std::uint32_t edge = 0; edge < from_->models.size(); ++edge) {
        tuner_->set_model(edge, from_->models[edge]);
        answerer_->set_model(edge, from_->models[edge]);
    }
    from_ = nullptr;
}

checkpoint service_players::save() const {
    checkpoint state;
    state.stages = collect_stages(here_.network(), tuner_->save());
    state.models = collect_models(here_.network(), *tuner_, run_.scene->network.edges);
    state.rounds = evaluations_;
    state.sessions = sessions_;
    state.fidelity = fidelity_;
    return state;
}

} // namespace gaisnet
