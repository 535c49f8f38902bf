#pragma once

// Pre-training of a foundation model: [pretrain].

#include "scenario/data.hpp"
#include "settings/key.hpp"

#include <cstdint>
#include <string>

namespace gaisnet {

class value_reader;
struct scenario;

enum class pretraining_kind { supervised, masked };
inline constexpr word<pretraining_kind> pretraining_words[] = {{"supervised", pretraining_kind::supervised},
                                                               {"masked", pretraining_kind::masked}};

struct pretraining_settings {
    static constexpr section key{"pretrain", commands::pretrain};
    pretraining_kind objective =
        key.choice("objective", "supervised", pretraining_words,
                   "a foundation model learns to classify; or, without labels, to predict masked patches");
    /// Folder of images; empty: procedural ones of `domains` domains.
    std::string root =
        key.path("root", "", "a folder with one folder a class; with objective = masked any folder of JPEG and PNG",
                 "images to pre-train on; not set: procedural domains", {.identity = false});
    int epochs = key.count("epochs", "5", "epochs", at_least(1));
    std::int64_t samples = key.integer("samples", "1200", "images of each procedural domain",
                                       within(1, most_drawn_images), {.when = {with("pretrain.root", {""})}});
    int batch = key.count("batch", "64", "samples a batch", at_least(1));
    double lr = key.real("lr", "2e-3", "learning rate of AdamW", above(0));
    /// Independent of the number of ranks; at most as many ranks work.
    int shards = key.count("shards", "4", "parts of a batch that ranks share; at most as many ranks can be used",
                           within(1, 256));
    double mask = key.real("mask", "0.6", "part of an image's patches that are masked (masked)",
                           {.least = 0, .most = 1, .above_least = true, .below_most = true},
                           {.when = {with("pretrain.objective", {"masked"})}});
    int domains = key.count("domains", "3", "procedural domains, none of them an edge's or probe.unseen", at_least(1),
                            {.when = {with("pretrain.root", {""})}});
};

/// \throws usage_error
void check_pretraining(const scenario&, const value_reader&);

} // namespace gaisnet
