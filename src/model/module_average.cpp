#include "model/module_average.hpp"

#include "base/error.hpp"
#include "model/stage_spec.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

/// A rule for each tunable of a model, or group of them.
std::vector<average_rule> rules_of(const stage_spec& whole) {
    const auto& model = whole.model();
    const auto& method = whole.method();
    std::vector<average_rule> rules(method.of_embedding(model).size());
    std::size_t ruled = rules.size();
    for (std::int64_t block = 0; block < model.depth(); ++block) {
        auto own = method.averages(model, block);
        own.resize(own.empty() ? method.of_block(model, block).size() : own.size());
        for (auto& rule : own) {
            ruled += rule.tensors;
            rules.push_back(std::move(rule));
        }
    }
    rules.resize(rules.size() + whole.tunables().size() - ruled); // norm and head
    return rules;
}

std::int64_t product(std::span<const std::int64_t> sizes) {
    std::int64_t all = 1;
    for (const auto size : sizes) {
        all *= size;
    }
    return all;
}

void append(average_layout& layout, summed_tensors part, std::int64_t values) {
    part.in_model = layout.values;
    part.in_sum = layout.elements;
    part.first_weight = layout.weights;
    layout.values += values;
    layout.elements += part.elements;
    layout.weights += part.weights;
    layout.parts.push_back(std::move(part));
}

} // namespace

average_layout average_layout::of(const std::vector<std::int64_t>& tensor_elements) {
    average_layout out;
    for (std::uint32_t i = 0; i < tensor_elements.size(); ++i) {
        const auto elements = tensor_elements[i];
        append(out, {.first = i, .elements = elements, .values = elements, .width = elements}, elements);
    }
    return out;
}

average_layout make_average_layout(const stage_spec& whole) {
    average_layout out;
    std::uint32_t next = 0;
    for (auto& rule : rules_of(whole)) {
        const auto& shape = whole.tunables().at(next).tensor.shape;
        summed_tensors part{.first = next, .tensors = static_cast<std::uint32_t>(rule.tensors)};
        part.values = part.elements = part.width = product(shape);
        if (rule.shrinks_in) {
            part.largest = shape.at(*rule.shrinks_in);
        }
        if (rule.by_slice) {
            part.weights = part.largest;
            part.width = product(std::span(shape).subspan(*rule.shrinks_in + 1));
        }
        std::int64_t values = 0;
        for (std::size_t i = 0; i < rule.tensors; ++i) {
            values += whole.tunables().at(next++).tensor.elements();
        }
        if (rule.joint) {
            part.elements = part.width = rule.joint->elements();
            part.joint = std::move(rule.joint);
        }
        append(out, std::move(part), values);
    }
    ensure(out.values == whole.tunable_elements(), "every tunable has a rule by which it is averaged");
    return out;
}

average_layout first_tensors(const average_layout& all, std::size_t tensors) {
    average_layout out;
    for (const auto& part : all.parts) {
        if (part.first >= tensors) {
            break;
        }
        const auto next = static_cast<std::size_t>(out.parts.size()) + 1;
        const auto end = next < all.parts.size() ? all.parts[next].in_model : all.values;
        append(out, part, end - part.in_model);
    }
    return out;
}

void averaging_cost::add(std::uint32_t tensor, std::int64_t values) {
    const auto& parts = layout_->parts;
    const auto part = std::prev(std::upper_bound(
        parts.begin(), parts.end(), tensor, [](std::uint32_t one, const auto& other) { return one < other.first; }));
    if (!part->joint) {
        flops_ += 2.0 * static_cast<double>(values);
    } else if (tensor == part->first) {
        const auto size = part->size_of(values);
        sizes_[static_cast<std::size_t>(part - parts.begin())] += size;
        flops_ += part->joint->combine_flops(size) + 2.0 * static_cast<double>(part->elements);
    }
}

double averaging_cost::flops() const {
    double all = flops_;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
        if (const auto& part = layout_->parts[i]; part.joint) {
            all += part.joint->divide_flops(sizes_[i]);
        }
    }
    return all;
}

std::uint64_t averaging_cost::workspace_bytes() const {
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
        if (const auto& part = layout_->parts[i]; part.joint) {
            most = std::max(most, part.joint->workspace_bytes(sizes_[i]));
        }
    }
    return most;
}

} // namespace gaisnet
