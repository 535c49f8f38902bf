#include "settings/help.hpp"
#include "settings/identity.hpp"
#include "settings/options.hpp"

#include "base/error.hpp"
#include "scenario/scenario.hpp"
#include "settings/key.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::ThrowsMessage;
using words = std::vector<std::string>;
using variables = std::map<std::string, std::string>;

/// Tests with config files in a folder of their own.
class options : public in_temporary_folder {
protected:
    std::string file(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
        return (folder_ / name).string();
    }

    static command_line parse(words arguments, const variables& environment = {}) {
        arguments.insert(arguments.begin(), "finetune");
        return parse_command_line(arguments, environment);
    }

    static void rejects(const words& arguments, const testing::Matcher<const std::string&>& message,
                        const variables& environment = {}) {
        EXPECT_THAT([&] { parse(arguments, environment); }, ThrowsMessage<usage_error>(message));
    }

    /// Refuses a config file with this text; the message must name the file.
    void rejects_file(const std::string& text, const testing::Matcher<const std::string&>& message) const {
        const auto path = file("bad.cfg", text);
        rejects({"--config", path}, AllOf(HasSubstr(path), message));
    }

    fs::path folder_ = temporary;
};

TEST_F(options, what_other_programs_call_help_and_version_is_understood) {
    for (const char* word : {"-h", "help", "--help", "-?"}) {
        EXPECT_TRUE(parse_command_line({word}, {}).help) << word;
        EXPECT_TRUE(parse_command_line({"plan", word}, {}).help) << word;
    }
    for (const char* word : {"-V", "version", "--version"}) {
        EXPECT_TRUE(parse_command_line({word}, {}).version) << word;
    }
    const auto given = parse_command_line({"plan", "--output", "help"}, {});
    EXPECT_FALSE(given.help) << "a value is a value";
    EXPECT_EQ(given.values.at("output").value, "help");
}

TEST_F(options, every_key_has_its_default_without_anything_said) {
    const auto parsed = parse({});
    EXPECT_EQ(parsed.command, "finetune");
    ASSERT_EQ(parsed.values.size(), all_keys().size());
    for (const auto& key : all_keys()) {
        EXPECT_EQ(parsed.values.at(key.name).value, key.initial) << key.name;
        EXPECT_EQ(parsed.values.at(key.name).source, key.assumed ? "default (assumed)" : "default") << key.name;
    }
}

TEST_F(options, keys_stand_once_and_are_described) {
    std::set<std::string> names;
    const auto help = help_text();
    for (const auto& key : all_keys()) {
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
        EXPECT_FALSE(key.description.empty()) << key.name;
        EXPECT_EQ(find_key(key.name), &key);
        EXPECT_THAT(help, HasSubstr("--" + key.name + " ")) << key.name;
    }
    EXPECT_EQ(find_key("train.nothing"), nullptr);
}

// Four sources that disagree, and a fifth case for the order of the files.
TEST_F(options, command_line_over_environment_over_later_file_over_earlier_file_over_default) {
    const auto first = file("first.cfg", "seed = 10\n[train]\nrounds = 11\nbatch = 12\nlr = 0.13\n");
    const auto second = file("second.cfg", "[train]\nrounds = 21\nbatch = 22\nlr = 0.23\n");
    const auto values = parse({"--train.rounds", "41", "--config", first, "--config", second},
                              {{"GAISNET_TRAIN_ROUNDS", "31"}, {"GAISNET_TRAIN_BATCH", "32"}, {"HOME", "/root"}})
                            .values;
    EXPECT_EQ(values.at("train.rounds").value, "41");
    EXPECT_EQ(values.at("train.rounds").source, "command line");
    EXPECT_EQ(values.at("train.batch").value, "32");
    EXPECT_EQ(values.at("train.batch").source, "environment GAISNET_TRAIN_BATCH");
    EXPECT_EQ(values.at("train.lr").value, "0.23");
    EXPECT_EQ(values.at("train.lr").source, second + ":4");
    EXPECT_EQ(values.at("seed").value, "10");
    EXPECT_EQ(values.at("seed").source, first + ":1");
    EXPECT_EQ(values.at("train.epochs").source, "default");
}

