#pragma once

// Requests and the models that answer them: [infer], delivery.

#include "settings/key.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// What an edge delivers to a client that does not have the current version of the model.
enum class delivery_kind {
    tunable, ///< The tuned modules of its stages.
    full,    ///< Its stages with their frozen weights.
    none,    ///< Nothing: all clients have the model.
};
inline constexpr word<delivery_kind> delivery_words[] = {
    {"tunable", delivery_kind::tunable}, {"full", delivery_kind::full}, {"none", delivery_kind::none}};

enum class arrival_kind { poisson, burst, trace };
inline constexpr word<arrival_kind> arrival_words[] = {
    {"poisson", arrival_kind::poisson}, {"burst", arrival_kind::burst}, {"trace", arrival_kind::trace}};

/// The owner of the tuned modules that answer the requests under an edge.
enum class served_model {
    own,     ///< The edge itself.
    untuned, ///< None: the foundation model.
    other,   ///< Another edge's.
};
struct served_choice {
    served_model whose = served_model::own;
    int edge = 0; ///< other
};

enum class text_end { end_token, length };
inline constexpr word<text_end> text_end_words[] = {{"end_token", text_end::end_token}, {"length", text_end::length}};

/// Arrival times of requests, s since the start of the session: by name of the requester, or "" for all.
using request_trace = std::map<std::string, std::vector<double>>;
/// Reads a CSV file: `time`, or `client, time` per line, with units or in s; the times of a client ascend. \throws
/// usage_error naming file and line.
std::shared_ptr<const request_trace> read_request_trace(const std::string& path);

struct inference_settings {
    static constexpr section key{"infer", commands::answering};
    /// Number of requests of each start point (poisson, burst).
    std::int64_t requests = key.integer("requests", "100", "requests of each start point (not with a trace)",
                                        within(1, 1e7), {.commands = commands::answering & ~commands::serve});
    arrival_kind arrivals = key.choice("arrivals", "poisson", arrival_words,
                                       "requests come as a Poisson process, all at the start, or as infer.trace says",
                                       {.when = {given_to_a_round()}});
    double rate = key.real("rate", "10", "requests a second of each start point (poisson)", above_to(0, 1e9),
                           {.when = {given_to_a_round()}});
    std::shared_ptr<const request_trace> trace =
        key.file("trace", "CSV of time, for all start points, or of client, time", "file of times of requests (trace)",
                 read_request_trace);
    int batch = key.count("batch", "8", "requests that go through a chain together, at most", at_least(1));
    int in_flight = key.count(
        "in_flight", "0", "batches in a chain at a time, at most; 0: one for each stage, 1: no pipeline", at_least(0));
    /// s; 0: none.
    double deadline_s =
        key.quantity_if_set("deadline", dimension::time, "",
                            "mean latency from which on a cluster needs the edge's help (cluster.edge_stage = auto); "
                            "not set: none",
                            above(0), {.when = {with("cluster.edge_stage", {"auto"})}})
            .value_or(0.0);
    /// One per edge; empty: untuned.
    std::vector<std::string> modules =
        key.paths("modules", "safetensors files, one for each edge, or one for all",
                  "what finetune has tuned; not set: untuned modules", {.identity = false});
    served_choice model = key.parsed("model", "own", "own, untuned (the foundation model), or the number of an edge",
                                     "whose tuned modules answer the requests under an edge", parse_model);
    /// Empty: the edge's validation samples.
    std::string images =
        key.path("images", "", "a folder",
                 "folder of JPEG and PNG to classify; not set: validation samples of each edge", {.identity = false});
    // Of models that tell next tokens: each request is a text that is generated.
    int generate =
        key.count("generate", "32", "tokens that are generated for a request", within(1, 1'000'000), of_text());
    int prompt_tokens = key.count("prompt_tokens", "16",
                                  "tokens of a validation sample that a request begins with; not with infer.prompts",
                                  within(1, 1'000'000), of_text());
    /// Empty: the beginnings of validation samples.
    std::string prompts =
        key.path("prompts", "", "a folder of texts",
                 "prompts, each a request: paragraphs of .txt files, lines of .jsonl, records of fortune "
                 "files; not set: beginnings of validation samples of each edge",
                 of_text(false));
    double temperature =
        key.real("temperature", "0", "divides logits before a token is drawn; 0: the likeliest is taken",
                 within(0, 1000), of_text());
    int top_k =
        key.count("top_k", "0", "a token is drawn among the likeliest so many; 0: all", at_least(0), of_drawn_tokens());
    double top_p = key.real("top_p", "1", "and among the likeliest that have this probability together",
                            {.least = 0, .most = 1, .above_least = true}, of_drawn_tokens());
    text_end until = key.choice("until", "end_token", text_end_words,
                                "texts end at the token that ends a text, or go on to infer.generate tokens, whatever "
                                "they say. A forecast, serve, and clock = real go on",
                                of_text());
    delivery_kind delivery =
        section("", commands::answering)
            .choice("delivery", "tunable", delivery_words,
                    "what workers lack at the start: the tuned modules, frozen weights too, or nothing");

private:
    /// Requests that wait for a round of service are there when it begins.
    static condition given_to_a_round() { return with("serve.arrivals", {"given"}).for_commands(commands::serve); }
    static key_traits of_text(bool identity = true) {
        return {.when = {with("model.family", {"llama", "gpt2"}), unless("model.task", {"classification"})},
                .identity = identity};
    }
    static key_traits of_drawn_tokens() {
        auto traits = of_text();
        traits.when.push_back(unless("infer.temperature", {"0"}));
        return traits;
    }
    static served_choice parse_model(const std::string&);
};

/// Also forgets prompts that are for no model that tells next tokens. \throws usage_error
void check_inference(scenario&, const value_reader&);

} // namespace gaisnet
