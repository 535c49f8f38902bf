#include "roles/deployment.hpp"

#include "roles/chain_stages.hpp"
#include "roles/fusion.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace gaisnet {

cluster_plan plan_batches(const training_settings& train, std::int64_t samples) {
    cluster_plan plan;
    plan.samples = samples;
    plan.batch = std::min<std::int64_t>(train.batch, samples);
    plan.batches_an_epoch = (samples + plan.batch - 1) / plan.batch;
    plan.batches_a_round = train.steps > 0 ? train.steps : train.epochs * plan.batches_an_epoch;
    return plan;
}

micro_batch cluster_plan::batch_at(std::int64_t index) const {
    const auto epoch = index / batches_an_epoch;
    const auto number = index % batches_an_epoch;
    const auto size = std::min(batch, samples - number * batch);
    return {epoch, number, 0, size, size};
}

std::int64_t cluster_plan::samples_in_round(int round) const {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < batches_a_round; ++i) {
        sum += batch_at((round - 1) * batches_a_round + i).of;
    }
    return sum;
}

std::int64_t cluster_plan::sensed_for(int round, std::int64_t sensed) const {
    if (fresh > 0) {
        return round == 1 ? samples : fresh;
    }
    return std::min(samples - sensed, samples_in_round(round));
}

std::int64_t deployment::clusters_of(std::uint32_t edge) const {
    return std::count_if(net.clusters.begin(), net.clusters.end(),
                         [&](const cluster& one) { return one.edge == static_cast<int>(edge); });
}

std::int64_t deployment::brought_to(std::uint32_t client, int round) const {
    const auto found = round == first_round ? lacking.find(client) : lacking.end();
    return found == lacking.end() ? 0 : found->second;
}

std::int64_t deployment::total_weight(std::uint32_t edge) const {
    std::int64_t sum = 0;
    for (std::size_t c = 0; c < plans.size(); ++c) {
        if (net.clusters[c].edge == static_cast<int>(edge) && trains(static_cast<int>(c))) {
            sum += plans[c].samples;
        }
    }
    return sum;
}

averaging_cost deployment::cost_of_average(std::uint32_t edge, const std::vector<int>& clusters) const {
    averaging_cost cost(domains[edge].average);
    for (const auto cluster : clusters) {
        for (const auto& seat : chains[cluster]) {
            for (const auto& slice : seat.slices) {
                cost.add(slice.tensor, slice.elements);
            }
        }
    }
    return cost;
}

averaging_cost deployment::cost_of_federation(const std::vector<int>& edges) const {
    averaging_cost cost(shared_average);
    for (const auto edge : edges) {
        for (const auto& slice : domains[edge].shared) {
            cost.add(slice.tensor, slice.elements);
        }
    }
    return cost;
}

bool deployment::trains(int cluster) const {
    return scene->scheme != scheme_kind::centralised || net.clusters[cluster].place == 0;
}

std::uint64_t deployment::sample_bytes() const {
    const auto bytes_of_value = model->takes_tokens() ? 4 : 1; // numbers of tokens; 8-bit colours
    return scene->sample_bytes > 0 ? scene->sample_bytes
                                   : static_cast<std::uint64_t>(model->sample_values() * bytes_of_value);
}

tensor_view deployment::request() const {
    return tensor_view::shape_only({static_cast<std::int64_t>((scene->link.request_bytes + 3) / 4)});
}

double deployment::learning_rate(int cluster, std::int64_t index) const {
    const auto& train = scene->train;
    const double total = static_cast<double>(plans[cluster].batches_a_round * train.rounds);
    const double progress = std::min(1.0, static_cast<double>(index) / total);
    const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    return train.lr * (train.lr_final + (1.0 - train.lr_final) * cosine);
}

namespace {

/// The place of each tensor in a domain's model.
using tensor_places = std::map<std::string, tunable_slice>;

domain_model make_domain(const deployment& deploy, domain_size size, tensor_places& places) {
    domain_model out;
    out.size = size;
    const auto whole = whole_model(deploy.model, deploy.method, size.classes);
    out.tunables = whole.tunables();
    out.average = make_average_layout(whole);
    for (std::size_t i = 0; i < out.tunables.size(); ++i) {
        const auto& tensor = out.tunables[i].tensor;
        places[tensor.name] = {static_cast<std::uint32_t>(i), out.elements, 0, tensor.elements()};
        out.elements += tensor.elements();
        if (!tensor.name.starts_with("head.")) {
            out.shared.push_back(places[tensor.name]);
            out.shared.back().in_message = out.shared_elements;
            out.shared_elements += tensor.elements();
        }
    }
    return out;
}

/// The place of a client's tensor, which may be smaller in one dimension than the edge's: its first part.
tunable_slice part_of(tunable_slice place, const std::vector<std::int64_t>& whole,
                      const std::vector<std::int64_t>& part) {
    ensure(whole.size() == part.size(), "a client's tensor has as many dimensions as its edge's");
    std::int64_t inner = 1;
    for (std::size_t d = whole.size(); d-- > 0; inner *= part[d]) {
        if (part[d] != whole[d]) {
            ensure(part[d] < whole[d] && place.row == 0, "a client's tensor is smaller in one dimension");
            place.row = inner * part[d];
            place.row_in_model = inner * whole[d];
        }
    }
    place.elements = inner;
    place.row = place.row == inner ? 0 : place.row; // its rows follow each other
    return place;
}

} // namespace

