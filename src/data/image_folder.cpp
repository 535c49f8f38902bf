#include "data/image_folder.hpp"

#include "base/error.hpp"
#include "data/image_codec.hpp"

#include <algorithm>

namespace gaisnet {

namespace fs = std::filesystem;

image_folder::image_folder(const fs::path& root): root_(root) {
    std::error_code code;
    if (!fs::is_directory(root, code)) {
        throw usage_error("data.root = " + root.string() +
                          (fs::exists(root, code) ? " is no folder" : " does not exist") +
                          "; a folder with one folder a class is accepted");
    }
    try {
        for (const auto& item : fs::directory_iterator(root)) {
            if (item.is_directory() && !item.path().filename().string().starts_with('.')) {
                classes_.push_back(item.path().filename().string());
            }
        }
        std::sort(classes_.begin(), classes_.end());
        for (std::size_t label = 0; label < classes_.size(); ++label) {
            std::vector<std::string> names;
            for (const auto& item : fs::directory_iterator(root / classes_[label])) {
                auto suffix = item.path().extension().string();
                std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
                if (item.is_regular_file() && (suffix == ".jpg" || suffix == ".jpeg" || suffix == ".png")) {
                    names.push_back(classes_[label] + "/" + item.path().filename().string());
                }
            }
            std::sort(names.begin(), names.end());
            for (auto& name : names) {
                samples_.push_back({std::move(name), static_cast<std::int64_t>(label)});
            }
        }
    } catch (const fs::filesystem_error& problem) {
        throw usage_error("data.root = " + root.string() + " cannot be read: " + problem.what());
    }
    if (classes_.size() < 2) {
        throw usage_error("data.root = " + root.string() + " holds " + std::to_string(classes_.size()) +
                          " folders; one folder a class, and at least two, are accepted");
    }
    check_classes();
}

void image_folder::check_classes() const {
    for (std::size_t label = 0; label < classes_.size(); ++label) {
        const auto count = std::count_if(samples_.begin(), samples_.end(), [&](const entry& one) {
            return one.label == static_cast<std::int64_t>(label);
        });
        if (count < 2) {
            throw usage_error("data.root: class folder " + (root_ / classes_[label]).string() + " holds " +
                              std::to_string(count) +
                              " JPEG or PNG images that are not damaged; at least two are needed, one to "
                              "train on and one to validate on");
        }
    }
}

image image_folder::load(std::size_t sample) const { return decode_image(root_ / samples_[sample].name); }

std::vector<std::string> image_folder::find_damaged(std::size_t part, std::size_t parts) const {
    std::vector<std::string> damaged;
    for (auto i = part; i < samples_.size(); i += parts) {
        try {
            load(i);
        } catch (const decode_error& problem) {
            damaged.push_back(samples_[i].name + "\t" + problem.what());
        }
    }
    return damaged;
}

void image_folder::remove(const std::set<std::string>& names) {
    std::erase_if(samples_, [&](const entry& one) { return names.contains(one.name); });
    check_classes();
}

} // namespace gaisnet
