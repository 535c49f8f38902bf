#include "data/probes.hpp"

#include "base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace gaisnet {

namespace {

std::string last_name(const std::string& path) { return std::filesystem::weakly_canonical(path).filename().string(); }

} // namespace

probe_domains::probe_domains(const scenario& scene, const data_shares& shares, domain_source& source)
    : scene_(scene)
    , shares_(shares) {
    const auto& data = scene.data;
    for (std::size_t set = 0; set < shares.sets(); ++set) {
        const bool joined = data.partition.by_domain();
        const std::string name = joined                                   ? fmt::format("edge{}", set)
                                 : data.source != data_source::procedural ? last_name(data.roots[set])
                                                                          : fmt::format("domain {}", data.domain + set);
        domains_.push_back({name, true, shares.set(set).class_names()});
    }
    const auto& probe = scene.probe;
    if (scene.network.edges == 1 || probe.samples == 0) {
        return;
    }
    if (probe.unseen) {
        unseen_ = source.draw(*probe.unseen);
        domains_.push_back({fmt::format("domain {}", *probe.unseen), false, unseen_->class_names()});
    } else if (!probe.unseen_root.empty()) {
        unseen_ = source.read(probe.unseen_root, "probe.unseen");
        domains_.push_back({last_name(probe.unseen_root), false, unseen_->class_names()});
    }
    if (unseen_) {
        unseen_split_ = split_of(*unseen_, data.train_fraction, scene.seed);
    }
}

const dataset& probe_domains::set(std::size_t domain) const {
    return domain < shares_.sets() ? shares_.set(domain) : *unseen_;
}

std::vector<std::vector<std::size_t>> probe_domains::batches(std::size_t domain, bool training, std::int64_t most,
                                                             std::size_t batch) const {
    const auto& split = domain < shares_.sets() ? shares_.split(domain) : unseen_split_;
    const auto& samples = training ? split.train : split.validation;
    const auto order = random_stream(scene_.seed, "probe", domains_[domain].name).permutation(samples.size());
    const auto count = std::min(samples.size(), static_cast<std::size_t>(most));
    std::vector<std::vector<std::size_t>> all;
    for (std::size_t first = 0; first < count; first += batch) {
        auto& some = all.emplace_back();
        for (auto i = first; i < std::min(count, first + batch); ++i) {
            some.push_back(samples[order[i]]);
        }
    }
    return all;
}

} // namespace gaisnet