TEST_F(options, values_keep_their_spaces_hyphens_and_signs) {
    const auto path = file("a.cfg", "# a comment\n\n[link.d2d]   # another\nrate = uniform(10, 50) Mbit/s # and one\n");
    const auto values = parse({"--config", path, "--output=my-results--1.h5", "--device.client.tx_power", "-3 dBm",
                               "--train.lr", "1e-3"})
                            .values;
    EXPECT_EQ(values.at("link.d2d.rate").value, "uniform(10, 50) Mbit/s");
    EXPECT_EQ(values.at("link.d2d.rate").source, path + ":4");
    EXPECT_EQ(values.at("output").value, "my-results--1.h5");
    EXPECT_EQ(values.at("device.client.tx_power").value, "-3 dBm");
    EXPECT_EQ(values.at("train.lr").value, "1e-3");
}

TEST_F(options, keys_may_stand_with_their_section_or_below_it) {
    const auto path = file("a.cfg", "train.rounds = 5\r\n[device.client]\r\nrate = 1 TFLOP/s\r\n");
    const auto values = parse({"--config", path}).values;
    EXPECT_EQ(values.at("train.rounds").value, "5");
    EXPECT_EQ(values.at("train.rounds").source, path + ":1");
    EXPECT_EQ(values.at("device.client.rate").value, "1 TFLOP/s");
}

TEST_F(options, every_key_has_an_environment_variable_of_its_own) {
    for (const auto& key : all_keys()) {
        auto name = "GAISNET_" + key.name;
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return c == '.' ? '_' : static_cast<char>(std::toupper(c)); });
        const auto values = parse({}, {{name, "a value"}}).values;
        const auto changed =
            std::count_if(values.begin(), values.end(), [](const auto& one) { return one.second.value == "a value"; });
        EXPECT_EQ(changed, 1) << name;
        EXPECT_EQ(values.at(key.name).value, "a value") << name;
    }
}

TEST_F(options, unknown_flags_are_named_with_the_nearest_one) {
    rejects({"--train.round", "3"},
            AllOf(HasSubstr("command line"), HasSubstr("--train.round,"), HasSubstr("did you mean --train.rounds?")));
    rejects({"--train.roudns=3"}, HasSubstr("did you mean --train.rounds?"));
    rejects({"--print-confg"}, HasSubstr("did you mean --print_config?"));
    rejects({"--zzzzzzzzzzzzzzzz"}, AllOf(HasSubstr("zzzzzzzzzzzzzzzz"), Not(HasSubstr("did you mean"))));
    rejects({"--train.r", "3"}, HasSubstr("--train.r")); // no guessing by beginnings
}

TEST_F(options, unknown_keys_of_files_are_named_with_their_line) {
    rejects_file("seed = 1\n\n[train]\nroundz = 3\n",
                 AllOf(HasSubstr("bad.cfg:4"), HasSubstr("train.roundz"), HasSubstr("did you mean train.rounds?")));
    rejects_file("[trian]\nrounds = 3\n", AllOf(HasSubstr("bad.cfg:2"), HasSubstr("did you mean train.rounds?")));
}

TEST_F(options, unknown_variables_are_named_with_the_nearest_one) {
    rejects({}, AllOf(HasSubstr("GAISNET_TRAIN_ROUND,"), HasSubstr("did you mean GAISNET_TRAIN_ROUNDS?")),
            {{"GAISNET_TRAIN_ROUND", "3"}});
}

TEST_F(options, repeated_keys_of_a_file_are_named_with_both_lines) {
    rejects_file("[train]\nrounds = 3\nlr = 1\nrounds = 4\n",
                 AllOf(HasSubstr("bad.cfg:4"), HasSubstr("train.rounds"), HasSubstr("line 2")));
    rejects_file("train.rounds = 3\n[train]\nrounds = 3\n", AllOf(HasSubstr("bad.cfg:3"), HasSubstr("line 1")));
}

