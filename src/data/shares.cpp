#include "data/shares.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "data/joined_dataset.hpp"
#include "network/population.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

namespace gaisnet {

namespace {

/// The domains of an edge's start points become one dataset of the edge.
std::vector<std::unique_ptr<dataset>> joined_by_edge(const scenario& scene,
                                                     std::vector<std::unique_ptr<dataset>> domains) {
    std::vector<std::unique_ptr<dataset>> sets;
    auto next = std::make_move_iterator(domains.begin());
    for (int edge = 0; edge < scene.network.edges; ++edge) {
        const auto end = next + clusters_of(scene, edge);
        sets.push_back(std::make_unique<joined_dataset>(std::vector<std::unique_ptr<dataset>>(next, end)));
        next = end;
    }
    return sets;
}

/// Clients of each edge, in the order of the population.
std::vector<std::vector<std::string>> names_of_clients(const scenario& scene) {
    std::vector<std::vector<std::string>> names;
    for (const auto& clients : make_population(scene, override_index(scene.network.overrides)).clients) {
        auto& some = names.emplace_back();
        for (const auto& one : clients) {
            some.push_back(one.name);
        }
    }
    return names;
}

} // namespace

data_shares::data_shares(const scenario& scene, domain_source& source): scene_(scene), sets_(source.all()) {
    if (scene.data.partition.by_domain()) {
        sets_ = joined_by_edge(scene, std::move(sets_));
    }
    if (scene.data.held_by == data_holders::clients) {
        for (const auto& names : names_of_clients(scene)) {
            first_holder_.push_back(holders_.size());
            for (const auto& name : names) {
                holders_.push_back({name, {}});
            }
        }
    } else {
        for (int edge = 0; edge < scene.network.edges; ++edge) {
            first_holder_.push_back(holders_.size());
            holders_.resize(holders_.size() + static_cast<std::size_t>(clusters_of(scene, edge)));
        }
    }
    first_holder_.push_back(holders_.size());
    deal_out();
    leave_available();
    if (scene.data.held_by == data_holders::start_points || !scene.cluster.formed.empty()) {
        use_clusters(scene.cluster.formed);
    }
}

std::vector<std::size_t> data_shares::some_of(std::vector<std::size_t> validation, std::size_t number) const {
    const auto wanted = static_cast<std::size_t>(scene_.data.validation_samples);
    if (wanted == 0 || wanted >= validation.size()) {
        return validation;
    }
    const auto order = random_stream(scene_.seed, "validation", std::to_string(number)).permutation(validation.size());
    std::vector<std::size_t> some;
    for (std::size_t i = 0; i < wanted; ++i) {
        some.push_back(validation[order[i]]);
    }
    std::sort(some.begin(), some.end());
    return some;
}

/// Splits every dataset, and gives each holder its share of the training samples.
void data_shares::deal_out() {
    const auto each = static_cast<std::size_t>(scene_.data.per_cluster);
    std::vector<std::vector<std::size_t>> parts;
    for (std::size_t number = 0; number < sets_.size(); ++number) {
        const auto& set = *sets_[number];
        splits_.push_back(split_of(set, scene_.data.train_fraction, scene_.seed));
        evaluated_.push_back(some_of(splits_.back().validation, number));
        const auto& train = splits_.back().train;
        if (const auto* joined = dynamic_cast<const joined_dataset*>(&set)) {
            for (std::size_t domain = 0; domain < joined->parts(); ++domain) {
                std::vector<std::size_t> own;
                std::copy_if(train.begin(), train.end(), std::back_inserter(own),
                             [&](std::size_t sample) { return joined->part_of(sample) == domain; });
                parts.push_back(partition(set, own, 1, each, {}, scene_.seed).front());
            }
            continue;
        }
        const auto holders = sets_.size() == 1 ? holders_.size() : first_holder_[number + 1] - first_holder_[number];
        for (auto& part : partition(set, train, holders, each, scene_.data.partition, scene_.seed)) {
            parts.push_back(std::move(part));
        }
    }
    const auto order = dealing_order();
    for (std::size_t i = 0; i < order.size(); ++i) {
        holders_[order[i]].samples = std::move(parts[i]);
    }
}

/// Clients get their shares in the order of their names, so that a share does not depend on who is with whom.
std::vector<std::size_t> data_shares::dealing_order() const {
    std::vector<std::size_t> order(holders_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t edge = 0; edge + 1 < first_holder_.size(); ++edge) {
        std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(first_holder_[edge]),
                         order.begin() + static_cast<std::ptrdiff_t>(first_holder_[edge + 1]),
                         [&](std::size_t a, std::size_t b) { return holders_[a].client < holders_[b].client; });
    }
    return order;
}

