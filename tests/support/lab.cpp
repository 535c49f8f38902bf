#include "support/lab.hpp"

#include "base/error.hpp"
#include "experiment/players.hpp"
#include "model/files/weight_store.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"
#include "roles/fusion.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/tensor_run.hpp"
#include "support/vits.hpp"
#include "transport/loopback.hpp"

#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <map>
#include <numeric>
#include <thread>

namespace gaisnet::lab {

scenario small_scenario() {
    scenario scene;
    scene.model = vit_sizes(16, 4, 24, 4, 3);
    scene.network.clusters = 2;
    scene.network.clients = {3};
    scene.tuning.prompts = 3;
    scene.train.rounds = 2;
    scene.train.batch = 4;
    scene.train.lr = 0.05;
    for (auto* link : {&scene.link.cs_up, &scene.link.cs_down, &scene.link.d2d, &scene.link.backhaul}) {
        link->rate = distribution::of(50e6);
        link->latency = distribution::of(2e-3);
        link->bandwidth = distribution::of(5e6);
        link->wired_j_bit.reset();
    }
    for (auto* device : {&scene.device.cloud, &scene.device.edge, &scene.device.client}) {
        device->rate = distribution::of(1e9);
        device->power = distribution::of(10.0);
        device->tx_power = distribution::of(0.2);
        device->amplifier_efficiency = distribution::of(1.0);
        device->circuit_power = distribution::of(0.0);
        device->rx_power = distribution::of(0.9);
        device->idle_power = distribution::of(0.8);
        device->base_power = distribution::of(0.25);
        device->memory = distribution::of(4e9);
    }
    scene.sense.time = 1e-3;
    scene.sense.energy = 1e-3;
    return scene;
}

std::vector<tuning_settings> every_tuning() {
    using enum block_linear;
    tuning_settings usual;
    usual.prompts = 3;
    usual.rank = 4;
    usual.bottleneck = 6;
    std::vector<tuning_settings> all;
    for (const auto* name : {"prompt_deep", "prompt_shallow", "prefix", "lora", "adapter", "head", "full"}) {
        usual.method = name;
        all.push_back(usual);
    }
    usual.method = "lora";
    const std::vector<block_linear> layers{query, key, value, projection, fc1, fc2};
    for (const auto layer : layers) {
        usual.targets = {layer};
        all.push_back(usual);
    }
    usual.targets = layers;
    all.push_back(usual);
    return all;
}

scenario text_scenario(const std::string& family) {
    auto scene = small_scenario();
    scene.model.family = family;
    scene.model.task = model_task::classification;
    scene.model.vocabulary = 40;
    scene.model.tokens = 9;
    scene.model.positions = 32;
    scene.model.depth = 3;
    scene.model.hidden = 40;
    scene.model.kv_heads = family == "llama" ? 1 : 0;
    scene.model.qkv_bias = family == "llama";
    return scene;
}

std::vector<tuning_settings> every_tuning_of(const foundation_model& model) {
    auto all = every_tuning();
    auto more = all.back();
    more.targets = {};
    all.push_back(more);
    if (model.has(block_linear::gate)) {
        more.targets = {block_linear::gate};
        all.push_back(more);
    }
    return all;
}

std::shared_ptr<const model_backbone> random_backbone(std::shared_ptr<const foundation_model> model, std::uint64_t seed,
                                                      at::ScalarType type) {
    const auto store = weight_store::random(model, seed);
    return std::make_shared<model_backbone>(make_backbone(model, [&](const tensor_spec& spec) {
        const auto values = store->tensor(spec.name);
        // Larger than usual, so that a model of four narrow blocks passes on more than its positions.
        const auto tensor =
            at::from_blob(const_cast<float*>(values.data()), spec.shape).clone() * (spec.shape.size() > 1 ? 4.0 : 1.0);
        const auto norm = model->norm_tensors();
        const bool of_norm =
            std::any_of(norm.begin(), norm.end(), [&](const auto& one) { return one.name == spec.name; });
        return of_norm ? tensor : tensor.to(type);
    }));
}

weight_values weights_of(std::shared_ptr<const model_backbone> backbone) {
    std::map<std::string, at::Tensor> by_name;
    auto all = backbone->embedding;
    for (const auto& block : backbone->blocks) {
        all.insert(all.end(), block.begin(), block.end());
    }
    all.insert(all.end(), backbone->norm.begin(), backbone->norm.end());
    if (!backbone->model->tied_output()) {
        all.insert(all.end(), backbone->output.begin(), backbone->output.end());
    }
    const auto specs = backbone->model->tensors();
    for (std::size_t i = 0; i < specs.size(); ++i) {
        by_name[specs[i].name] = all[i].to(at::kFloat).contiguous();
    }
    return [by_name = std::move(by_name)](const tensor_spec& spec) {
        const auto& tensor = by_name.at(spec.name);
        return std::vector<float>(tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel());
    };
}

tensor_view random_samples::inputs(const micro_batch& micro) {
    auto shape = model_->sample_shape();
    shape.insert(shape.begin(), micro.count);
    const bool text = model_->takes_tokens();
    auto out = tensor_view::allocate(std::move(shape), text ? element_type::int64 : element_type::float32);
    const auto values = model_->sample_values();
    for (std::int64_t i = 0; i < micro.count; ++i) {
        const auto sample = first_ + micro.batch * batch_ + micro.first + i;
        random_stream stream(5, "image", "lab", 0, static_cast<std::uint32_t>(sample));
        for (std::int64_t v = 0; v < values; ++v) {
            if (text) {
                out.as<std::int64_t>()[i * values + v] =
                    static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(model_->vocabulary())));
            } else {
                out.as<float>()[i * values + v] = static_cast<float>(stream.normal());
            }
        }
    }
    return out;
}

