#include "experiment/round_log.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
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
