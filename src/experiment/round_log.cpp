#include "experiment/round_log.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <type_traits>

namespace gaisnet {

namespace {

/// What tensors gave goes into the ledger's rows.
void fill_in(round_record& record) {
    for (std::size_t edge = 0; edge < record.results.size(); ++edge) {
        auto& row = record.forecast.rounds[edge];
        const auto& result = record.results[edge];
        row.accuracy = result.accuracy;
        row.loss = result.loss;
        row.train_accuracy = result.train_accuracy;
        row.train_loss = result.train_loss;
        row.wall_s = result.wall_s;
        row.bits_per_byte = result.bits_per_byte;
    }
}

} // namespace

round_means means_of(const std::vector<round_result>& results) {
    round_means out;
    for (const auto& result : results) {
        out.trained = out.trained || !std::isnan(result.train_loss);
        out.accuracy += result.accuracy / static_cast<double>(results.size());
        out.loss += result.loss / static_cast<double>(results.size());
    }
    return out;
}

std::string told_of(const std::vector<round_record>& rounds, int rounds_wanted) {
    auto text = fmt::format("round {}/{}", rounds.size() + 1, rounds_wanted);
    if (rounds.empty()) {
        return text;
    }
    const auto& last = rounds.back();
    const auto& result = last.results.front();
    text += std::isnan(result.accuracy) ? fmt::format(", training loss {:.4f}", result.train_loss)
                                        : fmt::format(", accuracy {:.4f}, loss {:.4f}", result.accuracy, result.loss);
    return text + ", " + quantity(last.forecast.rounds.front().end_s, "s") + " emulated";
}

std::string hint_of(const round_means& means, const deployment& deploy) {
    constexpr double much_worse = 1.5;
    const auto& scene = *deploy.scene;
    const auto classes = deploy.domain_of(0).size.classes;
    const bool tells_tokens = classes == no_classes;
    const auto guessed = std::log(static_cast<double>(tells_tokens ? scene.model.vocabulary : classes));
    if (!means.trained || !(means.loss > much_worse * guessed)) {
        return {};
    }
    return fmt::format(
        "a validation loss of {:.2f} is far above {:.2f}, that of guessing among {}: is train.lr = {} too large?",
        means.loss, guessed,
        tells_tokens ? std::to_string(scene.model.vocabulary) + " tokens" : std::to_string(classes) + " classes",
        scene.train.lr);
}

void round_log::restore(const checkpoint& from) {
    probes_ = from.probes;
    transports_ = from.transports;
    fidelity_ = from.fidelity;
}

void round_log::save(checkpoint& state) const {
    state.transports = transports_;
    state.probes = probes_;
    state.fidelity = fidelity_;
}

void round_log::add(std::uint32_t round, const std::vector<transport_counters>& carried,
                    const std::vector<fidelity_row>& late) {
    for (const auto& now : carried) {
        auto& before = carried_before_[now.transport];
        transports_.push_back({round, now.transport, now.messages - before.messages, now.bytes - before.bytes});
        before = now;
    }
    fidelity_.insert(fidelity_.end(), late.begin(), late.end());
}

void round_log::add(const std::vector<probe_row>& rows) { probes_.insert(probes_.end(), rows.begin(), rows.end()); }

std::string round_log::moved() const {
    std::string text;
    for (const auto& [name, counted] : carried_before_) {
        text += fmt::format("{}{} {} messages with {}", text.empty() ? "" : ", ", name, counted.messages,
                            quantity(static_cast<double>(counted.bytes), "B"));
    }
    return text;
}

void round_log::write(round_record& record, recorder* file) const {
    fill_in(record);
    const auto of_round = [round = record.forecast.rounds.front().round](const auto& all) {
        std::remove_cvref_t<decltype(all)> rows;
        std::copy_if(all.begin(), all.end(), std::back_inserter(rows),
                     [round](const auto& row) { return row.round == round; });
        return rows;
    };
    const auto transports = of_round(transports_);
    const auto late = of_round(fidelity_);
    if (file) {
        file->write_round({record.forecast.rounds, record.forecast.nodes, record.forecast.events, transports, late,
                           federations_of(record.forecast)});
    }
    record.forecast.events.clear();
    record.forecast.events.shrink_to_fit();
}

} // namespace gaisnet