/// Applies data.available, and what network.file says: a holder keeps a random part of its share, at least one sample.
void data_shares::leave_available() {
    std::map<std::string, std::int64_t> said;
    for (const auto& node : scene_.network.overrides.nodes) {
        if (node.samples) {
            said[node.name] = std::llround(*node.samples);
        }
    }
    const auto dealt = dealing_order();
    for (std::size_t edge = 0; edge + 1 < first_holder_.size(); ++edge) {
        for (auto i = first_holder_[edge]; i < first_holder_[edge + 1]; ++i) {
            auto& [client, share] = holders_[dealt[i]];
            random_stream stream(scene_.seed, "data.available", fmt::format("{}.{}", edge, i - first_holder_[edge]));
            auto wanted = std::llround(scene_.data.available.draw(stream) * static_cast<double>(share.size()));
            if (const auto found = said.find(client); found != said.end()) {
                wanted = found->second;
                if (wanted > static_cast<std::int64_t>(share.size())) {
                    throw usage_error(
                        fmt::format("network.file: {}: samples = {}, and its share has {}; more samples an "
                                    "edge, or a larger data.per_cluster, are accepted",
                                    found->first, wanted, share.size()));
                }
            }
            const auto left = std::clamp<std::size_t>(static_cast<std::size_t>(wanted), 1, share.size());
            if (left == share.size()) {
                continue;
            }
            const auto order = stream.permutation(share.size());
            std::vector<std::size_t> some;
            for (std::size_t k = 0; k < left; ++k) {
                some.push_back(share[order[k]]);
            }
            share = std::move(some);
        }
    }
}

void data_shares::use_clusters(const formed_clusters& formed) {
    holder_of_.clear();
    edge_of_.clear();
    for (std::size_t edge = 0; edge + 1 < first_holder_.size(); ++edge) {
        const auto clusters = formed.empty() ? static_cast<std::size_t>(clusters_of(scene_, static_cast<int>(edge)))
                                             : formed[edge].size();
        for (std::size_t place = 0; place < clusters; ++place) {
            auto index = place;
            if (scene_.data.held_by == data_holders::clients) {
                ensure(!formed.empty(), "data of clients are used by clusters that have been formed");
                index = formed[edge][place].clients.front();
            }
            holder_of_.push_back(first_holder_[edge] + index);
            edge_of_.push_back(edge);
        }
    }
}

std::vector<std::int64_t> data_shares::samples_of_clients(std::size_t edge) const {
    ensure(scene_.data.held_by == data_holders::clients, "clients have data");
    std::vector<std::int64_t> counts;
    for (auto i = first_holder_[edge]; i < first_holder_[edge + 1]; ++i) {
        counts.push_back(static_cast<std::int64_t>(holders_[i].samples.size()));
    }
    return counts;
}

std::vector<std::int64_t> data_shares::class_counts_of_client(std::size_t edge, std::size_t client) const {
    ensure(scene_.data.held_by == data_holders::clients, "clients have data");
    return label_histogram(*sets_[set_of_edge(edge)], holders_.at(first_holder_[edge] + client).samples);
}

std::vector<std::int64_t> data_shares::wanted_classes(std::size_t edge) const {
    const auto set = set_of_edge(edge);
    return label_histogram(*sets_[set], splits_[set].validation);
}