TEST_F(options, unusable_files_are_named) {
    const auto missing = (folder_ / "missing.cfg").string();
    rejects({"--config", missing}, AllOf(HasSubstr(missing), HasSubstr("cannot be read")));
    rejects({"--config", folder_.string()}, HasSubstr(folder_.string()));
    rejects_file("", HasSubstr("is empty"));
    rejects_file("[train]\nrounds 3\n", HasSubstr("rounds 3"));
}

TEST_F(options, what_other_commands_read_does_not_keep_training_from_being_resumed) {
    const auto of = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "finetune");
        return identity(parse_command_line(arguments, {}).values, "finetune");
    };
    EXPECT_EQ(of({}), of({"--infer.rate", "3", "--serve.rounds", "4", "--delivery", "full"}));
    EXPECT_EQ(of({}), of({"--pretrain.lr", "0.1"}));
    EXPECT_NE(of({}), of({"--scheme", "fl"}));
}

TEST_F(options, pretraining_is_resumed_whatever_fine_tuning_reads) {
    const auto of = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "pretrain");
        return identity(parse_command_line(arguments, {}).values, "pretrain");
    };
    EXPECT_EQ(of({}), of({"--train.lr", "0.5", "--link.d2d.rate", "1 Mbit/s", "--pretrain.root", "elsewhere"}));
    EXPECT_EQ(of({}), of({"--data.samples", "9", "--data.root", "x", "--network.clients", "2,3", "--network.radius",
                          "9 m", "--network.layout", "grid"}));
    for (const char* key :
         {"pretrain.lr",        "pretrain.epochs",  "pretrain.shards",  "pretrain.mask",    "pretrain.batch",
          "pretrain.objective", "pretrain.samples", "pretrain.domains", "model.dim",        "seed",
          "data.domain",        "data.classes",     "data.mean",        "data.std",         "data.augment",
          "data.damaged",       "data.partition",   "network.edges",    "network.clusters", "probe.unseen",
          "runtime.threads"}) {
        EXPECT_NE(of({}), of({std::string("--") + key, "other"})) << key;
    }
}