tensor_view random_samples::labels(const micro_batch& micro) {
    const bool tokens = classes_ == no_classes;
    const auto each = tokens ? model_->tokens() : 1;
    auto out =
        tensor_view::allocate(tokens ? std::vector{micro.count, each} : std::vector{micro.count}, element_type::int64);
    for (std::int64_t i = 0; i < micro.count; ++i) {
        const auto sample = static_cast<std::uint32_t>(first_ + micro.batch * batch_ + micro.first + i);
        random_stream stream(5, "label", "lab", 0, sample);
        for (std::int64_t token = 0; token < each; ++token) {
            out.as<std::int64_t>()[i * each + token] = static_cast<std::int64_t>(
                stream.below(static_cast<std::uint64_t>(tokens ? model_->vocabulary() : classes_)));
        }
    }
    return out;
}

tensor_view random_samples::padding(const micro_batch& micro) {
    if (!model_->takes_tokens() || classes_ == no_classes) {
        return {};
    }
    auto out = tensor_view::allocate({micro.count}, element_type::int64);
    for (std::int64_t i = 0; i < micro.count; ++i) {
        const auto sample = static_cast<std::uint32_t>(first_ + micro.batch * batch_ + micro.first + i);
        out.as<std::int64_t>()[i] = static_cast<std::int64_t>(
            random_stream(5, "padding", "lab", 0, sample).below(static_cast<std::uint64_t>(model_->tokens())));
    }
    return out;
}

deployment deploy(const scenario& scene, std::vector<std::int64_t> samples) {
    samples.resize(static_cast<std::size_t>(scene.network.edges * scene.network.clusters),
                   samples.empty() ? 12 : samples.back());
    const std::vector<domain_size> sizes(static_cast<std::size_t>(scene.network.edges),
                                         {scene.model.tells_next_tokens() ? no_classes : classes, 20});
    return make_deployment(scene, make_tuning_method(scene), sizes, samples);
}