std::size_t data_shares::set_of_cluster(int cluster) const {
    return set_of_edge(edge_of_.at(static_cast<std::size_t>(cluster)));
}

const std::vector<std::string>& data_shares::class_names(std::size_t edge) const {
    return sets_[set_of_edge(edge)]->class_names();
}

std::uint64_t data_shares::hash_names(std::uint64_t hash) const {
    for (const auto& set : sets_) {
        for (std::size_t sample = 0; sample < set->size(); ++sample) {
            hash = stable_hash(set->name(sample), hash);
        }
    }
    return hash;
}

std::vector<std::int64_t> data_shares::samples() const {
    std::vector<std::int64_t> counts;
    const auto& sense = scene_.sense;
    for (const auto holder : holder_of_) {
        counts.push_back(sense.stream() ? sense.buffer : static_cast<std::int64_t>(holders_[holder].samples.size()));
    }
    return counts;
}

std::vector<std::int64_t> data_shares::class_counts(int cluster) const {
    return label_histogram(*sets_[set_of_cluster(cluster)], share_of(cluster));
}

std::vector<std::size_t> data_shares::trained_on(int cluster) const {
    auto own = share_of(cluster);
    const auto edge = edge_of_.at(static_cast<std::size_t>(cluster));
    const bool is_first = cluster == 0 || edge_of_[static_cast<std::size_t>(cluster) - 1] != edge;
    if (scene_.scheme == scheme_kind::centralised && is_first) {
        for (int other = cluster + 1;
             other < static_cast<int>(edge_of_.size()) && edge_of_[static_cast<std::size_t>(other)] == edge; ++other) {
            const auto& more = share_of(other);
            own.insert(own.end(), more.begin(), more.end());
        }
    }
    return own;
}

sample_quality data_shares::quality_of(const std::string& start_point) const {
    const auto draw = [&](const distribution& value, const char* what) {
        random_stream stream(scene_.seed, what, start_point);
        return std::max(0.0, value.draw(stream));
    };
    const auto& data = scene_.data;
    const auto& listed = scene_.network.overrides.nodes;
    const auto said =
        std::find_if(listed.begin(), listed.end(), [&](const auto& node) { return node.name == start_point; });
    const auto given = said == listed.end() ? node_override() : *said;
    return {given.label_noise.value_or(draw(data.label_noise, "quality.label_noise")),
            given.blur.value_or(draw(data.blur, "quality.blur")),
            given.noise.value_or(draw(data.noise, "quality.noise")), draw(data.token_noise, "quality.token_noise")};
}

std::optional<sample_stream> data_shares::stream() const {
    const auto& sense = scene_.sense;
    return sense.stream() ? std::optional(sample_stream{sense.buffer, sense.rate, scene_.train.epochs}) : std::nullopt;
}

double data_shares::data_fit(std::size_t edge, const std::vector<std::string>& start_points) const {
    const auto set = set_of_edge(edge);
    const auto wanted = label_histogram(*sets_[set], splits_[set].validation);
    std::vector<double> has(wanted.size(), 0.0);
    double samples = 0.0, right = 0.0;
    for (std::size_t c = 0; c < holder_of_.size(); ++c) {
        if (edge_of_[c] != edge) {
            continue;
        }
        const auto& share = share_of(static_cast<int>(c));
        const auto counts = label_histogram(*sets_[set], share);
        for (std::size_t label = 0; label < counts.size(); ++label) {
            has[label] += static_cast<double>(counts[label]);
        }
        const auto mine = static_cast<double>(share.size());
        samples += mine;
        right += mine * (1.0 - quality_of(start_points.at(c)).label_noise);
    }
    double distance = 0.0, all = 0.0;
    for (const auto count : wanted) {
        all += static_cast<double>(count);
    }
    for (std::size_t label = 0; label < wanted.size(); ++label) {
        distance += 0.5 * std::abs(static_cast<double>(wanted[label]) / all - has[label] / samples);
    }
    return (1.0 - distance) * right / samples;
}

} // namespace gaisnet
