#include "results/schema.hpp"

#include "results/schema_columns.hpp"
#include <cmath>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gaisnet {

namespace {

/// Table name of a column that exists once for every link class: PREFIX + "d2d" + SUFFIX.
std::string by_class(const char* prefix, link_class link, const char* suffix = "") {
    return std::string(prefix) + name_of(link) + suffix;
}

constexpr std::array real_classes{link_class::cs_up, link_class::cs_down, link_class::d2d, link_class::backhaul};

/// With a column for each part of a latency, behind that of the latency.
template <typename Row>
std::vector<column<Row>> with_parts(std::vector<column<Row>> columns) {
    auto place =
        std::find_if(columns.begin(), columns.end(), [](const auto& one) { return one.info.name == "latency_s"; });
    std::size_t index = 0;
    for (const auto* part : decltype(Row::parts)::parts()) {
        place = columns.insert(std::next(place),
                               number_column<Row>(std::string(part->name) + "_s", "s",
                                                  std::string("Part of latency_s: ") + part->description,
                                                  [index](const Row& row) { return row.parts.at(index); }));
        ++index;
    }
    return columns;
}

} // namespace

std::vector<column<round_row>> round_columns(bool next_tokens) {
    using row = round_row;
    std::vector<column<row>> columns{
        number_column<row>("edge", "1", "Edge, from 0", &row::edge),
        number_column<row>("round", "1", "Round, counted from 1", &row::round),
        number_column<row>("accuracy", "1",
                           "Validation accuracy after the round, 0 to 1: of classes, or of next tokens",
                           &row::accuracy),
        number_column<row>("loss", "nat",
                           "Mean cross entropy on the validation samples after the round: of a sample, or of a token",
                           &row::loss),
        number_column<row>("train_loss", "nat", "Mean cross entropy over the round's training samples",
                           &row::train_loss),
        number_column<row>("train_accuracy", "1", "Accuracy over the round's training samples, 0 to 1",
                           &row::train_accuracy),
        number_column<row>("latency_s", "s", "Latency of the round; the sum of the parts that follow", &row::latency_s),
        number_column<row>("clusters_done", "1", "Clusters that ended in time and are in the average",
                           &row::clusters_done),
        number_column<row>("clusters_cut", "1", "Clusters that had not ended when the round was closed",
                           &row::clusters_cut),
        number_column<row>("clusters_lost", "1", "Clusters that lost a client and with it their round",
                           &row::clusters_lost),
        number_column<row>("clusters_repaired", "1", "Of clusters_done: those that went on without a lost client",
                           &row::clusters_repaired),
        number_column<row>("end_s", "s", "Emulated time at which the round ended", &row::end_s),
        number_column<row>("samples", "1", "Samples trained on in the round, epochs counted", &row::samples),
        number_column<row>("client_flops", "FLOP", "Computed by clients", &row::client_flops),
        number_column<row>("edge_flops", "FLOP", "Computed by the edge", &row::edge_flops),
        number_column<row>("energy_j", "J", "Energy of all nodes of this edge in the round",
                           [](const row& r) { return r.energy.total_j(); }),
        number_column<row>("active_j", "J",
                           "Of energy_j: sensing, computing, sending, receiving; without idle radios, "
                           "base power and sleep",
                           [](const row& r) { return r.energy.active_j(); }),
        number_column<row>("sense_compute_send_j", "J",
                           "Of energy_j: sensing, computing and sending, the sum that papers usually give",
                           [](const row& r) { return r.energy.sensing_computing_sending_j(); }),
    };
    if (next_tokens) {
        columns.push_back(number_column<row>("perplexity", "1", "exp(loss): of a token of the validation texts",
                                             [](const row& r) { return std::exp(r.loss); }));
        columns.push_back(number_column<row>(
            "bits_per_byte", "bit", "Cross entropy of the validation texts, by byte of UTF-8", &row::bits_per_byte));
    }
    for (const auto link : real_classes) {
        columns.push_back(number_column<row>(by_class("bytes_", link), "B",
                                             by_class("Bytes sent over links of class ", link),
                                             [link](const row& r) { return r.bytes[static_cast<std::size_t>(link)]; }));
    }
    for (const auto link : real_classes) {
        columns.push_back(
            number_column<row>(by_class("airtime_", link, "_hz_s"), "Hz s",
                               by_class("Spectrum use (bandwidth times time) of links of class ", link),
                               [link](const row& r) { return r.airtime_hz_s[static_cast<std::size_t>(link)]; }));
    }
    columns.push_back(
        number_column<row>("wall_s", "s", "Wall time that the emulation of the round took", &row::wall_s));
    return with_parts(std::move(columns));
}