namespace {

/// Writes down what goes over a transport.
class recording_transport final : public transport {
public:
    recording_transport(transport& inner, std::vector<seen_message>& seen, std::mutex& guard)
        : inner_(inner)
        , seen_(seen)
        , guard_(guard) {}
    int rank() const override { return inner_.rank(); }
    int ranks() const override { return inner_.ranks(); }
    void send(int destination, message sent) override {
        {
            const std::lock_guard lock(guard_);
            seen_.push_back({sent.route, sent.tensor.shape, sent.tensor.bytes()});
        }
        inner_.send(destination, std::move(sent));
    }
    std::optional<message> poll() override { return inner_.poll(); }
    bool idle() override { return inner_.idle(); }
    void connect(const std::vector<std::pair<int, int>>& from_to) override { inner_.connect(from_to); }
    void prepare(const std::vector<int>& group) override { inner_.prepare(group); }
    std::unique_ptr<pending_sum> sum(sum_buffer buffer, const std::vector<int>& group) override {
        return inner_.sum(std::move(buffer), group);
    }
    void barrier() override { inner_.barrier(); }
    void broadcast(std::vector<std::byte>& bytes, int root) override { inner_.broadcast(bytes, root); }
    std::vector<std::vector<std::byte>> gather(std::vector<std::byte> bytes, int root) override {
        return inner_.gather(std::move(bytes), root);
    }
    void count_local(std::uint64_t bytes) override { inner_.count_local(bytes); }
    std::vector<transport_counters> counters() const override { return inner_.counters(); }

private:
    transport& inner_;
    std::vector<seen_message>& seen_;
    std::mutex& guard_;
};

struct shared_state {
    std::mutex guard;
    std::vector<seen_message> messages;
    std::map<std::pair<int, int>, training_totals> totals; ///< round, cluster
    std::map<std::pair<int, int>, std::vector<float>> models;
    std::map<std::string, executor_state> stages;
    std::vector<tensor_view> edges;
    pacer::clock::time_point start;            ///< Of the round, chosen by rank 0.
    std::map<int, double> took;                ///< Real s, by round.
    std::map<int, std::vector<lateness>> late; ///< By round
    std::atomic<std::uint64_t> computations = 0, joint = 0;
    std::atomic<bool> failed = false; ///< One rank has failed: the others end too, as MPI_Abort would end them.
};

void play_rank(const deployment& deploy, transport& inner, std::shared_ptr<const model_backbone> backbone,
               const std::vector<round_forecast>& forecasts, int first, int last, bool same_data,
               shared_state& shared) {
    set_torch_threads(1); // the setting belongs to a thread
    const auto& scene = *deploy.scene;
    recording_transport network(inner, shared.messages, shared.guard);
    const auto rank_of = place_nodes(placement_of(deploy, network.ranks()), scene.placement);
    stage_stacks stacks(deploy, backbone, {scene.train.optimizer, scene.train.momentum, scene.train.weight_decay});
    std::vector<tensor_view> initial;
    for (const auto& domain : deploy.domains) {
        initial.push_back(initial_values(domain.tunables, scene.seed, weights_of(backbone)));
    }
    pacer clock(scene.time_scale, /*may_spin=*/false);
    tensor_run run(deploy, network, rank_of,
                   [&](const stage_seat& seat) {
                       std::int64_t first_sample = 0;
                       for (int c = 0; c < seat.cluster && !same_data; ++c) {
                           first_sample += deploy.plans[static_cast<std::size_t>(c)].samples;
                       }
                       const auto batch = deploy.plans[static_cast<std::size_t>(seat.cluster)].batch;
                       auto stage = std::make_unique<torch_stage>(
                           stacks.of(seat), std::make_shared<random_samples>(deploy.model, first_sample, batch));
                       if (scene.train.cache && seat.spec.frozen_up_to_head()) {
                           stage->keep_outputs([batch](const micro_batch& micro) {
                               std::vector<std::size_t> numbers(static_cast<std::size_t>(micro.count));
                               std::iota(numbers.begin(), numbers.end(),
                                         static_cast<std::size_t>(micro.batch * batch + micro.first));
                               return numbers;
                           });
                       }
                       return stage;
                   },
                   initial,
                   {[&] {
                        if (shared.failed) {
                            throw runtime_failure("another rank failed");
                        }
                    },
                    {},
                    [&](std::size_t clusters) {
                        ++shared.computations;
                        shared.joint += clusters > 1 ? 1U : 0U;
                    },
                    scene.clock == clock_kind::real ? &clock : nullptr});
    if (first > 1) {
        run.restore(shared.stages);
        for (std::uint32_t edge = 0; edge < shared.edges.size(); ++edge) {
            run.set_model(edge, shared.edges[edge]);
        }
    }
    for (int round = first; round <= last; ++round) {
        if (network.rank() == 0) {
            shared.start = pacer::clock::now() + std::chrono::milliseconds(2);
        }
        network.barrier();
        clock.begin_round(shared.start);
        run.play(round, forecasts[static_cast<std::size_t>(round - 1)].decisions);
        const auto took = pacer::clock::now() - shared.start;
        network.barrier(); // nobody begins the next round before all have read the start of this one
        const std::lock_guard lock(shared.guard);
        shared.took[round] = std::max(shared.took[round], std::chrono::duration<double>(took).count());
        for (const auto& one : run.take_lateness()) {
            shared.late[round].push_back(one);
        }
        for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(deploy.net.edges); ++edge) {
            if (run.in_group(edge)) {
                const auto& model = run.model(edge);
                shared.models[{round, static_cast<int>(edge)}] = {model.as<float>(),
                                                                  model.as<float>() + model.elements()};
            }
        }
        for (const auto& [cluster, totals] : run.take_totals()) {
            shared.totals[{round, cluster}] = totals;
        }
    }
    network.barrier();
    const std::lock_guard lock(shared.guard);
    for (auto& stage : run.save()) {
        shared.stages[stage.name] = std::move(stage.state);
    }
    shared.edges.resize(static_cast<std::size_t>(deploy.net.edges));
    for (std::uint32_t edge = 0; edge < shared.edges.size(); ++edge) {
        if (run.in_group(edge)) {
            shared.edges[edge] = run.model(edge);
        }
    }
}

