// The order in which ranks begin what waits for its other end. Random role networks on random placements run over a
// double of NCCL that buffers nothing, rank by rank in one thread, so that a circle of waiting is seen for certain.

#include "base/error.hpp"
#include "base/random.hpp"
#include "model/shape_stage.hpp"
#include "rounds/inference_run.hpp"
#include "rounds/tensor_run.hpp"
#include "runtime/placement.hpp"
#include "support/lab.hpp"
#include "support/rendezvous_fabric.hpp"
#include "support/vits.hpp"
#include "transport/device_transport.hpp"
#include "transport/loopback.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace gaisnet {
namespace {

/// A stage without a model: what it gives out depends on all that it was given, so that a message that went astray
/// changes the result.
class mixing_stage final : public stage_executor {
public:
    mixing_stage(const deployment& deploy, const stage_seat& seat)
        : shapes_(seat.spec)
        , name_(static_cast<std::uint64_t>(seat.cluster) * 100 + seat.position)
        , peers_(&deploy.chains[deploy.groups[static_cast<std::size_t>(seat.cluster)]][seat.position]) {}

    const void* peers() const override { return peers_; }

    void load(const tensor_view& modules) override {
        values_.assign(modules.as<float>(), modules.as<float>() + modules.elements());
    }
    tensor_view unload() override {
        auto out = tensor_view::allocate({static_cast<std::int64_t>(values_.size())});
        std::copy(values_.begin(), values_.end(), out.as<float>());
        return out;
    }
    tensor_view padding(const micro_batch&) override { return {}; }
    tensor_view labels(const micro_batch& micro) override {
        auto out = tensor_view::allocate({micro.count}, element_type::int64);
        std::iota(out.as<std::int64_t>(), out.as<std::int64_t>() + micro.count, micro.batch + micro.first);
        return out;
    }
    tensor_view run(const stage_request& request) override {
        mix(name_ + static_cast<std::uint64_t>(request.micro.batch * 1000 + request.micro.first));
        for (const auto* given : {&request.input, &request.labels}) {
            for (std::size_t i = 0; i < given->bytes(); ++i) {
                mix(static_cast<std::uint64_t>(given->data[i]));
            }
        }
        if (request.operation == stage_operation::step) {
            for (auto& value : values_) {
                value = 0.5F * value + next();
            }
            return {};
        }
        auto out = shapes_.run(request);
        if (out.empty()) {
            return {};
        }
        out = tensor_view::allocate(out.shape);
        std::generate(out.as<float>(), out.as<float>() + out.elements(), [&] { return next(); });
        return out;
    }

private:
    void mix(std::uint64_t value) { state_ = (state_ ^ value) * 0x100000001b3U; }
    float next() {
        mix(1);
        return static_cast<float>(state_ >> 40) / static_cast<float>(1 << 24);
    }