std::vector<column<plan_row>> plan_columns() {
    using row = plan_row;
    constexpr std::size_t label_bytes = 48;
    return {
        text_column<row>("label", label_bytes,
                         "What it was planned for (metrics with weights), or a plan to compare with", &row::label),
        number_column<row>("latency_s", "s", "Of a round, or of a request, mean", &row::latency_s),
        number_column<row>("energy_j", "J", "Of edges and clients, idle radios and base power included",
                           &row::energy_j),
        number_column<row>("spectrum_hz_s", "Hz s", "Bandwidth times time of all links", &row::spectrum_hz_s),
        number_column<row>("memory_bytes", "B", "Of the client that needs most", &row::memory_bytes),
        number_column<row>("goodput_per_s", "1/s", "Useful samples, or requests, a second", &row::goodput_per_s),
        number_column<row>("on_front", "1",
                           "1: no other plan is as good in both metrics of the key pareto and better in one",
                           [](const row& r) { return static_cast<std::uint32_t>(r.on_front); }),
    };
}

std::vector<column<tuning_row>> tuning_columns() {
    using row = tuning_row;
    constexpr std::size_t name_bytes = 48;
    return {
        text_column<row>("tuning", name_bytes, "Method, and size if one was given", &row::tuning),
        number_column<row>("rung", "1", "After which rung this is, counted from 1; 0: it was not trained", &row::rung),
        number_column<row>("rounds", "1", "Trained so far", &row::rounds),
        number_column<row>("accuracy", "1", "Validation, after the last round", &row::accuracy),
        number_column<row>("best_accuracy", "1", "Validation, of the best round", &row::best_accuracy),
        number_column<row>("loss", "1", "Validation, mean cross entropy, after the last round", &row::loss),
        number_column<row>("latency_s", "s", "Of all rounds", &row::latency_s),
        number_column<row>("energy_j", "J", "Of all rounds and nodes", &row::energy_j),
        number_column<row>("spectrum_hz_s", "Hz s", "Bandwidth times time of all links", &row::spectrum_hz_s),
        number_column<row>("memory_bytes", "B", "Of the client that needs most", &row::memory_bytes),
        number_column<row>("upload_bytes", "B", "Over CS uplinks in a round, mean", &row::upload_bytes),
        number_column<row>("parameters", "1", "Trainable ones, head included", &row::parameters),
        number_column<row>("reached", "1", "1: the last round reached the accuracy of train.stop = target",
                           [](const row& r) { return static_cast<std::uint32_t>(r.reached); }),
        text_column<row>("outcome", word_bytes, "goes on, dropped, chosen, diverged, or does not fit", &row::outcome),
        number_column<row>("wall_s", "s", "Wall time that all rounds took", &row::wall_s),
    };
}

std::vector<column<federation_row>> federation_columns() {
    using row = federation_row;
    return {
        number_column<row>("round", "1", "Round after which it was, counted from 1", &row::round),
        number_column<row>("start_s", "s", "Emulated time at which the first edge was ready", &row::start_s),
        number_column<row>("end_s", "s", "Emulated time at which the last edge had the average", &row::end_s),
        number_column<row>("waited_s", "s", "Time between the first and the last upload's arrival", &row::waited_s),
        number_column<row>("flops", "FLOP", "Computed by the cloud", &row::flops),
        number_column<row>("energy_j", "J",
                           "Energy of the cloud since the federation before; that of others is in /rounds",
                           &row::energy_j),
    };
}

std::vector<column<probe_row>> probe_columns(bool next_tokens) {
    using row = probe_row;
    std::vector<column<row>> columns{
        number_column<row>("round", "1", "Round after which it was; 0: before training", &row::round),
        text_column<row>("model", class_bytes, "untuned (the foundation model), cloud (after its average), or an edge",
                         &row::model),
        text_column<row>("domain", class_bytes, "Domain of the samples", &row::domain),
        number_column<row>("seen", "1", "1: some edge has this domain; 0: none has",
                           [](const row& r) { return r.seen ? 1U : 0U; }),
        text_column<row>("method", class_bytes,
                         "class means: nearest mean of a class's features (cosine), from training samples; head: the "
                         "model's own head; next tokens: its output layer",
                         &row::method),
        number_column<row>("accuracy", "1", "On validation samples, 0 to 1", &row::accuracy),
        number_column<row>("samples", "1", "Validation samples", &row::samples),
    };
    if (next_tokens) {
        columns.push_back(number_column<row>("loss", "nat", "Mean cross entropy of a token", &row::loss));
        columns.push_back(
            number_column<row>("perplexity", "1", "exp(loss)", [](const row& r) { return std::exp(r.loss); }));
    }
    return columns;
}