void play(const deployment& deploy, int ranks, const std::vector<round_forecast>& forecasts, int first, int last,
          bool same_data, shared_state& shared) {
    const auto backbone = random_backbone(deploy.model);
    auto world = loopback_world(ranks);
    std::exception_ptr first_failure;
    {
        std::vector<std::jthread> threads;
        for (std::size_t rank = 0; rank < world.size(); ++rank) {
            threads.emplace_back([&, rank] {
                try {
                    play_rank(deploy, *world[rank], backbone, forecasts, first, last, same_data, shared);
                } catch (...) {
                    if (!shared.failed.exchange(true)) {
                        first_failure = std::current_exception();
                    }
                }
            });
        }
    }
    if (first_failure) {
        std::rethrow_exception(first_failure);
    }
}

} // namespace

hfsl_result run_hfsl(const scenario& scene, const lab_options& options) {
    set_torch_threads(1);
    const auto deployed = deploy(scene, options.samples);
    ledger_run ledger(deployed);
    hfsl_result result;
    for (int round = 1; round <= options.rounds; ++round) {
        result.rounds.push_back(ledger.play(round));
    }
    shared_state shared;
    const int stop = options.restart_after > 0 ? options.restart_after : options.rounds;
    play(deployed, options.ranks, result.rounds, 1, stop, options.same_data, shared);
    if (stop < options.rounds) {
        play(deployed, options.restart_ranks, result.rounds, stop + 1, options.rounds, options.same_data, shared);
    }
    for (auto& [key, model] : shared.models) {
        result.models.push_back(std::move(model));
    }
    for (const auto& [key, totals] : shared.totals) {
        result.totals.push_back(totals);
    }
    result.messages = std::move(shared.messages);
    result.computations = shared.computations;
    result.joint = shared.joint;
    for (auto& [round, rows] : shared.late) {
        result.took_s.push_back(shared.took[round]);
        result.late.push_back(std::move(rows));
    }
    return result;
}

