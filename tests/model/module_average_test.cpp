// Averages of clients whose LoRA has unequal ranks, by closed forms and by LibTorch's singular value decomposition.

#include "model/low_rank.hpp"
#include "model/torch/torch_support.hpp"
#include "runtime/fixed_point_average.hpp"
#include "support/lab.hpp"

#include <ATen/ops/einsum.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace gaisnet {
namespace {

/// Clusters of one client each, with these ranks, that tune one layer.
scenario with_ranks(const std::vector<double>& ranks, rank_average average, block_linear layer = block_linear::query) {
    auto scene = lab::small_scenario();
    scene.network.clusters = static_cast<int>(ranks.size());
    scene.network.clients = {1};
    scene.tuning.method = "lora";
    scene.tuning.average = average;
    scene.tuning.targets = {layer};
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        node_override one;
        one.name = "c" + std::to_string(i) + ".0";
        one.rank = ranks[i];
        scene.network.overrides.nodes.push_back(one);
    }
    return scene;
}

using tensors = std::map<std::string, at::Tensor>;

/// The tensors of a client, or of the edge, by name; float32.
tensors random_tensors(const std::vector<tunable_spec>& tunables, const std::string& name) {
    tensors out;
    for (const auto& tunable : tunables) {
        random_stream stream(7, name, tunable.tensor.name);
        auto values = at::zeros(tunable.tensor.shape, at::kFloat);
        std::generate_n(values.data_ptr<float>(), values.numel(), [&] { return static_cast<float>(stream.normal()); });
        out[tunable.tensor.name] = values;
    }
    return out;
}

tensor_view flat(const std::vector<tunable_spec>& tunables, const tensors& all) {
    std::int64_t elements = 0;
    for (const auto& tunable : tunables) {
        elements += tunable.tensor.elements();
    }
    auto out = tensor_view::allocate({elements});
    auto* next = out.as<float>();
    for (const auto& tunable : tunables) {
        const auto& tensor = all.at(tunable.tensor.name);
        next = std::copy_n(tensor.data_ptr<float>(), tensor.numel(), next);
    }
    return out;
}

tensors by_name(const std::vector<tunable_spec>& tunables, const tensor_view& values) {
    tensors out;
    auto* next = values.as<float>();
    for (const auto& tunable : tunables) {
        out[tunable.tensor.name] = at::from_blob(next, tunable.tensor.shape, at::kFloat).clone();
        next += tunable.tensor.elements();
    }
    return out;
}

contribution of_client(const deployment& deploy, std::size_t cluster, const tensors& its, std::int64_t weight) {
    const auto& seat = deploy.chains[cluster].front();
    return {0, seat.contribution, &seat.slices, flat(seat.spec.tunables(), its), weight, seat.cluster};
}

/// What the edge has after an average, by name.
tensors averaged_at_edge(const deployment& deploy, const std::vector<tensors>& clients,
                         const std::vector<std::int64_t>& weights, const tensors& last) {
    const auto& domain = deploy.domain_of(0);
    std::int64_t total = 0;
    for (const auto weight : weights) {
        total += weight;
    }
    fixed_point_average sums(domain.average, total, deploy.contributors[0].size());
    for (std::size_t i = 0; i < clients.size(); ++i) {
        sums.add(of_client(deploy, i, clients[i], weights[i]));
    }
    return by_name(domain.tunables, sums.result(deploy.contributors[0], false, flat(domain.tunables, last)));
}

/// B A, in double.
at::Tensor change(const tensors& all, const std::string& a, const std::string& b) {
    return at::einsum("ok,ki->oi", {all.at(b).to(at::kDouble), all.at(a).to(at::kDouble)});
}

double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

/// The name of a factor of the first block.
std::string name_of_factor(const deployment& deploy, char which) {
    for (const auto& tunable : deploy.domain_of(0).tunables) {
        const auto& name = tunable.tensor.name;
        if (name.starts_with("blocks.0.") && name.ends_with(std::string("lora_") + which)) {
            return name;
        }
    }
    ADD_FAILURE() << "no factor " << which;
    return {};
}

