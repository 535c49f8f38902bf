#pragma once

// Images or texts, their distribution over start points, and how they are sensed: [data], [classes], [sense], [probe].

#include "settings/key.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

class value_reader;
struct scenario;

enum class data_source {
    folder,     ///< Of images.
    text,       ///< A folder of texts.
    procedural, ///< Drawn: images or texts, as the model takes them.
};
inline constexpr word<data_source> data_source_words[] = {
    {"folder", data_source::folder}, {"text", data_source::text}, {"procedural", data_source::procedural}};
/// What becomes a sample of a .txt file.
enum class text_unit { paragraph, file };
inline constexpr word<text_unit> text_unit_words[] = {{"paragraph", text_unit::paragraph}, {"file", text_unit::file}};
/// What is done with bytes that are not UTF-8.
enum class invalid_text_policy { fatal, replace };
inline constexpr word<invalid_text_policy> invalid_text_words[] = {{"fatal", invalid_text_policy::fatal},
                                                                   {"replace", invalid_text_policy::replace}};
enum class damaged_policy { skip, fatal };
inline constexpr word<damaged_policy> damaged_words[] = {{"skip", damaged_policy::skip},
                                                         {"fatal", damaged_policy::fatal}};

enum class class_scope {
    client,           ///< Each start point sees `classes` of all classes; start points differ.
    all_start_points, ///< All see the same classes (`union`); the amount of data does not depend on their number.
};
inline constexpr word<class_scope> class_scope_words[] = {{"client", class_scope::client},
                                                          {"union", class_scope::all_start_points}};
enum class data_holders { start_points, clients };
inline constexpr word<data_holders> data_holder_words[] = {{"start_points", data_holders::start_points},
                                                           {"clients", data_holders::clients}};

/// How training samples are distributed over the start points of an edge.
struct partition_rule {
    std::string name = "iid"; ///< Of a partition_entry.
    double argument = 1.0;    ///< Its number, if it takes one.
    class_scope scope = class_scope::client;
    bool by_domain() const { return name == "domain"; } ///< Each start point has a domain of its own.
};

struct partition_request;
/// A rule that data.partition can name; see data/partition.hpp.
struct partition_entry {
    const char* name;
    const char* argument; ///< "ALPHA", what its number is; nullptr: it takes none.
    range accepted;       ///< Of the number.
    bool is_whole;        ///< It is a whole number.
    /// \returns sample numbers by start point. \throws usage_error when there are not enough.
    std::vector<std::vector<std::size_t>> (*deal)(const partition_request&);
};

inline constexpr double most_drawn_images = 1e7; ///< Per domain.
inline constexpr int drawn_languages = 6;        ///< Grammars of which texts are drawn; see data/grammar.hpp.

struct data_settings {
    static constexpr section key{"data", commands::emulating};
    /// Traits of keys that pretrain also uses, when it draws images or when it reads a folder.
    static key_traits drawn_ones();
    static key_traits folders();
    static key_traits of_texts();
    static key_traits of_images();
    static key_traits text_folders();

