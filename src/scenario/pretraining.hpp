#pragma once

// Pre-training of a foundation model: [pretrain].

#include "scenario/data.hpp"
#include "settings/key.hpp"

#include <cstdint>
#include <string>

namespace gaisnet {

class value_reader;
struct scenario;

enum class pretraining_kind {
    automatic,  ///< What is usual: classes of images, next tokens of causal models, masked tokens of others.
    supervised, ///< Classes of labelled samples.
    masked,     ///< Patches or tokens that are hidden.
    next_token,
};
inline constexpr word<pretraining_kind> pretraining_words[] = {{"auto", pretraining_kind::automatic},
                                                               {"supervised", pretraining_kind::supervised},
                                                               {"masked", pretraining_kind::masked},
                                                               {"next_token", pretraining_kind::next_token}};

struct pretraining_settings {
    static constexpr section key{"pretrain", commands::pretrain};
    pretraining_kind objective = key.choice(
        "objective", "auto", pretraining_words,
        "a foundation model learns to classify; or, without labels, to predict masked patches or tokens, or next "
        "tokens. auto: to classify images, and of texts next tokens (llama, gpt2) or masked ones (bert)");
    /// Folder of images or texts; empty: procedural ones of `domains` domains.
    std::string root = key.path(
        "root", "", "a folder with one folder a class; with objective = masked any folder of JPEG and PNG; texts",
        "images or texts to pre-train on; not set: procedural domains", {.identity = false});
    int epochs = key.count("epochs", "5", "epochs", at_least(1));
    std::int64_t samples = key.integer("samples", "1200", "images or sentences of each procedural domain",
                                       within(1, most_drawn_images), {.when = {with("pretrain.root", {""})}});
    int batch = key.count("batch", "64", "samples a batch", at_least(1));
    double lr = key.real("lr", "2e-3", "learning rate of AdamW", above(0));
    /// Independent of the number of ranks; at most as many ranks work.
    int shards = key.count("shards", "4", "parts of a batch that ranks share; at most as many ranks can be used",
                           within(1, 256));
    double mask = key.real("mask", "0.6", "part of an image's patches, or a text's tokens, that are masked (masked)",
                           {.least = 0, .most = 1, .above_least = true, .below_most = true},
                           {.when = {with("pretrain.objective", {"masked", "auto"})}});
    int domains =
        key.count("domains", "3",
                  "procedural domains: of images, none of them an edge's or probe.unseen; of texts, the first so "
                  "many of six grammars",
                  at_least(1), {.when = {with("pretrain.root", {""})}});
};

/// \throws usage_error
void check_pretraining(const scenario&, const value_reader&);

} // namespace gaisnet