    shape_stage shapes_;
    std::uint64_t name_, state_ = 0xcbf29ce484222325U;
    const stage_seat* peers_; ///< The seat of the first cluster with which it computes.
    std::vector<float> values_;
};

class dice {
public:
    explicit dice(std::uint32_t number): stream_(99, "test", "dice", 0, number) {}
    int between(int least, int most) {
        return least + static_cast<int>(stream_.below(static_cast<std::uint64_t>(most - least + 1)));
    }
    bool one_in(int n) { return between(1, n) == 1; }

private:
    random_stream stream_;
};

distribution uniform(double low, double high) { return {distribution::family::uniform, {low, high}, {}}; }

scenario random_scenario(dice& roll) {
    auto scene = lab::small_scenario();
    scene.model = vit_sizes(8, 4, 8, 5, 2);
    scene.tuning.prompts = 1;
    scene.network.edges = roll.between(1, 3);
    scene.network.clusters = roll.between(1, 4);
    scene.network.clients.clear();
    const bool alike = roll.one_in(2);
    for (int c = 0; c < scene.network.clusters; ++c) {
        scene.network.clients.push_back(alike && c > 0 ? scene.network.clients.front() : roll.between(1, 5));
    }
    scene.runtime.fuse = {false, roll.between(1, 4)};
    scene.train.batch = roll.between(2, 4);
    scene.train.micro_batches = roll.between(1, 4);
    scene.train.schedule = static_cast<schedule_kind>(roll.between(0, 2));
    if (scene.train.schedule == schedule_kind::serial) {
        scene.train.micro_batches = 1;
    }
    scene.train.labels = roll.one_in(3) ? label_route::local : label_route::chain;
    if (roll.one_in(4)) {
        scene.cluster.edge_stage = 2;
    }
    if (roll.one_in(3)) {
        using enum scheme_kind;
        constexpr scheme_kind others[] = {fl, sl, splitfed, centralised};
        scene.scheme = others[roll.between(0, 3)];
        scene.cluster.edge_stage.reset();
        scene.train.labels = scene.scheme == centralised ? label_route::chain : scene.train.labels;
    }
    scene.runtime.active_clusters = roll.between(1, 3);
    scene.cloud.period = roll.between(0, 2);
    if (roll.one_in(2)) {
        const bool skips = roll.one_in(4) || scene.scheme != scheme_kind::hfsl;
        scene.dropout.policy = skips ? dropout_policy::skip : dropout_policy::repair;
        scene.dropout.probability = 0.2;
    }
    scene.link.d2d.rate = uniform(1e5, 1e8);
    scene.link.cs_up.rate = scene.link.cs_down.rate = uniform(1e5, 1e8);
    scene.device.client.rate = uniform(1e6, 1e9);
    if (roll.one_in(4)) { // much happens at the same time
        scene.link.d2d.latency = distribution::of(0.0);
        scene.link.d2d.rate = distribution::of(1e15);
        scene.device.client.rate = distribution::of(1e30);
    }
    return scene;
}

struct played {
    bool stuck = false;
    std::string waiting;
    std::vector<std::vector<float>> models; ///< By edge
    std::uint64_t carried = 0;              ///< Messages over the fabric.
};

/// The ranks of a run, over a double of NCCL.
struct players {
    /// \param members ranks that the double connects; empty: all.
    explicit players(int ranks, std::vector<int> members): fabric(ranks, std::move(members)) {
        auto base = loopback_world(ranks);
        for (int rank = 0; rank < ranks; ++rank) {
            networks.push_back(std::make_unique<device_transport>(std::move(base[static_cast<std::size_t>(rank)]),
                                                                  nullptr, fabric.fabric(rank)));
        }
    }
    std::uint64_t carried() const {
        std::uint64_t messages = 0;
        for (const auto& one : networks) {
            for (const auto& counter : one->counters()) {
                messages += counter.transport == "rendezvous" ? counter.messages : 0;
            }
        }
        return messages;
    }

    lab::rendezvous_world fabric;
    std::vector<std::unique_ptr<device_transport>> networks;
};

/// A rank's part of rounds or sessions, in steps.
struct steps_of_rank {
    std::function<void(std::size_t round)> begin;
    std::function<tensor_pass&()> pass;
    std::function<void()> end;
};

using reorder = std::function<void(int rank, std::vector<decided_exchange>&)>;

/// What a device may do to its rank.
enum class device_kind {
    independent, ///< Waiting operations leave the rank to its work.
    stalling ///< The rank does nothing at all while an operation that it has begun is unfinished: as when the device
             ///< runs everything in one queue, or loads a kernel, and the host waits for it.
};

/// The ranks take turns in random order, each for a random number of steps. \returns false when nothing moves any more.
bool take_turns(players& all, const std::vector<steps_of_rank>& ranks, std::size_t rounds, dice& roll,
                device_kind device) {
    const int count = static_cast<int>(ranks.size());
    std::vector<std::size_t> at(ranks.size(), 0); // ranks go on to the next round each when it can
    for (const auto& one : ranks) {
        one.begin(0);
    }
    int quiet = 0;
    auto activity = all.fabric.activity();
    while (std::any_of(at.begin(), at.end(), [&](std::size_t round) { return round < rounds; })) {
        bool moved = false;
        for (std::size_t turn = 0; turn < ranks.size(); ++turn) {
            const auto rank = static_cast<std::size_t>(roll.between(0, count - 1));
            const auto stalled = [&] {
                return device == device_kind::stalling && all.fabric.busy(static_cast<int>(rank));
            };
            if (at[rank] == rounds || stalled()) {
                continue;
            }
            const auto& one = ranks[rank];
            for (int steps = roll.between(1, 20); steps > 0 && !stalled() && !one.pass().done(); --steps) {
                moved = one.pass().step() || moved;
            }
            if (!stalled() && one.pass().done()) {
                one.end();
                if (++at[rank] < rounds) {
                    one.begin(at[rank]);
                }
                moved = true;
            }
        }
        quiet = moved || all.fabric.activity() != activity ? 0 : quiet + 1;
        activity = all.fabric.activity();
        if (quiet > 40 * count) { // each rank has had many turns, and nothing happens any more
            return false;
        }
    }
    return true;
}

int ranks_in(const std::vector<int>& rank_of) { return *std::max_element(rank_of.begin(), rank_of.end()) + 1; }

std::vector<tensor_view> initial_models(const deployment& deploy) {
    std::vector<tensor_view> initial;
    for (const auto& domain : deploy.domains) {
        initial.push_back(initial_values(domain.tunables, 1, {}));
    }
    return initial;
}

executor_factory mixing(const deployment& deploy) {
    return [&deploy](const stage_seat& seat) { return std::make_unique<mixing_stage>(deploy, seat); };
}

/// Plays rounds of fine-tuning.
played play(const deployment& deploy, const std::vector<int>& rank_of, const std::vector<round_forecast>& rounds,
            dice& roll, const reorder& change = {}, device_kind device = device_kind::independent,
            std::vector<int> members = {}) {
    players all(ranks_in(rank_of), std::move(members));
    std::vector<std::unique_ptr<tensor_run>> runs;
    std::vector<steps_of_rank> ranks;
    struct part {
        int round = 0;
        const round_decisions* decisions = nullptr;
    };
    std::vector<part> parts; // rounds with their turns
    for (std::size_t round = 0; round < rounds.size(); ++round) {
        parts.push_back({static_cast<int>(round) + 1, &rounds[round].decisions});
        for (const auto& turn : rounds[round].decisions.turns) {
            parts.push_back({static_cast<int>(round) + 1, &turn});
        }
    }
    for (auto& network : all.networks) {
        const int rank = static_cast<int>(runs.size());
        auto& run = *runs.emplace_back(
            std::make_unique<tensor_run>(deploy, *network, rank_of, mixing(deploy), initial_models(deploy)));
        ranks.push_back({[&, rank](std::size_t which) {
                             auto decisions = *parts[which].decisions;
                             if (change) {
                                 change(rank, decisions.exchanges);
                             }
                             run.begin(parts[which].round, decisions);
                         },
                         [&]() -> tensor_pass& { return run.pass(); }, [&] { run.end(); }});
    }
    played result;
    result.stuck = !take_turns(all, ranks, parts.size(), roll, device);
    if (result.stuck) {
        result.waiting = all.fabric.waiting();
        return result;
    }
    for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(deploy.net.edges); ++edge) {
        const auto& model = runs[static_cast<std::size_t>(rank_of[edge])]->model(edge);
        result.models.emplace_back(model.as<float>(), model.as<float>() + model.elements());
    }
    result.carried = all.carried();
    return result;
}

