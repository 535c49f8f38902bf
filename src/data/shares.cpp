#include "data/shares.hpp"

#include "base/random.hpp"
#include "data/joined_dataset.hpp"
#include "data/procedural.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace gaisnet {

namespace {

/// A folder or a drawn domain each: one for all edges, one for each edge, or one for each start point.
std::vector<std::unique_ptr<dataset>> make_domains(const scenario& scene, const folder_check& check) {
    std::vector<std::unique_ptr<dataset>> domains;
    if (scene.data.source == data_source::folder) {
        for (const auto& root : scene.data.roots) {
            auto folder = std::make_unique<image_folder>(root);
            check(*folder);
            domains.push_back(std::move(folder));
        }
        return domains;
    }
    const int count = scene.network.edges * (scene.data.partition.by_domain() ? scene.network.clusters : 1);
    for (int domain = 0; domain < count; ++domain) {
        domains.push_back(make_procedural(
            {scene.data.domain + domain, scene.data.classes, scene.model.image, scene.data.samples, scene.seed}));
    }
    return domains;
}

/// The domains of an edge's start points become one dataset of the edge.
std::vector<std::unique_ptr<dataset>> joined_by_edge(std::vector<std::unique_ptr<dataset>> domains,
                                                     std::size_t clusters) {
    std::vector<std::unique_ptr<dataset>> sets;
    for (std::size_t first = 0; first < domains.size(); first += clusters) {
        const auto begin = std::make_move_iterator(domains.begin() + static_cast<std::ptrdiff_t>(first));
        sets.push_back(std::make_unique<joined_dataset>(
            std::vector<std::unique_ptr<dataset>>(begin, begin + static_cast<std::ptrdiff_t>(clusters))));
    }
    return sets;
}

} // namespace

data_shares::data_shares(const scenario& scene, const folder_check& check): scene_(scene) {
    sets_ = make_domains(scene, check);
    if (scene.data.partition.by_domain()) {
        sets_ = joined_by_edge(std::move(sets_), static_cast<std::size_t>(scene.network.clusters));
    }
    deal_out();
    leave_available();
}

/// Splits every dataset, and gives each start point its share of the training samples.
void data_shares::deal_out() {
    const auto clusters = static_cast<std::size_t>(scene_.network.clusters); // of an edge
    const auto each = static_cast<std::size_t>(scene_.data.per_cluster);
    for (const auto& set : sets_) {
        splits_.push_back(stratified_split(*set, scene_.data.train_fraction, scene_.seed));
        const auto& train = splits_.back().train;
        if (const auto* joined = dynamic_cast<const joined_dataset*>(set.get())) {
            for (std::size_t domain = 0; domain < joined->parts(); ++domain) {
                std::vector<std::size_t> own;
                std::copy_if(train.begin(), train.end(), std::back_inserter(own),
                             [&](std::size_t sample) { return joined->part_of(sample) == domain; });
                by_cluster_.push_back(partition(*set, own, 1, each, {}, scene_.seed).front());
            }
            continue;
        }
        const auto edges_a_set = scene_.network.edges > 1 && sets_.size() == 1 ? scene_.network.edges : 1;
        for (auto& part : partition(*set, train, clusters * static_cast<std::size_t>(edges_a_set), each,
                                    scene_.data.partition, scene_.seed)) {
            by_cluster_.push_back(std::move(part));
        }
    }
}

/// Applies data.available: a start point keeps a random part of its share, at least one sample.
void data_shares::leave_available() {
    const auto clusters = static_cast<std::size_t>(scene_.network.clusters); // of an edge
    for (std::size_t i = 0; i < by_cluster_.size(); ++i) {
        auto& share = by_cluster_[i];
        random_stream stream(scene_.seed, "data.available", fmt::format("{}.{}", i / clusters, i % clusters));
        const auto wanted = std::llround(scene_.data.available.draw(stream) * static_cast<double>(share.size()));
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

std::size_t data_shares::set_of_cluster(int cluster) const {
    return set_of_edge(static_cast<std::size_t>(cluster / scene_.network.clusters));
}

const std::vector<std::string>& data_shares::class_names(std::size_t edge) const {
    return sets_[set_of_edge(edge)]->class_names();
}

std::string data_shares::origin() const {
    const auto& data = scene_.data;
    return data.source == data_source::folder ? fmt::format("{}", fmt::join(data.roots, ", ")) : "procedural images";
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
    for (const auto& share : by_cluster_) {
        counts.push_back(sense.stream() ? sense.buffer : static_cast<std::int64_t>(share.size()));
    }
    return counts;
}

std::vector<std::int64_t> data_shares::class_counts(int cluster) const {
    return label_histogram(*sets_[set_of_cluster(cluster)], by_cluster_[static_cast<std::size_t>(cluster)]);
}

std::vector<std::size_t> data_shares::trained_on(int cluster) const {
    auto own = by_cluster_[static_cast<std::size_t>(cluster)];
    if (scene_.scheme == scheme_kind::centralised && cluster % scene_.network.clusters == 0) {
        for (int other = cluster + 1; other < cluster + scene_.network.clusters; ++other) {
            const auto& more = by_cluster_[static_cast<std::size_t>(other)];
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
    return {draw(data.label_noise, "quality.label_noise"), draw(data.blur, "quality.blur"),
            draw(data.noise, "quality.noise")};
}

std::optional<sample_stream> data_shares::stream() const {
    const auto& sense = scene_.sense;
    return sense.stream() ? std::optional(sample_stream{sense.buffer, sense.rate, scene_.train.epochs}) : std::nullopt;
}

double data_shares::data_fit(std::size_t edge, const std::vector<std::string>& start_points) const {
    const auto set = set_of_edge(edge);
    const auto wanted = label_histogram(*sets_[set], splits_[set].validation);
    std::vector<double> has(wanted.size(), 0.0);
    const auto clusters = static_cast<std::size_t>(scene_.network.clusters);
    double samples = 0.0, right = 0.0;
    for (std::size_t c = edge * clusters; c < (edge + 1) * clusters; ++c) {
        const auto counts = label_histogram(*sets_[set], by_cluster_[c]);
        for (std::size_t label = 0; label < counts.size(); ++label) {
            has[label] += static_cast<double>(counts[label]);
        }
        const auto mine = static_cast<double>(by_cluster_[c].size());
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