/// The client of rank 1 has e0 f0', that of rank 2 has e1 f1': the mean of the changes has rank 2.
struct unit_changes {
    deployment deploy;
    std::string a, b;
    std::vector<tensors> clients;
    tensors last;

    explicit unit_changes(const scenario& scene): deploy(lab::deploy(scene)) {
        a = name_of_factor(deploy, 'a');
        b = name_of_factor(deploy, 'b');
        last = random_tensors(deploy.domain_of(0).tunables, "last");
        for (std::size_t i = 0; i < 2; ++i) {
            clients.push_back(random_tensors(deploy.chains[i].front().spec.tunables(), "client" + std::to_string(i)));
            auto& its = clients.back();
            its[a].zero_();
            its[b].zero_();
            its[a][0][static_cast<std::int64_t>(i)] = 1.0F;
            its[b][static_cast<std::int64_t>(i)][0] = 1.0F;
        }
        clients[1][a][1][2] = 1.0F; // its second row, which its B does not use
    }
    at::Tensor mean() const { return 0.25 * change(clients[0], a, b) + 0.75 * change(clients[1], a, b); }
    tensors averaged() const { return averaged_at_edge(deploy, clients, {1, 3}, last); }
};

TEST(module_average, a_product_keeps_the_mean_of_changes_and_averages_of_factors_do_not) {
    for (const auto& [way, wrong_by] : {std::pair{rank_average::product, 0.0}, std::pair{rank_average::pad, 0.1875},
                                        std::pair{rank_average::truncate, 0.1875}}) {
        const unit_changes some(with_ranks({1, 2}, way));
        const auto edge = some.averaged();
        const auto got = change(edge, some.a, some.b);
        // (1/4 e0 + 3/4 e1)(1/4 f0 + 3/4 f1)' is off by 3/16 in each of the four places.
        EXPECT_NEAR(largest(got - some.mean()), wrong_by, 1e-7);
        EXPECT_NEAR(got[1][1].item<double>(), wrong_by > 0.0 ? 0.5625 : 0.75, 1e-7);
        EXPECT_NEAR(got[0][1].item<double>(), wrong_by, 1e-7);
        // A client of rank 1 gets the first row and column: of the product the best approximation.
        const auto first = at::einsum("o,i->oi", {edge.at(some.b).select(1, 0), edge.at(some.a).select(0, 0)});
        if (way == rank_average::product) {
            EXPECT_NEAR(first[1][1].item<double>(), 0.75, 1e-7);
            EXPECT_NEAR(largest(first), 0.75, 1e-7);
        }
    }
}

TEST(module_average, what_a_client_lacks_counts_as_zero_or_not_at_all) {
    for (const auto way : {rank_average::pad, rank_average::truncate}) {
        const unit_changes some(with_ranks({1, 2, 3}, way)); // nobody contributes the third row
        const auto edge = some.averaged();
        const double part = way == rank_average::pad ? 0.75 : 1.0;
        EXPECT_FLOAT_EQ(edge.at(some.a)[1][2].item<float>(), static_cast<float>(part)) << "only one has the second row";
        EXPECT_FLOAT_EQ(edge.at(some.a)[0][1].item<float>(), 0.75F) << "both have the first one";
        const auto third = edge.at(some.a)[2];
        EXPECT_EQ(largest(third - (way == rank_average::pad ? at::zeros_like(third) : some.last.at(some.a)[2])), 0.0);
        const auto column = edge.at(some.b).select(1, 2);
        const auto kept = way == rank_average::pad ? at::zeros_like(column) : some.last.at(some.b).select(1, 2);
        EXPECT_EQ(largest(column - kept), 0.0);
    }
}

