#include "data/probes.hpp"

#include "base/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace gaisnet {

namespace {

/// The last name of each path, with so many before it that no two are the same; a path that stands twice is numbered.
std::vector<std::string> short_names(const std::vector<std::string>& paths) {
    std::vector<std::filesystem::path> whole;
    std::size_t longest = 1;
    for (const auto& path : paths) {
        whole.push_back(std::filesystem::weakly_canonical(path));
        longest = std::max(longest, static_cast<std::size_t>(std::distance(whole.back().begin(), whole.back().end())));
    }
    std::vector<std::string> names(paths.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
        const auto last_of = [](const std::filesystem::path& path, std::size_t count) {
            std::filesystem::path out;
            const auto all = static_cast<std::size_t>(std::distance(path.begin(), path.end()));
            for (auto part = std::next(path.begin(), static_cast<std::ptrdiff_t>(all - std::min(all, count)));
                 part != path.end(); ++part) {
                out /= *part;
            }
            return out.string();
        };
        std::size_t count = 1;
        const auto shared = [&](const std::filesystem::path& other) {
            return other != whole[i] && last_of(other, count) == last_of(whole[i], count);
        };
        while (count < longest && std::any_of(whole.begin(), whole.end(), shared)) {
            ++count;
        }
        names[i] = last_of(whole[i], count);
        const auto before = std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i), whole[i]);
        if (before > 0) {
            names[i] += fmt::format(" ({})", before + 1);
        }
    }
    return names;
}

} // namespace

probe_domains::probe_domains(const scenario& scene, const data_shares& shares, domain_source& source)
    : scene_(scene)
    , shares_(shares) {
    const auto& data = scene.data;
    const auto& unseen_root = scene.probe.unseen_root;
    auto roots = data.source == data_source::procedural ? std::vector<std::string>() : data.roots;
    if (!unseen_root.empty()) {
        roots.push_back(unseen_root);
    }
    const auto names = short_names(roots);
    for (std::size_t set = 0; set < shares.sets(); ++set) {
        const bool joined = data.partition.by_domain();
        const std::string name = joined                                   ? fmt::format("edge{}", set)
                                 : data.source != data_source::procedural ? names[set]
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
        domains_.push_back({names.back(), false, unseen_->class_names()});
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