/// What a model says of some samples.
static std::vector<float> some_logits(const deployment& deploy, std::size_t edge, const std::vector<float>& model) {
    const c10::NoGradGuard no_gradients;
    tuned_model whole(random_backbone(deploy.model), deploy.method, deploy.domains[edge].size.classes);
    auto values = tensor_view::allocate({static_cast<std::int64_t>(model.size())});
    std::copy(model.begin(), model.end(), values.as<float>());
    whole.load(values);
    const auto logits =
        whole.forward(to_torch(random_samples(deploy.model, 0, 6).inputs({0, 0, 0, 6, 6}))).contiguous();
    return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

/// Clusters that compute together train the same models, but for rounding; and the same bits on any ranks.
static void expect_same_together(scenario scene, const hfsl_result& one_by_one, const std::string& name) {
    if (scene.tuning.method == "full") {
        return;
    }
    scene.runtime.fuse = {false, 3};
    scene.placement = "node";
    const auto together = run_hfsl(scene, {.ranks = 1, .rounds = 3});
    EXPECT_EQ(one_by_one.rounds.back().rounds[0].end_s, together.rounds.back().rounds[0].end_s) << name;
    const auto deployed = deploy(scene);
    // Factors of products that are averaged are not unique: what they come to has to agree.
    const bool by_logits = scene.tuning.method == "lora" && scene.tuning.average == rank_average::product;
    for (std::size_t i = 0; i < together.models.size(); ++i) {
        const auto seen = [&](const std::vector<float>& model) {
            return by_logits ? some_logits(deployed, i % deployed.domains.size(), model) : model;
        };
        EXPECT_LT(largest_difference(seen(one_by_one.models[i]), seen(together.models[i])), by_logits ? 1e-4 : 1e-5)
            << name << ", together";
    }
    for (const int ranks : {2, 3}) {
        const auto spread = run_hfsl(scene, {.ranks = ranks, .rounds = 3});
        EXPECT_EQ(together.models, spread.models) << name << ", together on " << ranks;
    }
    const auto resumed = run_hfsl(scene, {.ranks = 2, .rounds = 3, .restart_after = 1, .restart_ranks = 1});
    EXPECT_EQ(together.models, resumed.models) << name << ", together";
}

hfsl_result expect_same_everywhere(scenario scene, const std::string& name) {
    auto alone = run_hfsl(scene, {.ranks = 1, .rounds = 3});
    for (const int ranks : {2, 3}) {
        for (const auto placement : {"cluster", "node"}) {
            scene.placement = placement;
            const auto spread = run_hfsl(scene, {.ranks = ranks, .rounds = 3});
            EXPECT_EQ(alone.models, spread.models) << name << " on " << ranks;
        }
    }
    const auto resumed = run_hfsl(scene, {.ranks = 2, .rounds = 3, .restart_after = 1, .restart_ranks = 3});
    EXPECT_EQ(alone.models, resumed.models) << name;
    EXPECT_EQ(alone.rounds.back().rounds[0].end_s, resumed.rounds.back().rounds[0].end_s) << name;
    expect_same_together(scene, alone, name);
    return alone;
}

void expect_sums_agree(const round_forecast& round, const std::string& name) {
    double events_j = 0, nodes_j = 0, idle_j = 0, rounds_j = 0, flops_events = 0, flops_nodes = 0;
    double airtime_events = 0, airtime_rounds = 0;
    std::uint64_t bytes_events = 0, bytes_nodes = 0, bytes_rounds = 0;
    for (const auto& event : round.events) {
        events_j += event.energy_j;
        flops_events += event.flops;
        bytes_events += event.bytes;
        airtime_events += event.airtime_hz_s;
    }
    for (const auto& node : round.nodes) {
        nodes_j += node.total_j();
        idle_j += node.total_j() - node.active_j();
        flops_nodes += node.flops;
        bytes_nodes += node.bytes_sent;
    }
    for (const auto& row : round.rounds) {
        rounds_j += row.energy.total_j();
        bytes_rounds += std::accumulate(row.bytes.begin(), row.bytes.end(), std::uint64_t{0});
        airtime_rounds += std::accumulate(row.airtime_hz_s.begin(), row.airtime_hz_s.end(), 0.0);
        const double parts = row.parts["delivery"] + row.parts["sensing"] + row.parts["compute"] + row.parts["d2d"] +
                             row.parts["cs_smashed"] + row.parts["upload"] + row.parts["edge"] + row.parts["wait"] +
                             row.parts["cloud"];
        EXPECT_NEAR(parts, row.latency_s, 1e-12 + 1e-9 * row.latency_s) << name;
    }
    rounds_j += round.federation ? round.federation->energy_j : 0.0;
    EXPECT_NEAR(events_j + idle_j, nodes_j, 1e-12 * nodes_j + 1e-15) << name;
    EXPECT_NEAR(nodes_j, rounds_j, 1e-12 * nodes_j + 1e-15) << name;
    EXPECT_NEAR(flops_events, flops_nodes, 1e-9 * flops_nodes) << name;
    EXPECT_NEAR(airtime_events, airtime_rounds, 1e-12 * airtime_rounds) << name;
    EXPECT_EQ(bytes_events, bytes_nodes) << name;
    EXPECT_EQ(bytes_events, bytes_rounds) << name;
}

tensor_view moved_model(const deployment& deploy, std::shared_ptr<const model_backbone> backbone, std::uint32_t edge) {
    auto values = initial_values(deploy.domain_of(edge).tunables, 7 + edge, weights_of(std::move(backbone)));
    for (std::int64_t i = 0; i < values.elements(); ++i) {
        values.as<float>()[i] += 0.01F * static_cast<float>(i % 7);
    }
    return values;
}

void play_session(const deployment& deploy, const inference_plan& plan, int ranks,
                  std::shared_ptr<const model_backbone> backbone, const std::function<executor_factory()>& make,
                  const std::function<void(const inference_run&)>& collect, std::size_t first, std::size_t part,
                  const std::function<void(std::size_t)>& computed) {
    auto world = loopback_world(ranks);
    const auto rank_of = place_nodes(placement_of(deploy, ranks), deploy.scene->placement);
    const auto decisions = inference_ledger(deploy, rank_of).play(plan).decisions;
    std::mutex guard;
    std::vector<std::jthread> threads;
    for (auto& network : world) {
        threads.emplace_back([&, &network = *network] {
            set_torch_threads(1);
            std::vector<tensor_view> models;
            for (std::uint32_t edge = 0; edge < deploy.domains.size(); ++edge) {
                models.push_back(moved_model(deploy, backbone, edge));
            }
            tensor_run_hooks hooks;
            hooks.computed = computed;
            inference_run run(deploy, network, rank_of, make(), models, hooks);
            for (auto done = first; done < most_batches(decisions); done += part) {
                const auto some = part_of(plan, decisions, done, done + part);
                run.play(some.plan, some.decisions);
                const std::lock_guard lock(guard);
                collect(run);
            }
        });
    }
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0.0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        largest = std::max(largest, static_cast<double>(std::abs(a[i] - b[i])));
    }
    return largest;
}

} // namespace gaisnet::lab