backward_hops hops_with_gradients(std::shared_ptr<const foundation_model> model,
                                  std::shared_ptr<const tuning_method> method) {
    // Most clusters have the same cuts.
    return [model = std::move(model), method = std::move(method), known = std::vector<stage_cut>(),
            sent = std::vector<bool>()](const cluster& group) mutable {
        if (auto cuts = cuts_of(group); cuts != known) {
            known = std::move(cuts);
            sent.clear();
            constexpr std::int64_t any = 2; // number of classes; it does not affect what is trainable
            for (const auto& stage : make_stages(model, method, any, known)) {
                sent.push_back(stage.input_gradient);
            }
        }
        return sent;
    };
}

topology make_network(const scenario& scene, const std::shared_ptr<const tuning_method>& method) {
    return make_topology(scene, hops_with_gradients(make_model(scene), method));
}

deployment make_deployment(const scenario& scene, std::shared_ptr<const tuning_method> method,
                           const std::vector<domain_size>& sizes, const std::vector<std::int64_t>& samples) {
    auto model = make_model(scene);
    auto net = make_topology(scene, hops_with_gradients(model, method));
    return make_deployment(scene, std::move(net), std::move(model), std::move(method), sizes, samples);
}

deployment make_deployment(const scenario& scene, topology net, std::shared_ptr<const foundation_model> model,
                           std::shared_ptr<const tuning_method> method, const std::vector<domain_size>& sizes,
                           const std::vector<std::int64_t>& samples) {
    deployment out;
    out.scene = &scene;
    out.net = std::move(net);
    out.method = std::move(method);
    out.model = std::move(model);
    out.contributors.resize(static_cast<std::size_t>(out.net.edges));
    std::vector<tensor_places> places(static_cast<std::size_t>(out.net.edges));
    for (std::size_t edge = 0; edge < places.size(); ++edge) {
        out.domains.push_back(make_domain(out, sizes.at(edge), places[edge]));
    }
    out.shared_average = first_tensors(out.domains.front().average, out.domains.front().shared.size());

    std::uint32_t stages = 0;
    sized_methods methods(out.method);
    const auto codec = make_codec(scene);
    for (std::size_t c = 0; c < out.net.clusters.size(); ++c) {
        const auto& group = out.net.clusters[c];
        const auto edge = static_cast<std::size_t>(group.edge);
        auto specs =
            make_stages(out.model, methods.of_chain(out.net, group), sizes[edge].classes, cuts_of(group), codec);
        auto& contributors = out.contributors[edge];
        std::vector<stage_seat> chain;
        for (std::size_t position = 0; position < specs.size(); ++position) {
            stage_seat seat{group.chain[position].node,
                            static_cast<int>(c),
                            position,
                            ++stages,
                            std::move(specs[position]),
                            {},
                            {},
                            0};
            std::int64_t in_message = 0;
            for (const auto& tunable : seat.spec.tunables()) {
                const auto& place = places[edge].at(tunable.tensor.name);
                auto slice =
                    part_of(place, out.domains[edge].tunables[place.tensor].tensor.shape, tunable.tensor.shape);
                slice.in_message = in_message;
                in_message += slice.elements;
                seat.slices.push_back(slice);
            }
            if (seat.spec.trainable()) {
                seat.contribution = static_cast<std::uint32_t>(contributors.size());
                contributors.push_back(out.net.nodes[seat.node].name);
            }
            chain.push_back(std::move(seat));
        }
        out.chains.push_back(std::move(chain));

        if (samples.at(c) < 1) {
            throw usage_error("cluster " + group.name + " has no training samples: fewer clusters, or more data");
        }
        cluster_plan plan;
        plan.samples = plan.own = samples[c];
        if (scene.scheme == scheme_kind::centralised && out.trains(static_cast<int>(c))) {
            for (auto other = c + 1; other < out.net.clusters.size(); ++other) {
                plan.samples += out.net.clusters[other].edge == group.edge ? samples.at(other) : 0;
            }
        }
        const auto own = plan.own;
        plan = plan_batches(scene.train, plan.samples);
        plan.own = own;
        plan.fresh = scene.sense.stream() ? scene.sense.rate : 0;
        out.plans.push_back(plan);
    }
    out.groups = fusion_groups(scene, out.net, out.model, out.method);
    return out;
}

} // namespace gaisnet