TEST_F(options, settings_that_change_nothing_are_told) {
    const auto idle = [](std::vector<std::string> arguments) {
        return settings_without_effect(parse_command_line(arguments, {}));
    };
    EXPECT_TRUE(idle({"finetune", "--tuning.method", "lora", "--tuning.rank", "4", "--train.lr", "0.1"}).empty());
    EXPECT_THAT(idle({"finetune", "--tuning.rank", "4"}),
                ElementsAre("command line: tuning.rank = 4 has no effect: tuning.method is prompt_deep"));
    EXPECT_THAT(idle({"infer", "--dropout.probability", "0.5", "--train.labels", "local"}),
                ElementsAre(HasSubstr("dropout.probability = 0.5 has no effect: infer does not look at it")));
    EXPECT_THAT(idle({"plan", "--probe.samples", "5"}), ElementsAre(HasSubstr("network.edges is 1")));
    EXPECT_TRUE(idle({"plan", "--probe.samples", "5", "--network.edges", "2"}).empty());
    EXPECT_THAT(idle({"pretrain", "--pretrain.objective", "supervised", "--pretrain.mask", "0.5"}),
                ElementsAre(HasSubstr("pretrain.objective is supervised")));
    EXPECT_TRUE(idle({"pretrain", "--pretrain.domains", "2", "--resume", "auto", "--checkpoint.every", "2"}).empty());
    EXPECT_THAT(idle({"pretrain", "--pretrain.root", "x", "--pretrain.domains", "2"}),
                ElementsAre(HasSubstr("pretrain.domains = 2 has no effect: pretrain.root is x")));
    EXPECT_TRUE(idle({"pretrain", "--pretrain.root", "x", "--data.augment", "off", "--data.damaged", "fatal"}).empty());
    EXPECT_THAT(idle({"pretrain", "--data.augment", "off"}), ElementsAre(HasSubstr("pretrain.root is not set")));
    EXPECT_TRUE(idle({"pretrain", "--data.classes", "3", "--network.edges", "3", "--probe.unseen", "7"}).empty());
    EXPECT_THAT(idle({"pretrain", "--pretrain.root", "x", "--data.classes", "3", "--network.edges", "3"}),
                ElementsAre(HasSubstr("data.classes = 3 has no effect: pretrain.root is x"),
                            HasSubstr("network.edges = 3 has no effect: pretrain.root is x")));
    EXPECT_TRUE(idle({"serve", "--serve.price.energy", "1", "--serve.value", "2"}).empty());
    EXPECT_THAT(idle({"serve", "--serve.mode", "table", "--serve.price.energy", "1", "--serve.cash", "2"}),
                ElementsAre(HasSubstr("serve.price.energy = 1 has no effect: serve.mode is table")));
    EXPECT_TRUE(idle({"serve", "--serve.arrivals", "poisson", "--serve.rate", "3", "--serve.deadline", "2 s"}).empty());
    EXPECT_THAT(idle({"serve", "--serve.rate", "3"}),
                ElementsAre(HasSubstr("serve.rate = 3 has no effect: serve.arrivals is given")));
    EXPECT_THAT(idle({"serve", "--serve.arrivals", "burst", "--serve.rate", "3", "--serve.demand", "5"}),
                ElementsAre(HasSubstr("serve.demand = 5 has no effect: serve.arrivals is burst"),
                            HasSubstr("serve.rate = 3 has no effect: serve.arrivals is burst")));
    EXPECT_THAT(idle({"serve", "--serve.arrivals", "burst", "--infer.rate", "3"}),
                ElementsAre(HasSubstr("infer.rate = 3 has no effect: serve.arrivals is burst")));
    EXPECT_TRUE(idle({"infer", "--infer.rate", "3"}).empty());
    EXPECT_THAT(idle({"serve", "--serve.arrivals", "burst", "--serve.forecast", "known", "--serve.smoothing", "0.5"}),
                ElementsAre(HasSubstr("serve.smoothing = 0.5 has no effect: serve.forecast is known")));
    EXPECT_THAT(
        idle({"serve", "--model.family", "gpt2", "--model.task", "classification", "--serve.quality", "perplexity"}),
        ElementsAre(HasSubstr("serve.quality = perplexity has no effect: model.task is classification")));
    EXPECT_THAT(idle({"pretrain", "--data.root", "x"}), ElementsAre(HasSubstr("pretrain does not look at it")));
    EXPECT_THAT(idle({"finetune", "--data.augment", "off"}), ElementsAre(HasSubstr("data.source is procedural")));
    EXPECT_THAT(idle({"plan", "--device.cloud.rate", "1 TFLOP/s"}), ElementsAre(HasSubstr("cloud.period is 0")));
    EXPECT_TRUE(idle({"plan", "--service", "infer", "--infer.rate", "3", "--infer.requests", "5", "--delivery", "none",
                      "--optimise", "split", "--train.labels", "local", "--plan.effort", "10"})
                    .empty());
    EXPECT_THAT(idle({"plan", "--service", "infer", "--train.rounds", "3", "--plan.tunings", "head"}),
                ElementsAre("command line: plan.tunings = head has no effect: service is infer",
                            "command line: train.rounds = 3 has no effect: service is infer"));
    EXPECT_THAT(idle({"plan", "--infer.rate", "3"}),
                ElementsAre("command line: infer.rate = 3 has no effect: service is finetune"));
    EXPECT_THAT(idle({"infer", "--service", "infer"}), ElementsAre(HasSubstr("infer does not look at it")));
}

TEST_F(options, help_of_a_topic_and_of_a_command) {
    EXPECT_THAT(help_text("", "tuning.rank"),
                AllOf(HasSubstr("--tuning.rank 8"), HasSubstr("with tuning.method"), Not(HasSubstr("--tuning.alpha"))));
    EXPECT_THAT(help_text("", "link.d2d"), AllOf(HasSubstr("--link.d2d.rate"), Not(HasSubstr("--link.cs_up.rate"))));
    EXPECT_THAT(help_text("infer"), AllOf(HasSubstr("--infer.rate"), Not(HasSubstr("--train.lr "))));
    EXPECT_THAT(help_text("finetune"), AllOf(HasSubstr("--train.lr "), Not(HasSubstr("--infer.rate"))));
    EXPECT_THAT(help_text("plan", "infer.requests"), HasSubstr("with service = infer"));
    EXPECT_THAT(help_text("plan", "train.rounds"), HasSubstr("with service = finetune"));
    EXPECT_THAT(help_text("plan", "link.d2d.rate"), Not(HasSubstr("with service")));
    EXPECT_THAT([] { help_text("", "tuning.rankk"); },
                ThrowsMessage<usage_error>(HasSubstr("did you mean tuning.rank?")));
    EXPECT_THAT([] { help_text("infer", "train.lr"); },
                ThrowsMessage<usage_error>(HasSubstr("infer does not look at it")));
    const auto given = parse_command_line({"plan", "--help", "train"}, {});
    EXPECT_TRUE(given.help);
    EXPECT_EQ(given.command, "plan");
    EXPECT_EQ(given.topic, "train");
    EXPECT_EQ(parse_command_line({"--help", "serve"}, {}).command, "serve");
}