TEST(module_average, a_product_is_the_best_approximation_of_the_mean) {
    for (const auto layer : {block_linear::query, block_linear::fc1, block_linear::fc2}) {
        const auto deploy = lab::deploy(with_ranks({2, 5, 4}, rank_average::product, layer));
        const auto a = name_of_factor(deploy, 'a'), b = name_of_factor(deploy, 'b');
        std::vector<tensors> clients;
        const std::vector<std::int64_t> weights{4, 9, 7};
        at::Tensor mean;
        for (std::size_t i = 0; i < 3; ++i) {
            clients.push_back(random_tensors(deploy.chains[i].front().spec.tunables(), "some" + std::to_string(i)));
            const auto part = change(clients.back(), a, b) * (static_cast<double>(weights[i]) / 20.0);
            mean = mean.defined() ? mean + part : part;
        }
        const auto edge = averaged_at_edge(deploy, clients, weights, random_tensors(deploy.domain_of(0).tunables, "x"));
        const auto [u, s, v] = at::linalg_svd(mean, false);
        const auto unit = edge.at(a).norm(at::Scalar(2), {1}, false);
        EXPECT_LT(largest(unit - 1.0), 1e-6) << "the singular values are in B";
        for (const std::int64_t rank : {2, 4, 5}) { // of each client
            const auto best =
                at::einsum("ok,k,ki->oi", {u.narrow(1, 0, rank), s.narrow(0, 0, rank), v.narrow(0, 0, rank)});
            const auto got = at::einsum("ok,ki->oi", {edge.at(b).narrow(1, 0, rank).to(at::kDouble),
                                                      edge.at(a).narrow(0, 0, rank).to(at::kDouble)});
            EXPECT_LT(largest(got - best), 2e-6 * s[0].item<double>()) << rank;
        }
        EXPECT_GT(s[5].item<double>(), 0.1 * s[0].item<double>()) << "something is left out";
    }
}

TEST(module_average, does_not_depend_on_order_or_grouping) {
    for (const auto way : {rank_average::pad, rank_average::truncate, rank_average::product}) {
        const auto deploy = lab::deploy(with_ranks({3, 1, 2}, way));
        const auto& domain = deploy.domain_of(0);
        fixed_point_average forward(domain.average, 30, 3), left(domain.average, 30, 3), right(domain.average, 30, 3);
        for (const std::size_t i : {0, 1, 2}) {
            const auto its = random_tensors(deploy.chains[i].front().spec.tunables(), "rank" + std::to_string(i));
            forward.add(of_client(deploy, i, its, 10));
            (i == 1 ? left : right).add(of_client(deploy, i, its, 10));
        }
        for (std::size_t i = 0; i < left.buffer()->size(); ++i) {
            (*left.buffer())[i] += (*right.buffer())[i];
        }
        const auto a = forward.result(deploy.contributors[0]), b = left.result(deploy.contributors[0]);
        EXPECT_TRUE(std::equal(a.as<float>(), a.as<float>() + a.elements(), b.as<float>()));
    }
}

TEST(module_average, of_equal_ranks_is_the_average_of_each_value) {
    for (const auto way : {rank_average::pad, rank_average::truncate}) {
        const auto deploy = lab::deploy(with_ranks({2, 2}, way));
        const auto& domain = deploy.domain_of(0);
        std::vector<std::int64_t> elements;
        for (const auto& tunable : domain.tunables) {
            elements.push_back(tunable.tensor.elements());
        }
        fixed_point_average sums(domain.average, 24, 2), plain(average_layout::of(elements), 24, 2);
        for (const std::size_t i : {0, 1}) {
            const auto its = random_tensors(deploy.chains[i].front().spec.tunables(), "equal" + std::to_string(i));
            sums.add(of_client(deploy, i, its, 12));
            plain.add(of_client(deploy, i, its, 12));
        }
        const auto a = sums.result(deploy.contributors[0]), b = plain.result(deploy.contributors[0]);
        EXPECT_TRUE(std::equal(a.as<float>(), a.as<float>() + a.elements(), b.as<float>()));
    }
}

