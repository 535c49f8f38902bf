#pragma once

#include "data/dataset.hpp"

#include <filesystem>
#include <set>

namespace gaisnet {

/// Whether a file is an image by its name: .jpg, .jpeg, .jpe, .jfif or .png in any case.
bool is_image_name(const std::filesystem::path&);

/// A folder with one folder a class, sorted by name; each holds images (see is_image_name), sorted by name. Names that
/// begin with a dot are ignored silently. notes() reports everything else that is not used: other files, images in
/// folders below a class, and folders that operating systems create (__MACOSX, lost+found and the like).
class image_folder final : public dataset {
public:
    /// \throws usage_error naming the folder when it is missing or unreadable or holds fewer than two classes, or
    /// naming a class that has fewer than two images or is not UTF-8. \param key the setting that names the folder, for
    /// messages.
    explicit image_folder(const std::filesystem::path& root, const std::string& key = "data.root");
    /// Images to classify: all images in the folder and its subfolders, sorted by name, except hidden ones. Labels are
    /// -1, and there are no classes. \throws usage_error as above, and when there is no image.
    static image_folder without_labels(const std::filesystem::path& root, const std::string& key);

    std::size_t size() const override { return samples_.size(); }
    std::int64_t label(std::size_t sample) const override { return samples_[sample].label; }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return samples_[sample].name; } ///< CLASS/FILE
    image load(std::size_t sample) const override;                                        ///< \throws decode_error

    /// What was ignored in the folder, one sentence each.
    const std::vector<std::string>& notes() const { return notes_; }

    struct check_result {
        std::vector<std::string> damaged; ///< "NAME\tREASON" in the order of samples.
        /// Sum of the hashes of name and pixels over all intact samples. The sums of the parts add up to the sum of the
        /// whole.
        std::uint64_t content = 0;
    };
    /// Decodes every sample i with i modulo `parts` == `part`, with up to `threads` threads, so that ranks can share
    /// the work. The result does not depend on the threads. A file that cannot be opened or is not a regular file is
    /// damaged.
    check_result check(std::size_t part, std::size_t parts, std::size_t threads = 2) const;
    /// Removes samples. \throws usage_error when fewer than two are left in a class. \param names as name() returns
    /// them.
    void remove(const std::set<std::string>& names);

private:
    image_folder() = default;
    void read_class(std::int64_t label);
    void note_unused(const std::vector<std::string>& left_behind);
    /// Throws usage_error when too few images are left. \param kind which images, for the message.
    void check_classes(const char* kind) const;
    /// Why the sample cannot be used, or an empty text and the hash of its name and pixels.
    std::pair<std::string, std::uint64_t> check_sample(std::size_t sample) const;

    struct entry {
        std::string name;
        std::int64_t label;
    };
    std::string key_; ///< For messages.
    std::filesystem::path root_;
    std::vector<std::string> classes_;
    std::vector<entry> samples_;
    std::size_t ignored_ = 0;         ///< Files in class folders whose names are not image names.
    std::vector<std::size_t> deeper_; ///< Number of images in subfolders, by class.
    std::vector<std::string> notes_;
};

} // namespace gaisnet