/// Plays sessions of inference, or parts of them; `models` are the answers of all but the first one, by cluster.
played serve(const deployment& deploy, const std::vector<session_part>& sessions, const std::vector<int>& rank_of,
             dice& roll, device_kind device, std::vector<int> members = {}) {
    players all(ranks_in(rank_of), std::move(members));
    std::vector<std::unique_ptr<inference_run>> runs;
    std::vector<steps_of_rank> ranks;
    played result;
    result.models.resize(deploy.chains.size());
    for (auto& network : all.networks) {
        auto& run = *runs.emplace_back(
            std::make_unique<inference_run>(deploy, *network, rank_of, mixing(deploy), initial_models(deploy)));
        auto now = std::make_shared<std::size_t>(0);
        ranks.push_back({[&, now](std::size_t session) {
                             *now = session;
                             run.begin(sessions[session].plan, sessions[session].decisions);
                         },
                         [&]() -> tensor_pass& { return run.pass(); },
                         [&, now] {
                             run.end();
                             for (const auto& [cluster, logits] : run.answers()) {
                                 auto& its = result.models[static_cast<std::size_t>(cluster)];
                                 its.insert(its.end(), logits.as<float>(),
                                            logits.as<float>() + (*now > 0 ? logits.elements() : 0));
                             }
                         }});
    }
    result.stuck = !take_turns(all, ranks, sessions.size(), roll, device);
    if (result.stuck) {
        result.waiting = all.fabric.waiting();
        return result;
    }
    result.carried = all.carried();
    return result;
}

