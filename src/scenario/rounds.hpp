#pragma once

// Who trains what in a round, when a round is closed, and who drops out: [scheme], [round], [dropout], [cloud].

#include "settings/key.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

/// What chains are for.
enum class service_kind { fine_tuning, inference };
/// By the commands that do them.
inline constexpr word<service_kind> service_words[] = {{"finetune", service_kind::fine_tuning},
                                                       {"infer", service_kind::inference}};
/// Who trains what. All schemes have the same nodes, links and samples.
enum class scheme_kind {
    hfsl,       ///< Chains of clients, averaged over clusters.
    fl,         ///< Each start point trains the whole model by itself; averaged (federated learning).
    sl,         ///< Start point and edge share the model; clusters take turns and hand the model on (split learning).
    splitfed,   ///< Like sl, but all clusters train at once and are averaged (Thapa et al., AAAI 2022, SFLV1).
    centralised ///< Start points send their samples to the edge, which trains alone.
};
inline constexpr word<scheme_kind> scheme_words[] = {{"hfsl", scheme_kind::hfsl},
                                                     {"fl", scheme_kind::fl},
                                                     {"sl", scheme_kind::sl},
                                                     {"splitfed", scheme_kind::splitfed},
                                                     {"centralised", scheme_kind::centralised}};

struct scheme_settings {
    static constexpr section key{"", commands::emulating};
    scheme_kind scheme =
        key.choice("scheme", "hfsl", scheme_words,
                   "chains of clients; whole models at start points; start point and edge, one cluster after another, "
                   "or all at once; or the edge alone, with the samples of all");
    /// Size of a raw sample (centralised); 0: 3 bytes per pixel.
    std::uint64_t sample_bytes =
        static_cast<std::uint64_t>(key.quantity_if_set("scheme.sample_size", dimension::size, "",
                                                       "of a raw sample (centralised); not set: 3 bytes a pixel",
                                                       above(0), {.when = {with("scheme", {"centralised"})}})
                                       .value_or(0.0));
    service_kind service = service_kind::fine_tuning; ///< Set by the command.
};

/// When an edge closes a round.
enum class wait_kind { all, fraction, deadline };

struct closing_rule {
    wait_kind wait = wait_kind::all;
    double fraction = 1.0;   ///< Fraction of an edge's clusters (wait_kind::fraction).
    double deadline_s = 0.0; ///< After the start of the round (wait_kind::deadline).
};

struct round_settings : closing_rule {
    static constexpr section key{"round", commands::training};
    round_settings()
        : closing_rule(key.parsed("wait", "all", "all, a part of its clusters such as 0.8, or a time such as 30 s",
                                  "when an edge closes a round; what has not ended by then is cut", parse)) {}

private:
    static closing_rule parse(const std::string&);
};

/// The scheduled loss of a client: 3.25 is after a quarter of the batches of round 3.
struct scheduled_dropout {
    std::string client;
    double round = 1;
};

/// What happens to a cluster that loses a client.
enum class dropout_policy {
    skip,   ///< Its work of the round is lost.
    repair, ///< A neighbour in the chain takes over the lost client's stage.
};
inline constexpr word<dropout_policy> dropout_words[] = {{"skip", dropout_policy::skip},
                                                         {"repair", dropout_policy::repair}};

struct dropout_settings {
    static constexpr section key{"dropout", commands::training};
    double probability =
        key.real("probability", "0", "of a client, in a round, at a random moment of it", within(0, 1));
    std::vector<scheduled_dropout> schedule =
        key.parsed("schedule", "", "CLIENT@ROUND, CLIENT@ROUND, ...",
                   "clients that are lost; 3.25 is a quarter through the batches of round 3", parse_schedule);
    dropout_policy policy =
        key.choice("policy", "skip", dropout_words,
                   "a cluster that loses a client: skip the round, or let a neighbour take its blocks over");

private:
    static std::vector<scheduled_dropout> parse_schedule(const std::string&);
};

struct cloud_settings {
    static constexpr section key{"cloud", commands::training};
    /// Number of rounds between averages of the edges at the cloud; 0: there is no cloud.
    int period = key.count("period", "0", "rounds between averages of the edges' modules at the cloud; 0: no cloud",
                           at_least(0));
};

/// \throws usage_error
void check_rounds(const scenario&, const value_reader&);

} // namespace gaisnet
