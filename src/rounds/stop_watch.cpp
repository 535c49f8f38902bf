#include "rounds/stop_watch.hpp"

#include <fmt/format.h>

#include <cmath>

namespace gaisnet {

bool stop_watch::round_ended(int round, double accuracy, double loss, bool trained) {
    if (rule_.kind == stop_kind::target && accuracy >= rule_.accuracy) {
        converged_ = true;
        reason_ = fmt::format("accuracy {:.4f} reached the target {:.4f} in round {}", accuracy, rule_.accuracy, round);
    }
    if (rule_.kind == stop_kind::plateau && trained && !std::isnan(loss)) {
        const bool by_loss = rule_.metric == stop_metric::loss;
        const double gain = by_loss ? best_ - loss : accuracy - best_;
        if (!any_ || (gain > 0 && gain >= rule_.min_delta)) {
            any_ = true;
            best_ = by_loss ? loss : accuracy;
            since_best_ = 0;
        } else if (++since_best_ >= rule_.patience) {
            converged_ = true;
            reason_ = fmt::format("{} improved by less than {} in {} rounds (best {:.4f})",
                                  by_loss ? "validation loss" : "validation accuracy", rule_.min_delta, rule_.patience,
                                  best_);
        }
    }
    if (!converged_ && round >= rounds_) {
        reason_ = fmt::format("train.rounds = {} reached", rounds_);
        if (rule_.kind != stop_kind::rounds) {
            reason_ += "; not converged";
        }
    }
    return stopped();
}

} // namespace gaisnet
