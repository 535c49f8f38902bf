#include "experiment/trained_clusters.hpp"

#include "base/stopwatch.hpp"
#include "experiment/players.hpp"
#include "roles/fusion.hpp"
#include "rounds/describe.hpp"
#include "runtime/placement.hpp"
#include "transport/collectives.hpp"

#include <numeric>
#include <utility>

namespace gaisnet {

trained_clusters::trained_clusters(prepared_run& run, session& here, const loaded_backbone& backbone)
    : run_(run)
    , here_(here)
    , backbone_(backbone)
    , planner_(run, here) {
    if (here_.root()) {
        ledger_ = std::make_unique<ledger_run>(*run_.deploy, ranks_for_order());
    }
}

std::vector<int> trained_clusters::ranks_for_order() const {
    return here_.network().needs_order() ? run_.rank_of : std::vector<int>();
}

void trained_clusters::make_tensors(std::function<tensor_run_hooks()> hooks, const std::optional<checkpoint>& from) {
    hooks_ = std::move(hooks);
    make_tensors();
    if (from) {
        for (std::uint32_t edge = 0; edge < from->models.size(); ++edge) {
            tensors_->set_model(edge, from->models[edge]);
        }
        tensors_->restore(from->stages);
    }
}

void trained_clusters::make_tensors() {
    const auto& deploy = *run_.deploy;
    evaluated_.clear();
    for (const auto& domain : deploy.domains) {
        evaluated_.emplace_back(backbone_.backbone, deploy.method, domain.size.classes);
    }
    tensors_ = std::make_unique<tensor_run>(deploy, here_.network(), run_.rank_of,
                                            training_executors(run_, backbone_.backbone),
                                            initial_models(run_, backbone_), hooks_());
}

bool trained_clusters::change(int round, const std::optional<checkpoint>& from, recorder* file) {
    if (!planner_.active() || round == 1 || planned_for_ == round) {
        return true;
    }
    planned_for_ = round;
    const auto nobody_left = [&] { return share_from_root(here_.network(), ledger_ && !ledger_->anyone_left()); };
    const bool nobody = nobody_left();
    if (!nobody && !planner_.due(round)) {
        return true;
    }
    const auto now = ledger_ ? std::optional(ledger_->state()) : std::nullopt;
    if (auto made = planner_.next(round, now ? &*now : nullptr, from ? from->changes : std::vector<cluster_change>())) {
        take(std::move(*made), file);
    }
    return !nobody || !nobody_left();
}

void trained_clusters::take(deployment&& made, recorder* file) {
    const bool plays = tensors_ != nullptr;
    std::map<std::string, executor_state> states;
    std::vector<tensor_view> values;
    if (plays) {
        states = renamed(share_from_root(here_.network(), stages()), *run_.deploy, made);
        values = share_from_root(here_.network(), models());
    }
    const auto now = ledger_ ? std::optional(ledger_->state()) : std::nullopt;
    tensors_.reset();
    ledger_.reset();
    next_.reset();
    *run_.deploy = std::move(made);
    run_.rank_of = place_nodes(placement_of(*run_.deploy, run_.ranks), run_.scene->placement);
    check_merging(*run_.deploy, run_.rank_of);
    if (now) {
        ledger_ = std::make_unique<ledger_run>(*run_.deploy, ranks_for_order(), *now);
        if (file != nullptr) {
            file->write_clusters(describe_links(*run_.deploy), describe_chains(*run_.deploy), describe_samples(run_));
        }
    }
    if (plays) {
        make_tensors();
        tensors_->restore(states);
        for (std::uint32_t edge = 0; edge < values.size(); ++edge) {
            tensors_->set_model(edge, values[edge]);
        }
    }
}

const std::optional<round_forecast>& trained_clusters::forecast(int round) {
    if (ledger_ && !next_) {
        const stopwatch watch;
        next_ = ledger_->play(round);
        ledger_s_ += watch.seconds();
    }
    return next_;
}

round_forecast trained_clusters::take_forecast(int round) {
    forecast(round);
    auto taken = next_ ? std::move(*next_) : round_forecast();
    next_.reset();
    return taken;
}

std::vector<batch_result> trained_clusters::evaluate() {
    std::vector<std::uint32_t> edges(static_cast<std::size_t>(run_.deploy->net.edges));
    std::iota(edges.begin(), edges.end(), 0U);
    return evaluate_models(run_, here_, *tensors_, evaluated_, edges);
}

std::map<std::string, executor_state> trained_clusters::stages() {
    return collect_stages(here_.network(), tensors_->save());
}

std::vector<tensor_view> trained_clusters::models() {
    return collect_models(here_.network(), *tensors_, run_.deploy->net.edges);
}

} // namespace gaisnet
