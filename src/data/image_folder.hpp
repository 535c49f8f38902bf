#pragma once

#include "data/dataset.hpp"

#include <filesystem>
#include <memory>
#include <set>

namespace gaisnet {

/// A folder with one folder a class, in the order of their names, holding JPEG and PNG files; other files are ignored.
class image_folder final : public dataset {
public:
    /// \throws usage_error naming a folder that is missing, holds no class, or a class without images.
    explicit image_folder(const std::filesystem::path& root);

    std::size_t size() const override { return samples_.size(); }
    std::int64_t label(std::size_t sample) const override { return samples_[sample].label; }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return samples_[sample].name; }
    image load(std::size_t sample) const override;

    /// Decodes every sample i with i modulo `parts` == `part`; names and reasons of those that fail.
    std::vector<std::string> find_damaged(std::size_t part, std::size_t parts) const;
    /// Leaves samples out. \throws usage_error when a class becomes empty. \param names as name() gives them.
    void remove(const std::set<std::string>& names);

private:
    void check_classes() const;

    struct entry {
        std::string name; ///< CLASS/FILE
        std::int64_t label;
    };
    std::filesystem::path root_;
    std::vector<std::string> classes_;
    std::vector<entry> samples_;
};

} // namespace gaisnet