/// Edges have the largest rank, and their factors are averaged by the same rule; heads are not.
TEST(module_average, of_edges_at_the_cloud_follows_the_same_rule) {
    auto scene = with_ranks({1, 1}, rank_average::product);
    scene.tuning.rank = 2; // at the second edge
    scene.network.edges = 2;
    scene.cloud.period = 1;
    for (auto& one : scene.network.overrides.nodes) {
        one.name = "e0." + one.name;
    }
    const auto deploy = lab::deploy(scene);
    const auto a = name_of_factor(deploy, 'a'), b = name_of_factor(deploy, 'b');
    fixed_point_average sums(deploy.shared_average, 4, 2);
    at::Tensor mean;
    for (std::uint32_t edge = 0; edge < 2; ++edge) {
        const auto& domain = deploy.domain_of(edge);
        auto its = random_tensors(domain.tunables, "edge" + std::to_string(edge));
        its[a].zero_();
        its[b].zero_();
        its[a][0][edge] = 1.0F;
        its[b][edge][0] = 1.0F;
        const std::int64_t weight = edge == 0 ? 1 : 3;
        sums.add({0, edge, &domain.shared, flat(domain.tunables, its), weight, 0});
        const auto part = change(its, a, b) * (static_cast<double>(weight) / 4.0);
        mean = mean.defined() ? mean + part : part;
    }
    auto shared = deploy.domain_of(0).tunables;
    shared.resize(deploy.domain_of(0).shared.size());
    const auto result = sums.result({"edge0", "edge1"});
    ASSERT_EQ(result.elements(), deploy.domain_of(0).shared_elements);
    const auto cloud = by_name(shared, result);
    EXPECT_LT(largest(change(cloud, a, b) - mean), 1e-7);
    const product_average one(24, 24, 2);
    EXPECT_DOUBLE_EQ(deploy.cost_of_federation({0, 1}).flops(),
                     4 * (2 * one.combine_flops(2) + 2 * 2 * 24 * 24 + one.divide_flops(4)));
}

TEST(module_average, a_change_that_is_too_large_names_its_client) {
    unit_changes some(with_ranks({1, 2}, rank_average::product));
    some.clients[1][some.a] *= 40.0F;
    some.clients[1][some.b] *= 40.0F;
    try {
        some.averaged();
        FAIL() << "1600 was averaged";
    } catch (const std::exception& problem) {
        EXPECT_NE(std::string(problem.what()).find("c1.0 (a value is larger than 1024)"), std::string::npos)
            << problem.what();
    }
}

/// Each value and contribution takes two operations; products are made first, and their means factorised.
TEST(module_average, costs_what_is_summed_and_factorised) {
    const auto head = static_cast<double>(lab::classes * 25); // 24 wide, with a bias
    const double factors = 4 * (24 + 24);                     // values of a rank: four blocks
    for (const auto way : {rank_average::pad, rank_average::truncate}) {
        const auto deploy = lab::deploy(with_ranks({1, 3}, way));
        const auto cost = deploy.cost_of_average(0, {0, 1});
        EXPECT_EQ(cost.flops(), 2 * (2 * head + (1 + 3) * factors));
        EXPECT_EQ(cost.workspace_bytes(), 0U);
        EXPECT_EQ(deploy.cost_of_average(0, {0}).flops(), 2 * (head + factors));
    }
    const auto deploy = lab::deploy(with_ranks({1, 3}, rank_average::product));
    const product_average one(24, 24, 3);
    const auto cost = deploy.cost_of_average(0, {0, 1});
    EXPECT_DOUBLE_EQ(cost.flops(), 2 * 2 * head + 4 * (one.combine_flops(1) + one.combine_flops(3) + 2 * 2 * 24 * 24 +
                                                       one.divide_flops(1 + 3)));
    EXPECT_EQ(cost.workspace_bytes(), one.workspace_bytes(4)) << "block by block";
    const auto played = ledger_run(deploy).play(1);
    double charged = 0.0;
    for (const auto& event : played.events) {
        charged += event.kind == event_kind::aggregate ? event.flops : 0.0;
    }
    EXPECT_EQ(charged, cost.flops());
    // Sums of whole changes in place of sums of factors.
    const auto padded = lab::deploy(with_ranks({1, 3}, rank_average::pad));
    const auto usual = ledger_run(padded).play(1);
    const auto &edge = played.nodes.front(), &before = usual.nodes.front();
    EXPECT_EQ((edge.total_bytes - edge.temporary_bytes) - (before.total_bytes - before.temporary_bytes),
              8U * 4 * (24 * 24 - 3 * (24 + 24)));
    EXPECT_GE(edge.temporary_bytes, cost.workspace_bytes());
}

} // namespace
} // namespace gaisnet