TEST_F(options, completion_knows_flags_and_words) {
    EXPECT_THAT(completion_script("bash"),
                AllOf(HasSubstr("--train.schedule) COMPREPLY=($(compgen -W 'serial gpipe 1f1b'"),
                      HasSubstr(" --link.d2d.rate "), HasSubstr("finetune infer serve"), HasSubstr("|--data.root")));
    EXPECT_THAT(completion_script("zsh"), HasSubstr("bashcompinit"));
    EXPECT_THAT([] { completion_script("fish"); }, ThrowsMessage<usage_error>(HasSubstr("bash and zsh")));
}

TEST_F(options, the_manual_page_is_roff) {
    const auto page = man_page();
    EXPECT_THAT(page, AllOf(StartsWith(".TH GAISNET 1"), HasSubstr("\n.B \\-\\-train.lr 0.02\n"),
                            HasSubstr("\n.B \\-\\-link.d2d.rate 50 Mbit/s (assumed)\n")));
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) { // only requests that there are
        EXPECT_TRUE(!line.starts_with(".") || line.starts_with(".TH ") || line.starts_with(".SH ") || line == ".TP" ||
                    line.starts_with(".B ") || line.starts_with(".I "))
            << line;
    }
    EXPECT_TRUE(parse_command_line({"--man-page"}, {}).man_page);
}

TEST_F(options, presets_tell_their_sources_when_they_are_asked_for) {
    EXPECT_THAT(help_text("", "device.client.preset"), HasSubstr("arXiv 2407.21783"));
    EXPECT_THAT(help_text("", "device.client"), Not(HasSubstr("arXiv 2407.21783")));
}

/// A section of a program of one's own: what its one statement a key gives.
struct toy_settings {
    static constexpr section key{"toy", commands::plan};
    int wheels = key.count("wheels", "4", "of a toy", within(1, 8), {.when = {with("toy.kind", {"car"})}});
    double length = key.quantity("length", dimension::length, assumed("12 cm"), "of a toy", above(0));
    distribution mass = key.drawn("mass", dimension::number, "uniform(1, 2)", "kg", above_to(0, 5));
};

TEST_F(options, a_key_is_one_statement) {
    EXPECT_EQ(toy_settings().wheels, 4) << "a section by itself has the defaults";
    EXPECT_DOUBLE_EQ(toy_settings().length, 0.12);
    const settings values{{"toy.wheels", {"6", "here"}}, {"toy.length", {"1 m", "here"}}};
    {
        const reading from(values);
        EXPECT_EQ(toy_settings().wheels, 6);
        EXPECT_DOUBLE_EQ(toy_settings().length, 1.0);
        EXPECT_EQ(toy_settings().mass.kind, distribution::family::uniform) << "not among the settings: its default";
    }
    EXPECT_EQ(toy_settings().wheels, 4);
    const auto rejected = [](const char* name, const char* value, const char* because) {
        const settings wrong{{name, {value, "here"}}};
        const reading from(wrong);
        EXPECT_THAT([] { toy_settings(); }, ThrowsMessage<usage_error>(HasSubstr(std::string("here: ") + name + " = " +
                                                                                 value + ": " + because)));
    };
    rejected("toy.wheels", "9", "a whole number from 1 to 8 is accepted");
    rejected("toy.length", "0 m", "a value above 0 is accepted");
    rejected("toy.length", "uniform(1, 2) m", "one value is accepted");
    rejected("toy.mass", "uniform(1, 6)", "a value above 0 and at most 5 is accepted");
    rejected("toy.mass", "normal(0, 1)", "a mean above 0 is accepted");
}