std::vector<column<service_row>> service_columns(std::size_t name_bytes) {
    using row = service_row;
    return {
        number_column<row>("round", "1", "Round of service, counted from 1; the rounds of other tables are the same",
                           &row::round),
        text_column<row>("policy", word_bytes, "Who decided: mlcp, msip, random, always_infer, fair, oracle",
                         &row::policy),
        text_column<row>("action", word_bytes, "fine_tune, infer, or none", &row::action),
        text_column<row>("model", name_bytes, "The edge whose model it was, or the model of a table", &row::model),
        text_column<row>("requester", name_bytes, "infer: the start point whose requests were answered",
                         &row::requester),
        number_column<row>("level", "1", "Fine-tunings of this model before this round", &row::level),
        number_column<row>("expected", "1", "Accuracy that the policy counted on, 0 to 1; NaN: it does not look ahead",
                           &row::expected),
        number_column<row>(
            "accuracy", "1",
            "fine_tune: validation accuracy (of texts: serve.quality) afterwards; infer: of the answers; 0 to 1",
            &row::accuracy),
        number_column<row>("requests", "1", "Requests that were answered", &row::requests),
        number_column<row>("right", "1",
                           "Right answers; of texts: requests times the model's serve.quality at validation",
                           &row::right),
        number_column<row>("latency_s", "s", "Emulated time that the service took", &row::latency_s),
        number_column<row>("energy_j", "J", "Energy of all nodes of the edge", &row::energy_j),
        number_column<row>("spectrum_hz_s", "Hz s", "Spectrum use, all classes of links", &row::spectrum_hz_s),
        number_column<row>(
            "value", "1", "Earned: value of a right answer times right answers, or the profit of a table", &row::value),
        number_column<row>("cost", "1", "Time, energy and spectrum at their prices, or the cost of a table",
                           &row::cost),
        number_column<row>("income", "1", "value less cost", [](const row& r) { return r.income(); }),
        number_column<row>("cash", "1", "After the round", &row::cash),
    };
}

std::vector<column<request_row>> request_columns(std::size_t image_bytes, bool next_tokens) {
    using row = request_row;
    const auto answer_bytes = next_tokens ? image_bytes : class_bytes;
    auto columns = with_parts(std::vector<column<row>>{
        number_column<row>("round", "1", "Session of inference, counted from 1", &row::round),
        number_column<row>("edge", "1", "Edge of the requester", &row::edge),
        number_column<row>("cluster", "1", "Cluster that the requester has founded", &row::cluster),
        number_column<row>("client", "1", "Index of the requester: its row in /topology/nodes", &row::client),
        number_column<row>("request", "1", "Number of the request, from 0 in the order of arrival, by requester",
                           &row::request),
        number_column<row>("batch", "1", "Batch in which it went through the chain, from 0 by requester", &row::batch),
        number_column<row>("batch_size", "1", "Requests in that batch", &row::batch_size),
        number_column<row>("arrival_s", "s", "Emulated time at which the request came", &row::arrival_s),
        number_column<row>("latency_s", "s",
                           "From its arrival until its result was back; the sum of the parts that follow",
                           &row::latency_s),
        text_column<row>("image", image_bytes, "The sample", &row::image),
        text_column<row>("label", answer_bytes, "Its class, or the prompt; empty: not known", &row::label),
        text_column<row>("predicted", answer_bytes,
                         "The class that was answered, or the text that was generated; empty in a forecast",
                         &row::predicted),
        number_column<row>("probability", "1", "Of the class that was answered (softmax)", &row::probability),
    });
    if (next_tokens) {
        columns.push_back(number_column<row>("prompt_tokens", "1", "Tokens of the prompt", &row::prompt_tokens));
        columns.push_back(number_column<row>("tokens", "1", "Tokens that were generated", &row::tokens));
        columns.push_back(number_column<row>("first_token_s", "s", "Of latency_s: until the first token was told",
                                             &row::first_token_s));
    }
    return columns;
}

std::vector<column<token_row>> token_columns() {
    using row = token_row;
    return {
        number_column<row>("round", "1", "Session of inference, counted from 1", &row::round),
        number_column<row>("cluster", "1", "Cluster of the request", &row::cluster),
        number_column<row>("request", "1", "Number of the request, as in /inference", &row::request),
        number_column<row>("token", "1", "Number of the token in the text, from 0", &row::token),
        number_column<row>("latency_s", "s",
                           "Since the token before was told, or of the first one since the request came",
                           &row::latency_s),
        number_column<row>("id", "1", "Its number in the tokenizer; -1 in a forecast", &row::id),
    };
}

} // namespace gaisnet