struct random_network {
    explicit random_network(std::uint32_t number): roll(number), scene(random_scenario(roll)) {
        std::vector<std::int64_t> samples;
        for (int c = 0; c < scene.network.edges * scene.network.clusters; ++c) {
            samples.push_back(roll.between(3, 12));
        }
        deploy = lab::deploy(scene, samples);
        const int ranks = roll.between(2, 6);
        for (std::size_t node = 0; node < deploy.net.nodes.size(); ++node) {
            rank_of.push_back(roll.between(0, ranks - 1));
        }
        rank_of.back() = ranks - 1;
        keep_together({deploy.net, ranks, {}, deploy.groups}, rank_of);
    }
    /// Some of the ranks, two at least.
    std::vector<int> some_ranks() {
        const int ranks = *std::max_element(rank_of.begin(), rank_of.end()) + 1;
        std::vector<int> some{0, ranks - 1};
        for (int rank = 1; rank + 1 < ranks; ++rank) {
            if (roll.one_in(2)) {
                some.push_back(rank);
            }
        }
        std::sort(some.begin(), some.end());
        return some;
    }
    /// Two rounds of the ledger.
    std::vector<round_forecast> rounds() const {
        ledger_run ledger(deploy, rank_of);
        std::vector<round_forecast> out;
        out.push_back(ledger.play(1));
        out.push_back(ledger.play(2));
        return out;
    }

    dice roll;
    scenario scene;
    deployment deploy;
    std::vector<int> rank_of;
};