    data_source source =
        key.choice("source", "procedural", data_source_words,
                   "an image folder, a folder of texts, or samples that are drawn: images, or sentences of "
                   "small grammars, as the model takes them");
    /// One for all edges, one per edge, or one per start point.
    std::vector<std::string> roots = key.paths(
        "root", "a folder, or folders",
        "images: one folder a class, JPEG and PNG. Texts: .txt, .jsonl and fortune files, a folder or file a class. "
        "Several by comma, one for each edge",
        {.identity = false});
    std::string tokenizer =
        key.path("tokenizer", "auto", "auto, a tokenizer.json of Hugging Face's, or its folder",
                 "turns texts into tokens; auto: that of the folder model.weights, or, of procedural "
                 "texts, their words",
                 of_texts());
    text_unit unit =
        key.choice("text_unit", "paragraph", text_unit_words, "what is a text in a .txt file (text)", text_folders());
    invalid_text_policy invalid_text =
        key.choice("invalid_text", "fatal", invalid_text_words,
                   "what to do with bytes that are not UTF-8: refuse the file, or put U+FFFD in their place (text)",
                   text_folders());
    std::vector<double> mean =
        key.parsed("mean", "0.5,0.5,0.5", "three numbers", "mean of red, green, blue",
                   [](const std::string& text) { return three_numbers(text, any()); }, {.commands = commands::all});
    std::vector<double> std =
        key.parsed("std", "0.5,0.5,0.5", "three numbers", "standard deviation of red, green, blue",
                   [](const std::string& text) { return three_numbers(text, above(0)); }, {.commands = commands::all});
    double train_fraction =
        key.real("train_fraction", "0.8", "part of each class that is trained on; the rest validates",
                 {.least = 0, .most = 1, .above_least = true, .below_most = true});
    std::int64_t validation_samples = key.integer(
        "validation_samples", "0", "validation samples of a domain that evaluations after rounds take, drawn; 0: all",
        at_least(0), {.commands = commands::training});
    partition_rule partition = read_partition();
    data_holders held_by = key.choice("held_by", "start_points", data_holder_words,
                                      "who has a share of the training samples: the start point of each cluster, "
                                      "whoever that is; or every client, which trains on it if it is a start point");
    /// Fraction of its training samples that a start point has, 0 to 1.
    distribution available = key.drawn("available", dimension::number, "1",
                                       "part of its share of training samples that a start point has", above_to(0, 1));
    /// For a start point's training samples; see sample_quality.
    distribution label_noise =
        key.drawn("label_noise", dimension::number, "0", "probability of a wrong label, a start point", within(0, 1));
    distribution blur = key.drawn("blur", dimension::number, "0", "Gaussian blur in pixels, a start point",
                                  within(0, 100), of_images());
    distribution noise =
        key.drawn("noise", dimension::number, "0", "Gaussian noise, parts of the full scale, a start point",
                  within(0, 10), of_images());
    distribution token_noise =
        key.drawn("token_noise", dimension::number, "0",
                  "probability that a token is read as another one, a start point", within(0, 1), of_texts());
    /// Number of samples per start point; 0: a share of all.
    std::int64_t per_cluster =
        key.integer("per_cluster", "0",
                    "training samples of whoever has a share (data.held_by); 0: equal shares of all", at_least(0));
    damaged_policy damaged = key.choice("damaged", "skip", damaged_words, "what to do with damaged images", folders());
    bool augment = key.onoff("augment", "on", "random resized crop and flip in training (folder)", folders());
    int threads =
        key.count("threads", "0", "threads of a rank that decode images; 0: its share of the computer's cores",
                  within(0, 1024), {.commands = commands::all, .identity = false});
    /// Bytes of decoded images that a rank keeps; not set: a fraction of the free memory.
    std::optional<double> cache = key.quantity_if_set(
        "cache", dimension::size, "",
        "memory of a rank for decoded images; not set: its share of a quarter of the computer's free memory",
        at_least(0), {.commands = commands::all, .identity = false});
    int classes = key.count("classes", "6", "classes (procedural)", within(2, 10), drawn_ones());
    int domain = key.count("domain", "0", "domain of the first edge; edge e has domain + e (procedural)", at_least(0),
                           drawn_ones());
    /// Number of images or sentences per domain before the split (procedural).
    std::int64_t samples =
        key.integer("samples", "1200", "images or sentences of a domain, before the split (procedural)",
                    within(1, most_drawn_images), {.when = {with("data.source", {"procedural"})}});

private:
    static std::vector<double> three_numbers(const std::string&, const range&);
    static partition_rule read_partition();
    static std::string partitions(); ///< "dirichlet(ALPHA), iid"
};

enum class sensing_kind { dataset, each_round, stream };
inline constexpr word<sensing_kind> sensing_words[] = {
    {"dataset", sensing_kind::dataset}, {"each_round", sensing_kind::each_round}, {"stream", sensing_kind::stream}};

struct sensing_settings {
    static constexpr section key{"sense", commands::emulating};
    double time = key.quantity("time", dimension::time, assumed("1 ms"), "sensing time a sample", at_least(0)); ///< s
    double energy = key.quantity("energy", dimension::energy, assumed("1 mJ"), "sensing energy a sample",
                                 within(0, 1e9, "0 to 1e9 J")); ///< J
    sensing_kind mode = key.choice(
        "mode", "dataset", sensing_words,
        "a start point senses each sample once, in the first round that trains on it; or anew in every "
        "round; or goes on sensing new ones into a buffer. It begins when the round does, whatever the scheme",
        {.commands = commands::training});
    std::int64_t rate = key.integer("rate", "50", "new samples a round (stream)", at_least(1),
                                    {.commands = commands::training, .when = {with("sense.mode", {"stream"})}});
    std::int64_t buffer =
        key.integer("buffer", "200", "samples that a start point keeps, and trains on (stream)", at_least(1),
                    {.commands = commands::training, .when = {with("sense.mode", {"stream"})}});

    bool each_round() const { return mode == sensing_kind::each_round; } ///< The same samples are sensed again.
    bool stream() const { return mode == sensing_kind::stream; } ///< Start points keep sensing; see sample_stream.
};

/// Measures the quality of features on every domain.
struct probe_settings {
    static constexpr section key{"probe", commands::emulating & ~commands::serve};
    /// Number of samples for class means, and again for the check; 0: no check.
    std::int64_t samples =
        key.integer("samples", "200",
                    "samples of each domain that judge models' features by the nearest class mean (several edges); 0: "
                    "none",
                    at_least(0), {.when = {unless("network.edges", {"1"})}});
    std::string unseen_text = key.path(
        "unseen", "auto", "auto (procedural: 1000 or later, folder: none), none, a domain's number, or a folder",
        "a domain that no edge has, to judge the foundation model on",
        {.commands = commands::all & ~commands::serve,
         .when = {unless("network.edges", {"1"}).for_commands(commands::emulating),
                  with("pretrain.root", {""}).for_commands(commands::pretrain)}});
    // Set from unseen_text and the kind of data when the scenario is read:
    std::optional<int> unseen{}; ///< procedural: a domain that no edge has.
    std::string unseen_root{};   ///< folder: a folder that no edge has; empty: none.
};

/// How many domains the edges have when samples are drawn: one each, or one for each start point.
int drawn_domains(const scenario&);

/// Also fills probe.unseen and probe.unseen_root. \throws usage_error
void check_data(scenario&, const value_reader&);

} // namespace gaisnet
