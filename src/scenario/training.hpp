#pragma once

// A round of fine-tuning at the clients: [train].

#include "settings/key.hpp"

#include <string>

namespace gaisnet {

class value_reader;
struct scenario;

enum class stop_kind { rounds, plateau, target };
enum class stop_metric { accuracy, loss };

struct stop_rule {
    stop_kind kind = stop_kind::rounds;
    stop_metric metric = stop_metric::accuracy; ///< plateau
    double min_delta = 0.0;                     ///< plateau
    int patience = 1;                           ///< plateau: rounds without an improvement of at least min_delta
    double accuracy = 1.0;                      ///< target, 0..1
};

enum class schedule_kind { serial, gpipe, one_f_one_b };
inline constexpr word<schedule_kind> schedule_words[] = {
    {"serial", schedule_kind::serial}, {"gpipe", schedule_kind::gpipe}, {"1f1b", schedule_kind::one_f_one_b}};

enum class optimizer_kind { sgd, adamw };
inline constexpr word<optimizer_kind> optimizer_words[] = {{"sgd", optimizer_kind::sgd},
                                                           {"adamw", optimizer_kind::adamw}};

enum class label_route { chain, local };
inline constexpr word<label_route> label_words[] = {{"chain", label_route::chain}, {"local", label_route::local}};

struct training_settings {
    static constexpr section key{"train", commands::training};
    int rounds =
        key.count("rounds", "3", "rounds at most", at_least(1), {.commands = commands::training & ~commands::serve});
    stop_rule stop =
        key.parsed("stop", "rounds", "rounds, plateau(accuracy|loss, MIN_DELTA, PATIENCE), or target(ACCURACY)",
                   "when training has converged", parse_stop, {.commands = commands::training & ~commands::serve});
    int epochs = key.count("epochs", "1", "epochs a round", at_least(1)); ///< Ignored when steps > 0.
    int steps = key.count("steps", "0", "batches a round; 0: whole epochs", at_least(0));
    int batch = key.count("batch", "10", "samples a batch", at_least(1));
    int micro_batches = key.count("micro_batches", "1", "micro-batches a batch (gpipe, 1f1b)", at_least(1));
    schedule_kind schedule = key.choice("schedule", "serial", schedule_words, "order of work along the chain");
    optimizer_kind optimizer = key.choice("optimizer", "sgd", optimizer_words, "optimiser of every client");
    double lr = key.real("lr", "0.02", "learning rate at the start", above(0));
    double lr_final = key.real("lr_final", "0.01", "cosine decay ends at this fraction of train.lr", within(0, 1));
    double momentum =
        key.real("momentum", "0.9", "momentum", within(0, 1), {.when = {with("train.optimizer", {"sgd"})}});
    double weight_decay = key.real("weight_decay", "5e-5", "weight decay", at_least(0));
    label_route labels = key.choice("labels", "chain", label_words,
                                    "labels travel along the chain, or stay at the start point (U-shaped)",
                                    {.commands = commands::emulating}); // Affects the place of the head.
    int evaluate_every =
        key.count("evaluate_every", "1", "rounds from one evaluation to the next; after the last one there is one, too",
                  at_least(1), {.commands = commands::training & ~commands::serve});
    /// Whether edges evaluate their models after a round, from 1.
    bool evaluates(int round) const { return round % evaluate_every == 0 || round == rounds; }
    bool charge_evaluation = key.onoff("charge_evaluation", "off", "the edge's evaluation costs time and energy");
    /// Caches outputs of frozen parts over epochs. Affects only the speed of the emulation.
    bool cache = section("", commands::training)
                     .onoff("cache", "off",
                            "keep what frozen stages make of a sample over epochs; faster, and the same results, on "
                            "CPUs in fp32 bit for bit",
                            {.identity = false});

private:
    static stop_rule parse_stop(const std::string&);
};

/// \throws usage_error
void check_training(const scenario&, const value_reader&);

} // namespace gaisnet
