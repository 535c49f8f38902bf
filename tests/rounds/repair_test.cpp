// Chains that go on without a lost client: what is trained, what it costs, and when it is not possible.

#include "model/torch/torch_stage.hpp"
#include "support/lab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace gaisnet {
namespace {

using lab::expect_sums_agree;
using lab::largest_difference;
using lab::run_hfsl;
using enum cluster_outcome;

/// Two clusters of three; every client holds blocks. c0.1 is lost in round 1 after two of its three batches.
scenario with_a_loss() {
    auto scene = lab::small_scenario();
    scene.split.blocks = {{1, 2, 1}};
    scene.dropout.policy = dropout_policy::repair;
    scene.dropout.schedule = {{"c0.1", 1.4}};
    return scene;
}

std::uint32_t node_of(const deployment& deploy, const std::string& name) {
    for (std::uint32_t node = 0; node < deploy.net.nodes.size(); ++node) {
        if (deploy.net.nodes[node].name == name) {
            return node;
        }
    }
    ADD_FAILURE() << name;
    return 0;
}

const node_row& row_of(const round_forecast& round, const deployment& deploy, const std::string& name) {
    const auto who = node_of(deploy, name);
    return *std::find_if(round.nodes.begin(), round.nodes.end(), [&](const node_row& row) { return row.node == who; });
}

node_override with_memory(const std::string& name, double bytes) {
    node_override given;
    given.name = name;
    given.memory = bytes;
    return given;
}

/// The whole model in one stage, trained on a cluster's batches of a round; before batch `reset_before` the tensors that
/// a stage holds go back to where they were at the start, and their momentum to nothing.
std::vector<float> train_whole_model(const scenario& scene, int batches, int reset_before, std::size_t stage_lost) {
    const auto deploy = lab::deploy(scene);
    const stage_spec spec(make_model(scene), deploy.method, lab::classes, {true, 0, scene.model.depth, true});
    const auto source = std::make_shared<lab::random_samples>(make_model(scene), 0, scene.train.batch);
    const auto& train = scene.train;
    std::set<std::string> lost_names;
    for (const auto& tunable : deploy.chains[0][stage_lost].spec.tunables()) {
        lost_names.insert(tunable.tensor.name);
    }
    torch_stage stage(spec, lab::random_backbone(make_model(scene)),
                      {train.optimizer, train.momentum, train.weight_decay}, source);
    const auto start = initial_values(spec.tunables(), scene.seed, {});
    stage.load(start);
    for (int i = 0; i < batches; ++i) {
        if (i == reset_before) {
            auto values = stage.unload();
            auto state = stage.save_state();
            std::int64_t at = 0;
            for (const auto& tunable : spec.tunables()) {
                const auto elements = tunable.tensor.elements();
                if (lost_names.contains(tunable.tensor.name)) {
                    std::copy_n(start.as<float>() + at, elements, values.as<float>() + at);
                    std::memset(state.tensors.at("moment1." + tunable.tensor.name).data, 0,
                                static_cast<std::size_t>(elements) * sizeof(float));
                }
                at += elements;
            }
            stage.load(values);
            stage.restore_state(state);
        }
        const micro_batch batch{0, i, 0, train.batch, train.batch};
        stage.run({.operation = stage_operation::forward, .micro = batch, .labels = source->labels(batch)});
        stage.run({.operation = stage_operation::backward, .micro = batch});
        stage.run({.operation = stage_operation::step, .micro = batch, .learning_rate = deploy.learning_rate(0, i)});
    }
    const auto out = stage.unload();
    return {out.as<float>(), out.as<float>() + out.elements()};
}

TEST(repair, trains_what_the_whole_model_would_with_the_lost_blocks_set_back) {
    auto scene = with_a_loss();
    scene.network.clusters = 1;
    const auto run = run_hfsl(scene);
    EXPECT_EQ(run.rounds[0].rounds[0].clusters_done, 1U);
    EXPECT_EQ(run.rounds[0].rounds[0].clusters_repaired, 1U);
    EXPECT_EQ(run.totals[0].predictions, 12) << "every sample counts once";
    const auto expected = train_whole_model(scene, 3, 2, 1);
    EXPECT_LT(largest_difference(run.models[0], expected), 2e-6);
    const auto without_reset = train_whole_model(scene, 3, -1, 1);
    EXPECT_GT(largest_difference(run.models[0], without_reset), 1e-4);
    // The head goes to the neighbour before it.
    scene.dropout.schedule = {{"c0.2", 1.4}};
    const auto headless = run_hfsl(scene);
    EXPECT_LT(largest_difference(headless.models[0], train_whole_model(scene, 3, 2, 2)), 2e-6);
    EXPECT_EQ(headless.totals[0].predictions, 12);
}

TEST(repair, charges_the_delivery_to_the_heir_and_nothing_more_to_the_lost_client) {
    const auto scene = with_a_loss();
    const auto deploy = lab::deploy(scene);
    const auto played = ledger_run(deploy).play(1);
    auto whole = scene;
    whole.dropout.schedule.clear();
    const auto deploy_whole = lab::deploy(whole);
    const auto usual = ledger_run(deploy_whole).play(1);
    expect_sums_agree(played);
    const auto down = static_cast<std::size_t>(link_class::cs_down);
    const auto up = static_cast<std::size_t>(link_class::cs_up);
    const auto lost_bytes = deploy.chains[0][1].spec.tunable_bytes();
    EXPECT_EQ(played.rounds[0].bytes[down], usual.rounds[0].bytes[down] + lost_bytes);
    EXPECT_EQ(played.rounds[0].bytes[up], usual.rounds[0].bytes[up] + scene.link.request_bytes) << "it asks for help";
    EXPECT_EQ(played.rounds[0].samples, usual.rounds[0].samples);
    EXPECT_NEAR(played.rounds[0].client_flops, usual.rounds[0].client_flops, 1.0) << "the same work by other hands";
    EXPECT_EQ(row_of(played, deploy, "c0.1").outcome, lost);
    EXPECT_EQ(row_of(played, deploy, "c0.0").outcome, done);
    EXPECT_NEAR(row_of(played, deploy, "c0.1").flops, 2.0 / 3.0 * row_of(usual, deploy, "c0.1").flops, 1.0);
    EXPECT_NEAR(row_of(played, deploy, "c0.0").flops,
                row_of(usual, deploy, "c0.0").flops + 1.0 / 3.0 * row_of(usual, deploy, "c0.1").flops, 1.0);
    EXPECT_LT(row_of(played, deploy, "c0.1").idle_j, row_of(played, deploy, "c0.0").idle_j);
    // Between the heir's own two stages nothing is sent; it talks to the client behind the lost one.
    const auto heir = node_of(deploy, "c0.0"), behind = node_of(deploy, "c0.2"), gone = node_of(deploy, "c0.1");
    double loss_at = 0;
    for (const auto& event : played.events) {
        if (event.kind == event_kind::send_modules_down && event.peer == heir) {
            loss_at = std::max(loss_at, event.start_s); // the second delivery
        }
    }
    std::size_t direct = 0;
    for (const auto& event : played.events) {
        if (event.receivers > 0) {
            EXPECT_FALSE(event.start_s > loss_at && (event.node == gone || event.peer == gone));
            direct += (event.node == heir && event.peer == behind) || (event.node == behind && event.peer == heir);
        }
    }
    EXPECT_EQ(direct, 2U + 1U) << "labels, tokens and gradient of one batch";
}

TEST(repair, an_heir_tunes_with_the_rank_of_the_lost_client) {
    auto scene = with_a_loss();
    scene.tuning.method = "lora";
    scene.tuning.rank = 5;
    scene.train.rounds = 3;
    node_override small;
    small.name = "c0.1";
    small.rank = 2;
    scene.network.overrides.nodes = {small};
    const auto deploy = lab::deploy(scene);
    const auto played = ledger_run(deploy).play(1);
    auto whole = scene;
    whole.dropout.schedule.clear();
    const auto deploy_whole = lab::deploy(whole);
    const auto usual = ledger_run(deploy_whole).play(1);
    const auto down = static_cast<std::size_t>(link_class::cs_down);
    constexpr std::uint64_t its_bytes = 4 * 2 * 2 * 2 * (24 + 24); // two blocks, q and v, rank 2
    EXPECT_EQ(played.rounds[0].bytes[down], usual.rounds[0].bytes[down] + its_bytes);
    EXPECT_NEAR(played.rounds[0].client_flops, usual.rounds[0].client_flops, 1.0) << "the same work by other hands";
    scene.network.clusters = 3;
    for (const auto way : {rank_average::truncate, rank_average::product}) {
        scene.tuning.average = way;
        const auto run = lab::expect_same_everywhere(scene, name_in(rank_average_words, way));
        EXPECT_EQ(run.rounds[0].rounds[0].clusters_repaired, 1U);
    }
}

TEST(repair, goes_to_the_next_neighbour_or_ends_the_round_where_memory_is_short) {
    auto scene = with_a_loss();
    const auto roomy = lab::deploy(scene);
    const auto usual = ledger_run(roomy).play(1);
    const auto needs = [&](const std::string& name) {
        return static_cast<double>(row_of(usual, roomy, name).total_bytes);
    };
    EXPECT_GT(needs("c0.0"), needs("c1.0")) << "the heir holds more than its like in the other cluster";
    scene.network.overrides.nodes = {with_memory("c0.0", needs("c0.0"))};
    const auto fits = lab::deploy(scene);
    EXPECT_EQ(ledger_run(fits).play(1).decisions.fates[0].takeovers.at(0).heir, node_of(fits, "c0.0"));
    scene.network.overrides.nodes = {with_memory("c0.0", needs("c0.0") - 1)};
    const auto tight = lab::deploy(scene);
    const auto other = ledger_run(tight).play(1);
    EXPECT_EQ(other.decisions.fates[0].takeovers.at(0).heir, node_of(tight, "c0.2"));
    EXPECT_EQ(other.rounds[0].clusters_repaired, 1U);
    scene.network.overrides.nodes.push_back(with_memory("c0.2", needs("c1.2") + 1000));
    const auto tighter = lab::deploy(scene);
    const auto neither = ledger_run(tighter).play(1);
    EXPECT_EQ(neither.rounds[0].clusters_repaired, 0U);
    EXPECT_EQ(neither.rounds[0].clusters_lost, 1U);
    EXPECT_EQ(row_of(neither, tighter, "c0.0").outcome, lost);
    expect_sums_agree(other);
    expect_sums_agree(neither);
}

TEST(repair, needs_a_link_between_the_new_neighbours) {
    auto scene = with_a_loss();
    scene.network.layout = layout_kind::list;
    scene.network.clusters = 1;
    radio_settings radio;
    radio.loss = *registry<path_loss_model>::find("free_space");
    radio.frequency_hz = 5e9;
    scene.link.d2d.radio = radio;
    scene.link.d2d.tx_power = distribution::of(0.1);
    const auto place = [](const std::string& name, double x) {
        node_override given;
        given.name = name;
        given.place = position{x, 0};
        return given;
    };
    scene.network.overrides.nodes = {place("c0.0", 0), place("c0.1", 100), place("c0.2", 200)};
    const auto rates = lab::deploy(scene);
    const auto rate = [&](const char* from, const char* to) {
        const auto* link = rates.net.link_between(node_of(rates, from), node_of(rates, to));
        EXPECT_TRUE(link) << from << to;
        return link ? link->rate_bit_s : 0.0;
    };
    const double near = rate("c0.0", "c0.1"), far = rate("c0.0", "c0.2");
    EXPECT_GT(near, far);
    EXPECT_EQ(ledger_run(rates).play(1).rounds[0].clusters_repaired, 1U);
    scene.link.d2d.radio->min_rate = 0.5 * (near + far);
    const auto deploy = lab::deploy(scene); // the chain itself is within reach
    EXPECT_EQ(ledger_run(deploy).play(1).rounds[0].clusters_lost, 1U);
}

TEST(repair, cannot_replace_the_start_point) {
    auto scene = with_a_loss();
    scene.dropout.schedule = {{"c0.1", 1.1}, {"c0.0", 1.5}};
    const auto deploy = lab::deploy(scene);
    const auto played = ledger_run(deploy).play(1);
    EXPECT_EQ(played.rounds[0].clusters_lost, 1U);
    EXPECT_EQ(played.rounds[0].clusters_repaired, 0U);
    expect_sums_agree(played);
}

TEST(repair, is_undone_when_the_client_is_back) {
    const auto scene = with_a_loss();
    const auto deploy = lab::deploy(scene);
    ledger_run run(deploy);
    run.play(1);
    const auto second = run.play(2);
    EXPECT_EQ(second.rounds[0].clusters_done, 2U);
    EXPECT_EQ(second.rounds[0].clusters_repaired, 0U);
    EXPECT_GT(row_of(second, deploy, "c0.1").flops, 0);
}

TEST(repair, an_empty_battery_is_replaced_from_the_delivery_on) {
    auto scene = with_a_loss();
    scene.dropout.schedule.clear();
    scene.train.rounds = 4;
    node_override small;
    small.name = "c1.1";
    small.battery = 0.05;
    scene.network.overrides.nodes = {small};
    const auto deploy = lab::deploy(scene);
    ledger_run run(deploy);
    const auto first = run.play(1);
    EXPECT_EQ(first.rounds[0].clusters_repaired, 1U);
    EXPECT_EQ(row_of(first, deploy, "c1.1").battery_j, 0.0);
    EXPECT_GT(row_of(first, deploy, "c1.1").flops, 0);
    const auto second = run.play(2);
    EXPECT_EQ(second.rounds[0].clusters_repaired, 1U);
    EXPECT_EQ(row_of(second, deploy, "c1.1").total_j(), 0.0);
    EXPECT_EQ(row_of(second, deploy, "c1.1").bytes_received, 0U);
    EXPECT_EQ(row_of(second, deploy, "c1.1").outcome, lost);
    EXPECT_EQ(row_of(second, deploy, "c1.0").outcome, done);
    const auto down = static_cast<std::size_t>(link_class::cs_down);
    EXPECT_EQ(second.rounds[0].bytes[down], 2 * static_cast<std::uint64_t>(deploy.domain_of(0).elements) * 4)
        << "every module is delivered once";
    expect_sums_agree(first);
    expect_sums_agree(second);
}

TEST(repair, is_the_same_on_any_number_of_ranks_and_after_a_restart) {
    auto scene = with_a_loss();
    scene.network.clusters = 3;
    scene.network.clients = {4};
    scene.split.blocks = {{1, 1, 1, 1}};
    scene.dropout.probability = 0.2;
    scene.train.rounds = 3;
    for (const int stage : {0, 3}) {
        scene.cluster.edge_stage = stage > 0 ? std::optional(stage) : std::nullopt;
        scene.split.blocks = {stage > 0 ? std::vector{1, 1, 1, 1, 0} : std::vector{1, 1, 1, 1}};
        for (const auto labels : {label_route::chain, label_route::local}) {
            scene.train.labels = labels;
            const auto run = lab::expect_same_everywhere(scene, "edge stage " + std::to_string(stage));
            std::uint32_t repaired = 0;
            std::set<std::uint32_t> heirs;
            for (const auto& round : run.rounds) {
                repaired += round.rounds[0].clusters_repaired;
                for (const auto& fate : round.decisions.fates) {
                    for (const auto& one : fate.takeovers) {
                        heirs.insert(one.heir);
                    }
                }
                expect_sums_agree(round);
            }
            EXPECT_GE(repaired, 2U);
            EXPECT_EQ(heirs.contains(0), stage > 0) << "the edge takes a stage over where it is a neighbour";
        }
    }
}

} // namespace
} // namespace gaisnet
