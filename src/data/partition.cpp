#include "data/partition.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

data_split stratified_split(const dataset& data, double train_fraction, std::uint64_t seed) {
    if (!(train_fraction > 0.0 && train_fraction < 1.0)) {
        throw usage_error("data.train_fraction = " + std::to_string(train_fraction) +
                          "; a number between 0 and 1 is accepted");
    }
    const auto classes = data.class_names().size();
    std::vector<std::vector<std::size_t>> by_class(classes);
    for (std::size_t sample = 0; sample < data.size(); ++sample) {
        by_class[static_cast<std::size_t>(data.label(sample))].push_back(sample);
    }
    data_split out;
    for (std::size_t label = 0; label < classes; ++label) {
        const auto& members = by_class[label];
        if (members.size() < 2) {
            throw usage_error("class " + data.class_names()[label] + " has " + std::to_string(members.size()) +
                              " samples; at least two are needed, one to train on and one to validate on");
        }
        const auto order = random_stream(seed, "split", data.class_names()[label]).permutation(members.size());
        const auto wanted =
            static_cast<std::size_t>(std::llround(train_fraction * static_cast<double>(members.size())));
        const auto train = std::clamp<std::size_t>(wanted, 1, members.size() - 1);
        for (std::size_t i = 0; i < members.size(); ++i) {
            (i < train ? out.train : out.validation).push_back(members[order[i]]);
        }
    }
    std::sort(out.train.begin(), out.train.end());
    std::sort(out.validation.begin(), out.validation.end());
    return out;
}

std::vector<std::vector<std::size_t>> partition_iid(const std::vector<std::size_t>& samples, std::size_t parts,
                                                    std::size_t each, std::uint64_t seed) {
    if (parts == 0 || samples.size() / parts < std::max<std::size_t>(each, 1)) { // no product: it may overflow
        throw usage_error("data.per_cluster = " + std::to_string(each) + (each == 0 ? " (equal shares): " : ": ") +
                          std::to_string(parts) + " start points cannot have " +
                          (each == 0 ? "at least 1" : std::to_string(each)) + " training samples each out of " +
                          std::to_string(samples.size()) + "; at most " +
                          std::to_string(parts == 0 ? 0 : samples.size() / parts) + " each are accepted");
    }
    const auto order = random_stream(seed, "partition", "iid").permutation(samples.size());
    std::vector<std::vector<std::size_t>> out(parts);
    for (std::size_t part = 0; part < parts; ++part) {
        const auto first = each > 0 ? part * each : samples.size() * part / parts;
        const auto end = each > 0 ? (part + 1) * each : samples.size() * (part + 1) / parts;
        for (auto i = first; i < end; ++i) {
            out[part].push_back(samples[order[i]]);
        }
    }
    return out;
}

} // namespace gaisnet
