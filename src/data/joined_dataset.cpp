#include "data/joined_dataset.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace gaisnet {

joined_dataset::joined_dataset(std::vector<std::unique_ptr<dataset>> parts): parts_(std::move(parts)), starts_{0} {
    ensure(!parts_.empty(), "something is joined");
    for (const auto& part : parts_) {
        starts_.push_back(starts_.back() + part->size());
        if (part->class_names() != class_names()) {
            throw usage_error("data.partition = domain: domain " + std::to_string(starts_.size() - 2) +
                              " has other classes than the first; the same class folders in each are accepted");
        }
    }
}

std::size_t joined_dataset::part_of(std::size_t sample) const {
    return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), sample) - starts_.begin()) - 1;
}

std::int64_t joined_dataset::label(std::size_t sample) const {
    const auto part = part_of(sample);
    return parts_[part]->label(sample - starts_[part]);
}

std::string joined_dataset::name(std::size_t sample) const {
    const auto part = part_of(sample);
    return std::to_string(part) + "/" + parts_[part]->name(sample - starts_[part]);
}

token_sample joined_dataset::load_text(std::size_t sample) const {
    const auto part = part_of(sample);
    return parts_[part]->load_text(sample - starts_[part]);
}

std::optional<data_split> joined_dataset::given_split() const {
    data_split all;
    for (std::size_t part = 0; part < parts_.size(); ++part) {
        const auto its = parts_[part]->given_split();
        if (!its) {
            return std::nullopt;
        }
        for (const auto sample : its->train) {
            all.train.push_back(starts_[part] + sample);
        }
        for (const auto sample : its->validation) {
            all.validation.push_back(starts_[part] + sample);
        }
    }
    return all;
}

image joined_dataset::load(std::size_t sample) const {
    const auto part = part_of(sample);
    return parts_[part]->load(sample - starts_[part]);
}

} // namespace gaisnet
