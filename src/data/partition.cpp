#include "data/partition.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/registry.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace gaisnet {

namespace {

struct group_of_samples {
    std::string name;
    std::vector<std::size_t> members;
};

std::vector<group_of_samples> by_class(const labelled_samples& data) {
    std::vector<group_of_samples> groups;
    for (const auto& name : data.class_names()) {
        groups.push_back({name, {}});
    }
    for (std::size_t sample = 0; sample < data.size(); ++sample) {
        groups[static_cast<std::size_t>(data.label(sample))].members.push_back(sample);
    }
    return groups;
}

/// Splits each group, of at least two samples, at random.
data_split split_groups(const std::vector<group_of_samples>& groups, double train_fraction, std::uint64_t seed) {
    if (!(train_fraction > 0.0 && train_fraction < 1.0)) {
        throw usage_error("data.train_fraction = " + std::to_string(train_fraction) +
                          "; a number between 0 and 1 is accepted");
    }
    data_split out;
    for (const auto& [name, members] : groups) {
        const auto order = random_stream(seed, "split", name).permutation(members.size());
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

} // namespace

data_split stratified_split(const labelled_samples& data, double train_fraction, std::uint64_t seed) {
    const auto groups = by_class(data);
    for (const auto& [name, members] : groups) {
        if (members.size() < 2) {
            throw usage_error("class " + name + " has " + std::to_string(members.size()) +
                              " samples; at least two are needed, one to train on and one to validate on");
        }
    }
    return split_groups(groups, train_fraction, seed);
}

data_split split_of_texts(const labelled_samples& texts, double train_fraction, std::uint64_t seed) {
    if (texts.size() < 2) {
        throw usage_error((texts.size() == 0 ? "there is no text" : "there is one text, " + texts.name(0)) +
                          "; at least two are needed, one to train on and one to validate on: more files, or "
                          "data.text_unit = paragraph where empty lines part a .txt file");
    }
    std::vector<group_of_samples> groups, all = by_class(texts);
    group_of_samples others{"", {}};
    for (auto& one : all) {
        if (one.members.size() >= 2) {
            groups.push_back(std::move(one));
        } else {
            others.members.insert(others.members.end(), one.members.begin(), one.members.end());
        }
    }
    if (others.members.size() >= 2) {
        groups.push_back(std::move(others));
    } else if (others.members.size() == 1) {
        groups.front().members.push_back(others.members.front());
    }
    return split_groups(groups, train_fraction, seed);
}

namespace {

using shares = std::vector<std::vector<std::size_t>>;

/// Distributes samples at random: `each` to every part or, when that is 0, all of them in equal shares.
shares deal(const std::vector<std::size_t>& samples, std::size_t parts, std::size_t each, std::uint64_t seed) {
    if (parts == 0 || samples.size() / parts < std::max<std::size_t>(each, 1)) { // a product could overflow
        throw usage_error("data.per_cluster = " + std::to_string(each) + (each == 0 ? " (equal shares): " : ": ") +
                          std::to_string(parts) + " start points cannot have " +
                          (each == 0 ? "at least 1" : std::to_string(each)) + " training samples each out of " +
                          std::to_string(samples.size()) +
                          (parts == 0 || samples.size() < parts
                               ? std::string("; more samples, or fewer clusters, are accepted")
                               : "; at most " + std::to_string(samples.size() / parts) + " each are accepted"));
    }
    const auto order = random_stream(seed, "partition", "iid").permutation(samples.size());
    shares out(parts);
    for (std::size_t part = 0; part < parts; ++part) {
        const auto first = each > 0 ? part * each : samples.size() * part / parts;
        const auto end = each > 0 ? (part + 1) * each : samples.size() * (part + 1) / parts;
        for (auto i = first; i < end; ++i) {
            out[part].push_back(samples[order[i]]);
        }
    }
    return out;
}

/// The samples of each class, shuffled.
shares shuffled_classes(const labelled_samples& data, const std::vector<std::size_t>& samples, std::uint64_t seed) {
    shares by_class(data.class_names().size());
    for (const auto sample : samples) {
        by_class[static_cast<std::size_t>(data.label(sample))].push_back(sample);
    }
    for (std::size_t label = 0; label < by_class.size(); ++label) {
        auto& members = by_class[label];
        const auto order = random_stream(seed, "partition", data.class_names()[label]).permutation(members.size());
        std::vector<std::size_t> mixed;
        for (const auto i : order) {
            mixed.push_back(members[i]);
        }
        members = std::move(mixed);
    }
    return by_class;
}

/// Integers in these proportions that add up to `total` (largest remainder method).
std::vector<std::size_t> apportion(const std::vector<double>& weights, std::size_t total) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<std::size_t> counts;
    std::vector<std::pair<double, std::size_t>> remainders;
    std::size_t given = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const double exact = sum > 0.0 ? weights[i] / sum * static_cast<double>(total) : 0.0;
        counts.push_back(static_cast<std::size_t>(exact));
        given += counts.back();
        remainders.emplace_back(static_cast<double>(counts.back()) - exact, i);
    }
    std::sort(remainders.begin(), remainders.end());
    for (std::size_t i = 0; given < total; ++given, i = (i + 1) % remainders.size()) {
        ++counts[remainders[i].second];
    }
    return counts;
}

/// Splits every class over the parts in its own proportions. With `each`, every part draws a mix of classes instead;
/// when a class runs out, the part takes more of the others.
shares by_dirichlet(const labelled_samples& data, const std::vector<std::size_t>& samples, std::size_t parts,
                    std::size_t each, double alpha, std::uint64_t seed) {
    auto classes = shuffled_classes(data, samples, seed);
    shares out(parts);
    const auto take = [](std::vector<std::size_t>& from, std::size_t count, std::vector<std::size_t>& to) {
        to.insert(to.end(), from.end() - static_cast<std::ptrdiff_t>(count), from.end());
        from.resize(from.size() - count);
    };
    if (each == 0) {
        for (std::size_t label = 0; label < classes.size(); ++label) {
            random_stream stream(seed, "partition.dirichlet", data.class_names()[label]);
            const auto counts = apportion(stream.dirichlet(parts, alpha), classes[label].size());
            for (std::size_t part = 0; part < parts; ++part) {
                take(classes[label], counts[part], out[part]);
            }
        }
        return out;
    }
    for (std::size_t part = 0; part < parts; ++part) {
        random_stream stream(seed, "partition.dirichlet", "part" + std::to_string(part));
        auto mix = stream.dirichlet(classes.size(), alpha);
        while (out[part].size() < each) {
            for (std::size_t label = 0; label < classes.size(); ++label) {
                mix[label] = classes[label].empty() ? 0.0 : std::max(mix[label], 1e-12);
            }
            const auto counts = apportion(mix, each - out[part].size());
            for (std::size_t label = 0; label < classes.size(); ++label) {
                take(classes[label], std::min(counts[label], classes[label].size()), out[part]);
            }
        }
    }
    return out;
}

shares by_quantity(const std::vector<std::size_t>& samples, std::size_t parts, double alpha, std::uint64_t seed) {
    const auto order = random_stream(seed, "partition", "iid").permutation(samples.size());
    const auto counts =
        apportion(random_stream(seed, "partition.quantity", "").dirichlet(parts, alpha), samples.size());
    shares out(parts);
    std::size_t next = 0;
    for (std::size_t part = 0; part < parts; ++part) {
        for (std::size_t i = 0; i < counts[part]; ++i) {
            out[part].push_back(samples[order[next++]]);
        }
    }
    return out;
}

/// Every part holds `count` classes, taken in turn from a random order of all. Each class is split equally over its
/// holders; with `each`, the `each` samples of a part are split equally over its classes.
shares some_classes_each(const labelled_samples& data, const std::vector<std::size_t>& samples, std::size_t parts,
                         std::size_t each, std::size_t count, std::uint64_t seed) {
    const auto classes = shuffled_classes(data, samples, seed);
    const auto order = random_stream(seed, "partition", "classes").permutation(classes.size());
    std::vector<std::vector<std::size_t>> holders(classes.size());
    for (std::size_t i = 0; i < parts * count; ++i) {
        holders[order[i % classes.size()]].push_back(i / count);
    }
    shares out(parts);
    for (std::size_t label = 0; label < classes.size(); ++label) {
        std::size_t next = 0;
        for (std::size_t i = 0; i < holders[label].size(); ++i) {
            const auto part = holders[label][i];
            const auto whole = classes[label].size();
            auto wanted = whole * (i + 1) / holders[label].size() - whole * i / holders[label].size();
            if (each > 0) { // the classes of a part share `each` as equally as possible
                const auto mine = out[part].size();
                std::size_t left = 0;
                for (std::size_t other = label; other < classes.size(); ++other) {
                    left += static_cast<std::size_t>(std::count(holders[other].begin(), holders[other].end(), part));
                }
                wanted = (each - mine) / left;
                if (next + wanted > whole) {
                    throw usage_error("data.per_cluster = " + std::to_string(each) + " with data.partition = classes(" +
                                      std::to_string(count) + "): class " + data.class_names()[label] + " has " +
                                      std::to_string(whole) + " training samples, too few for the " +
                                      std::to_string(holders[label].size()) + " start points that hold it");
                }
            }
            for (std::size_t k = 0; k < wanted; ++k) {
                out[part].push_back(classes[label][next++]);
            }
        }
    }
    return out;
}

/// All parts see the same `count` classes, with equal numbers of samples of each. In total there are `each` samples a
/// part or, when `each` is 0, as many as the smallest class has.
shares same_classes(const labelled_samples& data, const std::vector<std::size_t>& samples, std::size_t parts,
                    std::size_t each, std::size_t count, std::uint64_t seed) {
    const auto classes = shuffled_classes(data, samples, seed);
    const auto order = random_stream(seed, "partition", "classes").permutation(classes.size());
    std::size_t smallest = samples.size();
    for (const auto& members : classes) {
        smallest = std::min(smallest, members.size());
    }
    const auto total = each > 0 ? each * parts : smallest;
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& members = classes[order[i]];
        const auto wanted = total * (i + 1) / count - total * i / count;
        if (wanted > members.size()) {
            throw usage_error("data.per_cluster = " + std::to_string(each) + " with data.partition = classes(" +
                              std::to_string(count) + "), classes.scope = union: class " +
                              data.class_names()[order[i]] + " would have to give " + std::to_string(wanted) +
                              " samples and has " + std::to_string(members.size()));
        }
        chosen.insert(chosen.end(), members.begin(), members.begin() + static_cast<std::ptrdiff_t>(wanted));
    }
    return deal(chosen, parts, each, seed);
}