TEST_F(options, a_program_sets_keys_in_any_order) {
    auto given = configuration::defaults().set("model.preset", "vit_tiny").set("link.d2d.path_loss", "free_space");
    EXPECT_EQ(given.values.at("model.dim").value, "192");
    EXPECT_EQ(given.values.at("link.d2d.rate").value, "");
    given.set("model.preset", "vit_base").set("link.d2d.path_loss", "none");
    EXPECT_EQ(read_scenario(given.values).model.dim, 768) << "nothing is left of the other preset";
    EXPECT_DOUBLE_EQ(read_scenario(given.values).link.d2d.rate.parameters[0], 50e6) << "the default is back";
    given.set("model.preset", "custom");
    EXPECT_EQ(read_scenario(given.values).model.dim, 64);
    EXPECT_THAT([&] { given.set("train.lrr", "1"); }, ThrowsMessage<usage_error>(HasSubstr("did you mean train.lr?")));
    const auto of_file = configuration::from_file(file("x.cfg", "[train]\nrounds = 7\n"), "plan");
    EXPECT_EQ(of_file.command, "plan");
    EXPECT_EQ(read_scenario(of_file.values).train.rounds, 7);
}

TEST_F(options, commands) {
    for (const char* name : {"finetune", "infer", "serve", "plan", "pretrain"}) {
        EXPECT_EQ(parse_command_line({"--seed", "3", name}, {}).command, name);
    }
    EXPECT_THAT([] { parse_command_line({}, {}); }, ThrowsMessage<usage_error>(HasSubstr("a command is missing")));
    EXPECT_THAT([] { parse_command_line({"finetun"}, {}); },
                ThrowsMessage<usage_error>(HasSubstr("did you mean finetune?")));
    rejects({"plan"}, HasSubstr("\"plan\" is too much behind finetune"));
}

TEST_F(options, switches_are_written_with_hyphens_or_underscores) {
    for (const char* flag : {"--print-config", "--print_config"}) {
        EXPECT_TRUE(parse({flag}).print_config);
    }
    const auto parsed = parse({"--dry-run", "--log-level", "debug", "--progress", "plain"});
    EXPECT_TRUE(parsed.dry_run);
    EXPECT_EQ(parsed.log_level, "debug");
    EXPECT_EQ(parsed.progress, progress_mode::plain);
    EXPECT_EQ(parse({"--train.weight-decay", "0.1"}).values.at("train.weight_decay").value, "0.1");
    EXPECT_TRUE(parse_command_line({"--help"}, {}).help);
    EXPECT_TRUE(parse_command_line({"--version"}, {}).version);
    rejects({"--log-level", "loud"}, AllOf(HasSubstr("loud"), HasSubstr("debug")));
    rejects({"--progress", "loud"}, HasSubstr("loud"));
    rejects({"--train.rounds"}, HasSubstr("train.rounds"));
}

TEST_F(options, printed_config_gives_the_same_settings_again) {
    const auto source =
        file("a.cfg", "[train]\nstop = plateau(accuracy, 0.01, 2)\nrounds = 7\n[network]\nclusters = 2\n"
                      "clients = 4, 3\n[split]\nblocks = 0,2,2,0; 0,4,0\n");
    const auto before = parse({"--config", source, "--link.d2d.rate", "choice(10, 20) Mbit/s", "--resume", "auto",
                               "--device.edge.kappa", "1e-28", "--output", "some where/r.h5"})
                            .values;
    const auto text = print_config(before);
    EXPECT_THAT(text, AllOf(HasSubstr("# " + source + ":3\nrounds = 7\n"), HasSubstr("# command line\n"),
                            HasSubstr("# default (assumed)\n")));
    const auto after = parse({"--config", file("printed.cfg", text)}).values;
    for (const auto& [key, one] : before) {
        EXPECT_EQ(after.at(key).value, one.value) << key;
    }
    EXPECT_EQ(identity(after, "finetune"), identity(before, "finetune"));
}

