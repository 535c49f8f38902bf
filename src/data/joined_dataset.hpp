#pragma once

#include "data/dataset.hpp"

#include <memory>
#include <vector>

namespace gaisnet {

/// Concatenates several datasets: domains with the same classes.
class joined_dataset final : public dataset {
public:
    /// \throws usage_error when the classes differ.
    explicit joined_dataset(std::vector<std::unique_ptr<dataset>> parts);

    std::size_t size() const override { return starts_.back(); }
    std::int64_t label(std::size_t sample) const override;
    const std::vector<std::string>& class_names() const override { return parts_.front()->class_names(); }
    std::string name(std::size_t sample) const override; ///< Prefixed with the number of the part.
    image load(std::size_t sample) const override;
    token_sample load_text(std::size_t sample) const override;
    std::optional<data_split> given_split() const override;

    std::size_t parts() const { return parts_.size(); }
    std::size_t part_of(std::size_t sample) const;

private:
    std::vector<std::unique_ptr<dataset>> parts_;
    std::vector<std::size_t> starts_; ///< First index of each part, and the end.
};

} // namespace gaisnet