shares as_equal(const partition_request& in) { return in.equal; }

const registration<partition_entry> registered_iid{{"iid", nullptr, any(), false, as_equal}};
const registration<partition_entry> registered_domain{{"domain", nullptr, any(), false, as_equal}};
/// Label skew: each class is divided in proportions drawn from Dirichlet(alpha).
const registration<partition_entry> registered_dirichlet{
    {"dirichlet", "ALPHA", within(1e-3, 1e6), false, [](const partition_request& in) {
         return by_dirichlet(in.data, in.samples, in.parts, in.each, in.rule.argument, in.seed);
     }}};
/// Different amounts, in proportions drawn from Dirichlet(alpha); each amount is a sample of all.
const registration<partition_entry> registered_quantity{
    {"quantity", "ALPHA", within(1e-3, 1e6), false, [](const partition_request& in) {
         std::vector<std::size_t> some;
         for (const auto& part : in.equal) {
             some.insert(some.end(), part.begin(), part.end());
         }
         std::sort(some.begin(), some.end());
         return by_quantity(some, in.parts, in.rule.argument, in.seed);
     }}};
/// Only some classes; see class_scope.
const registration<partition_entry> registered_classes{
    {"classes", "NUMBER", within(1, 1e6), true, [](const partition_request& in) {
         const auto count = static_cast<std::size_t>(in.rule.argument);
         if (count > in.data.class_names().size()) {
             throw usage_error("data.partition = classes(" + std::to_string(count) + "): there are " +
                               std::to_string(in.data.class_names().size()) + " classes");
         }
         return in.rule.scope == class_scope::client
                    ? some_classes_each(in.data, in.samples, in.parts, in.each, count, in.seed)
                    : same_classes(in.data, in.samples, in.parts, in.each, count, in.seed);
     }}};

} // namespace

shares partition(const labelled_samples& data, const std::vector<std::size_t>& samples, std::size_t parts,
                 std::size_t each, const partition_rule& rule, std::uint64_t seed) {
    const auto equal = deal(samples, parts, each, seed); // also checks that there are enough
    auto out = registry<partition_entry>::at(rule.name, "data.partition")
                   .deal({data, samples, parts, each, rule, seed, equal});
    for (auto& part : out) {
        if (part.empty()) {
            auto largest = std::max_element(out.begin(), out.end(),
                                            [](const auto& a, const auto& b) { return a.size() < b.size(); });
            part.push_back(largest->back());
            largest->pop_back();
        }
    }
    return out;
}

std::vector<std::int64_t> label_histogram(const labelled_samples& data, const std::vector<std::size_t>& samples) {
    std::vector<std::int64_t> counts(data.class_names().size(), 0);
    for (const auto sample : samples) {
        ++counts[static_cast<std::size_t>(data.label(sample))];
    }
    return counts;
}

} // namespace gaisnet