TEST_F(options, printed_config_says_what_is_run) {
    const auto before =
        parse({"--model.preset", "vit_tiny", "--device.client.kappa", "1e-28", "--device.client.frequency", "1 GHz",
               "--device.client.flops_per_cycle", "4", "--output", "run#1.h5"})
            .values;
    const auto text = print_config(before);
    EXPECT_THAT(text, AllOf(HasSubstr("# model.preset = vit_tiny\nimage = 224\n"), HasSubstr("\ndim = 192\n"),
                            HasSubstr("give it as a flag: output = run#1.h5\n")));
    const auto after = parse({"--config", file("printed.cfg", text), "--output", "run#1.h5"}).values;
    EXPECT_EQ(identity(after, "finetune"), identity(before, "finetune"));
    const auto scene = read_scenario(after);
    EXPECT_EQ(scene.model.dim, 192);
    EXPECT_TRUE(scene.device.client.kappa.has_value());
}

TEST_F(options, a_hash_inside_a_value_is_refused) {
    const auto message = [&](const std::string& text) {
        try {
            parse({"--config", file("hash.cfg", text)});
        } catch (const usage_error& problem) {
            return std::string(problem.what());
        }
        return std::string("accepted");
    };
    EXPECT_THAT(message("seed = 1\noutput = run#1.h5\n"), AllOf(HasSubstr("hash.cfg:2"), HasSubstr("comment")));
    EXPECT_EQ(message("seed = 1 # one\n# two\n"), "accepted");
}

TEST_F(options, identity_knows_what_decides_the_results) {
    const auto now = identity(parse({}).values, "finetune");
    EXPECT_EQ(difference(now, now), "");
    for (const char* key : {"output", "resume", "placement", "runtime.active_clusters", "checkpoint.every", "events"}) {
        EXPECT_EQ(identity(parse({std::string("--") + key, "other"}).values, "finetune"), now) << key;
    }
    for (const char* key : {"seed", "train.lr", "train.rounds", "network.clients", "link.d2d.rate", "data.classes",
                            "runtime.threads", "model.dim", "device.client.rate"}) {
        const auto other = identity(parse({std::string("--") + key, "other"}).values, "finetune");
        EXPECT_NE(other, now) << key;
        EXPECT_THAT(difference(now, other),
                    AllOf(HasSubstr(key), HasSubstr("other"), HasSubstr(find_key(key)->initial)));
    }
}

TEST_F(options, identity_does_not_ask_where_a_value_came_from) {
    const auto path = file("a.cfg", "[train]\nlr = 0.5\n");
    EXPECT_EQ(identity(parse({"--config", path}).values, "finetune"),
              identity(parse({"--train.lr", "0.5"}).values, "finetune"));
    EXPECT_EQ(identity(parse({"--train.lr", "0.5"}).values, "finetune"),
              identity(parse({}, {{"GAISNET_TRAIN_LR", "0.5"}}).values, "finetune"));
}

TEST_F(options, differences_of_keys_that_one_side_does_not_know) {
    EXPECT_THAT(difference("a = 1\n", "a = 1\nb = 2\n"), AllOf(HasSubstr("b"), HasSubstr("unknown")));
    EXPECT_THAT(difference("a = 1\nb = 2\n", "a = 1\n"), AllOf(HasSubstr("b"), HasSubstr("does not know it")));
    EXPECT_EQ(difference("a = x = y\n", "a = x = y\n"), "");
}

TEST_F(options, settings_that_differ_are_told_before_contents) {
    EXPECT_EQ(difference("a.hash = 1\nb = 2\n", "a.hash = 3\nb = 4\n"), "b was 2 and is 4");
    EXPECT_EQ(difference("a.hash = 1\n", "a.hash = 3\n"), "the content of a has changed");
    EXPECT_EQ(difference("b = 2\n", "a.hash = 3\nb = 2\n"), "a was not set and is now");
    EXPECT_EQ(difference("a.hash = 3\nb = 2\n", "b = 2\n"), "a was set and is not now");
}

} // namespace
} // namespace gaisnet
