#include "planning/plan_judge.hpp"

#include "base/error.hpp"
#include "data/requests.hpp"
#include "network/clustering.hpp"
#include "rounds/inference_ledger.hpp"
#include "rounds/ledger_run.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace gaisnet {

namespace {

/// A round with more batches than this is judged by two shorter ones.
constexpr int few_batches = 3, some_batches = 5;

double total(const std::array<double, link_classes>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Power that a client draws while it waits for others.
double waiting_w(const device_model& device) {
    return device.sleep_power_w.value_or(device.radio.idle_w + device.base_power_w);
}

/// By how many requests a session's figures are divided.
double at_least_one(double requests) { return std::max(requests, 1.0); }

std::string key_of(int edge, std::size_t holder, const formed_cluster& group, std::size_t sharers) {
    std::string key;
    const auto add = [&](std::uint64_t value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
    add(static_cast<std::uint64_t>(edge));
    add(holder);
    add(sharers);
    add(static_cast<std::uint64_t>(group.edge_blocks));
    for (std::size_t i = 0; i < group.clients.size(); ++i) {
        add(group.clients[i]);
        add(i < group.blocks.size() ? static_cast<std::uint64_t>(group.blocks[i]) : ~std::uint64_t{0});
    }
    return key;
}

/// Of several rounds all but the first are alike: samples have been sensed.
scenario as_judged(scenario scene) {
    if (scene.service == service_kind::fine_tuning && scene.sense.mode == sensing_kind::dataset &&
        scene.train.rounds > 1) {
        scene.sense.time = scene.sense.energy = 0.0;
    }
    // What nobody knows beforehand: who drops out, what fades, and by how much a message is late.
    scene.dropout = dropout_settings();
    for (auto* link : {&scene.link.cs_up, &scene.link.cs_down, &scene.link.d2d, &scene.link.backhaul}) {
        link->jitter = distribution::of(0.0);
        if (link->radio) {
            link->radio->fading = {};
        }
    }
    scene.cluster.planned = true;
    return scene;
}

} // namespace

plan_judge::plan_judge(const scenario& scene, std::shared_ptr<const tuning_method> method,
                       std::vector<domain_size> sizes, client_data data, network_state state)
    : scene_(as_judged(scene))
    , method_(std::move(method))
    , model_(make_model(scene))
    , sizes_(std::move(sizes))
    , data_(std::move(data))
    , all_(make_population(scene_, override_index(scene_.network.overrides)))
    , gradients_(hops_with_gradients(model_, method_))
    , state_(std::move(state)) {
    for (const auto& clients : all_.clients) {
        for (const auto& one : clients) {
            if (!methods_.contains(one.tuning_size)) {
                methods_[one.tuning_size] = sized(method_, one.tuning_size);
            }
        }
        all_waiting_w_.push_back(
            std::accumulate(clients.begin(), clients.end(), 0.0,
                            [](double sum, const candidate& one) { return sum + waiting_w(one.device); }));
    }
    short_ = longer_ = scene_;
    short_.train.steps = few_batches;
    longer_.train.steps = some_batches;
}

bool plan_judge::independent() const {
    const auto& link = scene_.link;
    return link.cs_up.share == share_kind::exclusive && link.cs_down.share == share_kind::exclusive &&
           link.d2d.share == share_kind::exclusive;
}

std::size_t plan_judge::holder(const formed_cluster& group, std::size_t place) const {
    return scene_.data.held_by == data_holders::clients ? group.clients.front() : place;
}

std::int64_t plan_judge::samples(int edge, const formed_cluster& group, std::size_t place) const {
    const auto& of_edge = data_.samples.at(static_cast<std::size_t>(edge));
    return of_edge.at(std::min(holder(group, place), of_edge.size() - 1));
}

double plan_judge::useful(int edge, const formed_cluster& group, std::size_t place) const {
    const auto count = static_cast<double>(samples(edge, group, place));
    return data_.quality.empty() ? count
                                 : count * data_.quality.at(static_cast<std::size_t>(edge)).at(holder(group, place));
}

deployment plan_judge::deploy(const scenario& scene, topology net, const std::vector<std::int64_t>& samples) const {
    return make_deployment(scene, std::move(net), model_, method_, sizes_, samples);
}

topology plan_judge::network_of(int edge, const formed_cluster& group, std::size_t sharers) {
    scene_.cluster.sharing_band = static_cast<int>(sharers);
    formed_clusters one(all_.clients.size());
    one[static_cast<std::size_t>(edge)] = {group};
    auto net = make_topology(scene_, all_, one, gradients_, {.spares = false, .at_s = state_.time_s});
    scene_.cluster.sharing_band = 0;
    return net;
}

std::size_t plan_judge::requesters(int edge) const {
    return cluster_sizes(scene_, edge, all_.clients[static_cast<std::size_t>(edge)].size()).first;
}

/// Images of clusters `first` to `first` + `count` - 1 of `all`, by cluster; empty without images.
std::vector<std::int64_t> plan_judge::image_counts(std::size_t first, std::size_t count, std::size_t all) const {
    std::vector<std::int64_t> out;
    for (std::size_t i = first; data_.images > 0 && i < first + count; ++i) {
        out.push_back(images_of_requester(data_.images, i, all));
    }
    return out;
}

std::size_t plan_judge::number_of(int edge, std::size_t place) const {
    for (int before = 0; before < edge; ++before) {
        place += requesters(before);
    }
    return place;
}

std::vector<double> plan_judge::requests(int edge, std::size_t start, std::size_t place) const {
    const auto images = image_counts(number_of(edge, place), 1, number_of(static_cast<int>(all_.clients.size()), 0));
    return draw_requests(scene_, all_.clients[static_cast<std::size_t>(edge)][start].name,
                         images.empty() ? scene_.infer.requests : images.front());
}

plan_figures plan_judge::play_session(const deployment& made, const std::vector<std::int64_t>& requests,
                                      std::vector<node_row>& nodes) const {
    plan_figures out;
    auto played = inference_ledger(made).play(make_inference_plan(made, requests));
    for (const auto& row : played.requests) {
        out.latency_s += row.latency_s / static_cast<double>(played.requests.size());
    }
    for (const auto& event : played.events) {
        out.spectrum_hz_s += event.airtime_hz_s;
    }
    for (std::size_t edge = 0; edge < made.domains.size(); ++edge) {
        out.span_s = std::max(out.span_s, played.end_s[edge]);
    }
    out.useful = static_cast<double>(played.requests.size());
    nodes = std::move(played.nodes);
    return out;
}

plan_figures plan_judge::play(const scenario& scene, const deployment& made, const std::vector<double>& useful,
                              const std::vector<std::int64_t>& requests, cluster_figures* alone) {
    ++plays_;
    plan_figures out;
    std::vector<node_row> nodes;
    const bool serves = scene.service == service_kind::inference;
    if (serves) {
        out = play_session(made, requests, nodes);
    } else {
        ledger_run ledger(made);
        for (std::uint32_t edge = 0; edge < made.domains.size(); ++edge) {
            ledger.wait_until(edge, state_.time_s);
        }
        auto played = alone ? ledger.play_one(made.first_round, static_cast<std::uint32_t>(made.net.clusters[0].edge))
                            : ledger.play(made.first_round);
        for (const auto& row : played.rounds) {
            out.latency_s = std::max(out.latency_s, row.latency_s);
            out.spectrum_hz_s += total(row.airtime_hz_s);
        }
        out.span_s = out.latency_s;
        nodes = std::move(played.nodes);
        for (const auto& row : nodes) { // of the clusters that are in the average
            const auto& who = made.net.nodes[row.node];
            if (who.cluster >= 0 && who.member == 0) {
                const bool done = row.outcome == cluster_outcome::done;
                out.useful += done ? useful[static_cast<std::size_t>(who.cluster)] : 0.0;
                out.cut += done ? 0 : 1;
            }
        }
    }
    for (const auto& row : nodes) {
        const auto& who = made.net.nodes[row.node];
        if (!alone || who.role == node_role::client) {
            out.energy_j += row.total_j();
        }
        if (who.role == node_role::client) {
            out.memory_bytes = std::max(out.memory_bytes, static_cast<double>(row.total_bytes));
        }
        if (row.total_bytes > who.device.memory_bytes) {
            out.excess_bytes += static_cast<double>(row.total_bytes - who.device.memory_bytes);
        }
    }
    if (serves) {
        out.energy_j /= at_least_one(out.useful);
        out.spectrum_hz_s /= at_least_one(out.useful);
    }
    return out;
}

void plan_judge::check_batteries(int edge, const formed_cluster& group) const {
    for (const auto client : group.clients) {
        if (const auto& name = all_.clients[static_cast<std::size_t>(edge)][client].name; state_.off.contains(name)) {
            throw usage_error("the battery of " + name + " is empty");
        }
    }
}

int plan_judge::missing_requesters(int edge, std::size_t clusters) const {
    const auto wanted = requesters(edge);
    return static_cast<int>(wanted - std::min(wanted, clusters));
}

plan_figures plan_judge::figures(const formed_clusters& formed, const std::function<void(deployment&)>& adapt) {
    scene_.cluster.formed = formed;
    std::vector<std::int64_t> counts;
    std::vector<double> useful_of;
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> starts(formed.size());
    for (std::size_t edge = 0; edge < formed.size(); ++edge) {
        for (std::size_t place = 0; place < formed[edge].size(); ++place) {
            counts.push_back(samples(static_cast<int>(edge), formed[edge][place], place));
            useful_of.push_back(useful(static_cast<int>(edge), formed[edge][place], place));
            starts[edge].emplace_back(holder(formed[edge][place], place), place);
        }
    }
    plan_figures out;
    const auto images = image_counts(0, counts.size(), counts.size());
    try {
        for (std::size_t edge = 0; edge < formed.size(); ++edge) {
            for (const auto& group : formed[edge]) {
                check_batteries(static_cast<int>(edge), group);
            }
        }
        auto made = deploy(scene_, make_topology(scene_, all_, formed, gradients_, {.at_s = state_.time_s}), counts);
        if (adapt) {
            adapt(made);
        }
        out = play(scene_, made, useful_of, images, nullptr);
        if (scene_.service == service_kind::inference) {
            for (std::size_t edge = 0; edge < formed.size(); ++edge) {
                out.cut += missing_requesters(static_cast<int>(edge), formed[edge].size());
            }
        } else {
            out.useful *= match(starts, 0);
        }
    } catch (const usage_error& problem) {
        out.obstacle = problem.what();
    }
    scene_.cluster.formed.clear();
    return out;
}

plan_figures plan_judge::played_alone(const scenario& scene, int edge, std::size_t place, const formed_cluster& group,
                                      cluster_figures& out) {
    check_batteries(edge, group);
    formed_clusters one(all_.clients.size());
    one[static_cast<std::size_t>(edge)] = {group};
    const auto made =
        deploy(scene, make_topology(scene, all_, one, gradients_, {.spares = false, .at_s = state_.time_s}),
               {samples(edge, group, place)});
    out.waiting_w = 0.0;
    for (const auto client : made.net.clusters[0].clients) {
        out.waiting_w += waiting_w(made.net.nodes[client].device);
    }
    const auto images = image_counts(number_of(edge, place), 1, number_of(static_cast<int>(all_.clients.size()), 0));
    return play(scene, made, {useful(edge, group, place)}, images, &out);
}

const plan_judge::cluster_figures& plan_judge::alone(int edge, std::size_t place, const formed_cluster& group,
                                                     std::size_t sharers) {
    const auto who = data_.images > 0 ? place : holder(group, place); // images are dealt out by place
    const auto [known, fresh] = known_.try_emplace(key_of(edge, who, group, sharers));
    auto& out = known->second;
    if (!fresh) {
        return out;
    }
    out.start = group.clients.front();
    for (auto* scene : {&scene_, &short_, &longer_}) {
        scene->cluster.sharing_band = static_cast<int>(sharers);
    }
    const auto trace = scene_.infer.trace;
    if (trace && !trace->contains("")) { // those of others are not for this one
        const auto& start = all_.clients[static_cast<std::size_t>(edge)][group.clients.front()].name;
        const auto own = trace->find(start);
        scene_.infer.trace = std::make_shared<const request_trace>(
            request_trace{{start, own == trace->end() ? std::vector<double>() : own->second}});
    }
    try {
        const auto batches = plan_batches(scene_.train, samples(edge, group, place));
        if (scene_.service == service_kind::inference || batches.batches_a_round <= some_batches + 1) {
            out.own = played_alone(scene_, edge, place, group, out);
        } else {
            const auto first = played_alone(short_, edge, place, group, out);
            out.own = played_alone(longer_, edge, place, group, out);
            // By samples, since the last batch of an epoch is smaller.
            const auto trained = [&](std::int64_t some) {
                auto first_ones = batches;
                first_ones.batches_a_round = some;
                return static_cast<double>(first_ones.samples_in_round(1));
            };
            const double longest = trained(some_batches);
            const double more = (trained(batches.batches_a_round) - longest) / (longest - trained(few_batches));
            const auto extend = [&](double plan_figures::*figure) {
                out.own.*figure += more * (out.own.*figure - first.*figure);
            };
            extend(&plan_figures::latency_s);
            extend(&plan_figures::energy_j);
            extend(&plan_figures::spectrum_hz_s);
            out.own.span_s = out.own.latency_s;
        }
    } catch (const usage_error& problem) {
        out.own.obstacle = problem.what();
    }
    for (auto* scene : {&scene_, &short_, &longer_}) {
        scene->cluster.sharing_band = 0;
    }
    scene_.infer.trace = trace;
    return out;
}

plan_figures plan_judge::together(const std::vector<std::vector<const cluster_figures*>>& by_edge, int first) const {
    plan_figures out;
    double requests = 0.0;
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> starts(by_edge.size());
    const bool serves = scene_.service == service_kind::inference;
    for (std::size_t edge = 0; edge < by_edge.size(); ++edge) {
        double end = 0.0;
        for (std::size_t place = 0; place < by_edge[edge].size(); ++place) {
            const auto& one = by_edge[edge][place]->own;
            if (!one.obstacle.empty()) {
                // So that a search sees whether one cluster fewer is out of reach.
                constexpr double more_than_any_memory = 1e18;
                out.excess_bytes += more_than_any_memory;
                continue;
            }
            end = std::max(end, one.span_s);
            out.latency_s =
                serves ? out.latency_s + one.latency_s * one.useful : std::max(out.latency_s, one.latency_s);
            requests += one.useful;
            const double times = serves ? at_least_one(one.useful) : 1.0;
            out.energy_j += times * one.energy_j;
            out.spectrum_hz_s += times * one.spectrum_hz_s;
            out.memory_bytes = std::max(out.memory_bytes, one.memory_bytes);
            out.excess_bytes += one.excess_bytes;
            out.cut += one.cut;
            out.useful += one.useful;
            starts[edge].emplace_back(
                scene_.data.held_by == data_holders::clients ? by_edge[edge][place]->start : place, place);
        }
        double spare_w = all_waiting_w_[static_cast<std::size_t>(first) + edge];
        for (const auto* one : by_edge[edge]) {
            out.energy_j += one->waiting_w * (end - one->own.span_s);
            spare_w -= one->waiting_w;
        }
        out.energy_j += std::max(0.0, spare_w) * end;
        out.span_s = std::max(out.span_s, end);
        out.cut += serves ? missing_requesters(first + static_cast<int>(edge), by_edge[edge].size()) : 0;
    }
    if (serves) {
        for (auto* figure : {&out.latency_s, &out.energy_j, &out.spectrum_hz_s}) {
            *figure /= at_least_one(requests);
        }
    } else {
        out.useful *= match(starts, static_cast<std::size_t>(first));
    }
    return out;
}

/// 1 - total variation distance between the classes of the start points and those of the validation samples, mean over
/// edges; 1 if classes are not known.
double plan_judge::match(const std::vector<std::vector<std::pair<std::size_t, std::size_t>>>& starts,
                         std::size_t first) const {
    if (data_.classes.empty()) {
        return 1.0;
    }
    double sum = 0.0;
    for (std::size_t edge = 0; edge < starts.size(); ++edge) {
        const auto& wanted = data_.wanted[first + edge];
        std::vector<double> has(wanted.size(), 0.0);
        double samples = 0.0, all = 0.0;
        for (const auto& [holder, place] : starts[edge]) {
            const auto& counts = data_.classes[first + edge].at(holder);
            for (std::size_t label = 0; label < counts.size(); ++label) {
                has[label] += static_cast<double>(counts[label]);
                samples += static_cast<double>(counts[label]);
            }
        }
        for (const auto count : wanted) {
            all += static_cast<double>(count);
        }
        double distance = 0.0;
        for (std::size_t label = 0; label < wanted.size() && samples > 0.0 && all > 0.0; ++label) {
            distance += 0.5 * std::abs(static_cast<double>(wanted[label]) / all - has[label] / samples);
        }
        sum += 1.0 - distance;
    }
    return sum / static_cast<double>(starts.size());
}

} // namespace gaisnet