TEST(exchange_order, random_networks_never_wait_in_a_circle_and_compute_what_one_rank_computes) {
    std::uint64_t carried = 0;
    for (std::uint32_t number = 0; number < 1000; ++number) {
        SCOPED_TRACE("network " + std::to_string(number));
        random_network net(number);
        const auto rounds = net.rounds();
        const auto spread = play(net.deploy, net.rank_of, rounds, net.roll);
        ASSERT_FALSE(spread.stuck) << spread.waiting;
        const auto alone = play(net.deploy, std::vector<int>(net.rank_of.size(), 0), rounds, net.roll);
        ASSERT_FALSE(alone.stuck);
        EXPECT_EQ(spread.models, alone.models);
        carried += spread.carried;
    }
    EXPECT_GT(carried, 30'000U);
}

TEST(exchange_order, ranks_never_wait_in_a_circle_when_a_waiting_device_stalls_them) {
    for (std::uint32_t number = 0; number < 1000; ++number) {
        SCOPED_TRACE("network " + std::to_string(number));
        random_network net(number);
        const auto rounds = net.rounds();
        // Others go through another transport, which never waits.
        const auto members = number % 2 == 0 ? std::vector<int>{} : net.some_ranks();
        const auto run = play(net.deploy, net.rank_of, rounds, net.roll, {}, device_kind::stalling, members);
        ASSERT_FALSE(run.stuck) << run.waiting;
        const auto alone = play(net.deploy, std::vector<int>(net.rank_of.size(), 0), rounds, net.roll);
        EXPECT_EQ(run.models, alone.models);
    }
}

TEST(exchange_order, sessions_of_inference_never_wait_in_a_circle_either) {
    std::uint64_t carried = 0;
    for (std::uint32_t number = 0; number < 600; ++number) {
        SCOPED_TRACE("network " + std::to_string(number));
        random_network net(number);
        auto& infer = net.scene.infer;
        net.scene.scheme = net.scene.scheme == scheme_kind::centralised ? scheme_kind::fl : net.scene.scheme;
        net.scene.service = service_kind::inference; // the deployment looks at this scenario; its links change
        infer.requests = net.roll.between(1, 12);
        infer.batch = net.roll.between(1, 4);
        infer.in_flight = net.roll.between(0, 4);
        infer.arrivals = net.roll.one_in(2) ? arrival_kind::poisson : arrival_kind::burst;
        infer.rate = net.roll.one_in(2) ? 1e4 : 20.0;
        infer.delivery = net.roll.one_in(2) ? delivery_kind::tunable : delivery_kind::full;
        const auto deploy = lab::deploy(net.scene);
        keep_together({deploy.net, ranks_in(net.rank_of), {}, deploy.groups}, net.rank_of);
        const auto plan = make_inference_plan(deploy);
        inference_ledger ledger(deploy, net.rank_of);
        const auto first = ledger.play(plan, 1), second = ledger.play(plan, 2, first.end_s.front());
        std::vector<session_part> sessions{{plan, first.decisions}, {plan, second.decisions}};
        if (const auto batches = most_batches(second.decisions); batches > 1) {
            const auto cut = static_cast<std::size_t>(net.roll.between(1, static_cast<int>(batches) - 1));
            sessions.back() = part_of(plan, second.decisions, 0, cut);
            sessions.push_back(part_of(plan, second.decisions, cut, batches));
        }
        const auto members = number % 3 == 0 ? net.some_ranks() : std::vector<int>{};
        const auto device = number % 2 == 0 ? device_kind::stalling : device_kind::independent;
        const auto spread = serve(deploy, sessions, net.rank_of, net.roll, device, members);
        ASSERT_FALSE(spread.stuck) << spread.waiting;
        const auto alone =
            serve(deploy, sessions, std::vector<int>(net.rank_of.size(), 0), net.roll, device_kind::independent);
        ASSERT_FALSE(alone.stuck);
        EXPECT_EQ(spread.models, alone.models);
        carried += spread.carried;
    }
    EXPECT_GT(carried, 10'000U);
}

constexpr std::uint32_t networks = 300;

/// What goes over another transport has its turn too: a receive that begins before this rank's own control message,
/// say, may be of something that its sender makes only after that message.
TEST(exchange_order, leaving_out_what_others_carry_is_found_to_be_wrong) {
    int stuck = 0;
    for (std::uint32_t number = 0; number < networks; ++number) {
        random_network net(number);
        const auto run = play(
            net.deploy, net.rank_of, net.rounds(), net.roll,
            [](int, auto& exchanges) {
                std::erase_if(exchanges, [](const auto& one) {
                    return one.average_of < 0 && one.route.kind != message_kind::forward &&
                           one.route.kind != message_kind::gradient;
                });
            },
            device_kind::stalling);
        stuck += run.stuck ? 1 : 0;
    }
    EXPECT_GT(stuck, static_cast<int>(networks) / 10);
}

/// Networks in which some rank waits for ever under that order, or a message meets one of another size.
int stuck_networks(const std::function<void(random_network&, int rank, std::vector<decided_exchange>&)>& change) {
    int stuck = 0;
    for (std::uint32_t number = 0; number < networks; ++number) {
        random_network net(number);
        try {
            const auto run = play(net.deploy, net.rank_of, net.rounds(), net.roll,
                                  [&](int rank, auto& exchanges) { change(net, rank, exchanges); });
            stuck += run.stuck ? 1 : 0;
        } catch (const std::logic_error&) {
            ++stuck;
        }
    }
    return stuck;
}

// What must not be able to pass the test above: orders that look reasonable.
TEST(exchange_order, receives_first_is_found_to_be_wrong) {
    EXPECT_GT(stuck_networks([](random_network& net, int rank, auto& exchanges) {
                  std::stable_partition(exchanges.begin(), exchanges.end(), [&](const auto& one) {
                      return one.average_of < 0 && net.rank_of[one.route.to] == rank;
                  });
              }),
              static_cast<int>(networks) / 4);
}

TEST(exchange_order, another_order_on_one_rank_is_found_to_be_wrong) {
    EXPECT_GT(stuck_networks([](random_network& net, int rank, auto& exchanges) {
                  if (rank != 1) {
                      return;
                  }
                  // The smashed data of this rank, in reverse.
                  std::vector<decided_exchange*> own;
                  for (auto& one : exchanges) {
                      const bool smashed =
                          one.route.kind == message_kind::forward || one.route.kind == message_kind::gradient;
                      if (one.average_of < 0 && smashed &&
                          (net.rank_of[one.route.from] == 1 || net.rank_of[one.route.to] == 1)) {
                          own.push_back(&one);
                      }
                  }
                  for (std::size_t i = 0; i < own.size() / 2; ++i) {
                      std::swap(*own[i], *own[own.size() - 1 - i]);
                  }
              }),
              static_cast<int>(networks) / 4);
}

TEST(exchange_order, averages_first_is_found_to_be_wrong) {
    EXPECT_GT(stuck_networks([](random_network&, int, auto& exchanges) {
                  std::stable_partition(exchanges.begin(), exchanges.end(),
                                        [](const auto& one) { return one.average_of >= 0; });
              }),
              static_cast<int>(networks) / 4);
}

// The ledger lets all clusters train side by side; a rank lets only some of them compute. The start times alone are
// therefore not an order that ranks can follow.
TEST(exchange_order, start_times_without_waves_are_found_to_be_wrong) {
    int stuck = 0;
    for (std::uint32_t number = 0; number < networks; ++number) {
        random_network net(number);
        net.scene.runtime.active_clusters = 1000; // one wave; the deployment looks at this scenario
        const auto rounds = net.rounds();
        net.scene.runtime.active_clusters = 1;
        stuck += play(net.deploy, net.rank_of, rounds, net.roll).stuck ? 1 : 0;
    }
    EXPECT_GT(stuck, static_cast<int>(networks) / 4);
}

TEST(exchange_order, a_message_that_nobody_expects_is_an_error) {
    lab::rendezvous_world fabric(2);
    auto base = loopback_world(2);
    device_transport network(std::move(base[0]), nullptr, fabric.fabric(0));
    network.send(1, {{0, 1, message_kind::forward}, tensor_view::allocate({3})});
    EXPECT_THROW(network.idle(), std::exception);
}

} // namespace
} // namespace gaisnet
