#pragma once

#include "data/dataset.hpp"

#include <filesystem>
#include <set>

namespace gaisnet {

/// Whether a file is an image by its name: .jpg, .jpeg, .jpe, .jfif or .png in any case.
bool is_image_name(const std::filesystem::path&);

/// A folder with one folder a class, in the order of their names, holding images by name (is_image_name), in the order of
/// their names. What begins with a dot is ignored, in silence; notes() tells of all else that is not used: other files,
/// images in folders below a class, and folders that systems leave behind (__MACOSX, lost+found and the like).
class image_folder final : public dataset {
public:
    /// \throws usage_error naming a folder that is missing, cannot be read, holds fewer than two classes, or a class
    /// with fewer than two images, or whose name is not UTF-8.
    /// \param key the setting that names it, for messages.
    explicit image_folder(const std::filesystem::path& root, const std::string& key = "data.root");
    /// Images to classify: all in the folder and the folders in it, by their names, but for hidden ones. Labels are -1,
    /// and there are no classes. \throws usage_error as above, and without any image.
    static image_folder without_labels(const std::filesystem::path& root, const std::string& key);

    std::size_t size() const override { return samples_.size(); }
    std::int64_t label(std::size_t sample) const override { return samples_[sample].label; }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return samples_[sample].name; } ///< CLASS/FILE
    image load(std::size_t sample) const override;                                        ///< \throws decode_error

    /// What in the folder is not used, a sentence each.
    const std::vector<std::string>& notes() const { return notes_; }

    struct check_result {
        std::vector<std::string> damaged; ///< "NAME\tREASON" in the order of samples.
        /// Sum over the samples that are whole of a hash of name and pixels: the parts' sums add up to that of all.
        std::uint64_t content = 0;
    };
    /// Decodes every sample i with i modulo `parts` == `part`, so that ranks can share the work out, with up to
    /// `threads` threads; the result does not depend on them. What cannot be opened or is no regular file is damaged.
    check_result check(std::size_t part, std::size_t parts, std::size_t threads = 2) const;
    /// Leaves samples out. \throws usage_error when a class keeps fewer than two. \param names as name() gives them.
    void remove(const std::set<std::string>& names);

private:
    image_folder() = default;
    void read_class(std::int64_t label);
    void note_unused(const std::vector<std::string>& left_behind);
    /// Throws usage_error where too few images are left; kind: of which, for the message.
    void check_classes(const char* kind) const;
    /// Why the sample cannot be used, or nothing, and then the hash of its name and pixels.
    std::pair<std::string, std::uint64_t> check_sample(std::size_t sample) const;

    struct entry {
        std::string name;
        std::int64_t label;
    };
    std::string key_; ///< For messages.
    std::filesystem::path root_;
    std::vector<std::string> classes_;
    std::vector<entry> samples_;
    std::size_t ignored_ = 0;         ///< Files in class folders that are no images by name.
    std::vector<std::size_t> deeper_; ///< By class: images in folders below it.
    std::vector<std::string> notes_;
};

} // namespace gaisnet
