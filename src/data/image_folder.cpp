#include "data/image_folder.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "data/image_codec.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <mutex>
#include <numeric>
#include <set>
#include <string_view>
#include <thread>
#include <tuple>

namespace gaisnet {

namespace fs = std::filesystem;

namespace {

std::string reason_of(const fs::filesystem_error& problem) {
    return (problem.path1().empty() ? "" : problem.path1().string() + ": ") + problem.code().message();
}

/// Class names are written to files whose text is UTF-8.
void check_utf8(const std::string& key, const std::string& name) {
    try {
        static_cast<void>(nlohmann::json(name).dump());
    } catch (const nlohmann::json::exception&) {
        throw usage_error(key + ": the name of a class folder is not UTF-8: " +
                          nlohmann::json(name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    }
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Whether an entry has an image's name and is not a folder. A dangling link, a pipe or a device counts: it is better
/// reported as damaged than silently ignored.
bool is_image(const fs::directory_entry& item) {
    std::error_code unknown; // a circular or dangling link: not a folder
    return is_image_name(item.path()) && !item.is_directory(unknown);
}

/// Folders that operating systems and programs create, and that are not classes.
bool is_left_behind(const std::string& name) {
    static const std::set<std::string> names{"__MACOSX", "@eaDir",       "lost+found",
                                             "#recycle", "$RECYCLE.BIN", "System Volume Information"};
    return names.contains(name);
}

std::size_t images_below(const fs::path& folder) {
    std::error_code unknown;
    std::size_t count = 0;
    for (fs::recursive_directory_iterator item(folder, unknown), end; !unknown && item != end;
         item.increment(unknown)) {
        count += !is_hidden(item->path()) && is_image(*item) ? 1U : 0U;
    }
    return count;
}

} // namespace

bool is_image_name(const fs::path& path) {
    auto suffix = path.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return suffix == ".jpg" || suffix == ".jpeg" || suffix == ".jpe" || suffix == ".jfif" || suffix == ".png";
}

image_folder::image_folder(const fs::path& root, const std::string& key): key_(key), root_(root) {
    std::error_code code;
    if (!fs::is_directory(root, code)) {
        throw usage_error(key + " = " + root.string() + (fs::exists(root, code) ? " is no folder" : " does not exist") +
                          "; a folder with one folder a class is accepted");
    }
    try {
        std::vector<std::string> left_behind;
        for (const auto& item : fs::directory_iterator(root)) {
            std::error_code unknown;
            if (item.is_directory(unknown) && !is_hidden(item.path())) {
                auto name = item.path().filename().string();
                (is_left_behind(name) ? left_behind : classes_).push_back(std::move(name));
            }
        }
        std::sort(classes_.begin(), classes_.end());
        for (const auto& name : classes_) {
            check_utf8(key, name);
        }
        for (std::size_t label = 0; label < classes_.size(); ++label) {
            read_class(static_cast<std::int64_t>(label));
        }
        note_unused(left_behind);
    } catch (const fs::filesystem_error& problem) {
        throw usage_error(key + " = " + root.string() + " cannot be read: " + reason_of(problem));
    }
    if (classes_.size() < 2) {
        throw usage_error(key + " = " + root.string() + " holds " + std::to_string(classes_.size()) +
                          " folders; one folder a class, and at least two, are accepted");
    }
    check_classes("JPEG or PNG");
}

image_folder image_folder::without_labels(const fs::path& root, const std::string& key) {
    image_folder out;
    out.key_ = key;
    out.root_ = root;
    std::error_code code;
    if (!fs::is_directory(root, code)) {
        throw usage_error(key + " = " + root.string() + (fs::exists(root, code) ? " is no folder" : " does not exist") +
                          "; a folder of JPEG and PNG images is accepted");
    }
    try {
        for (const auto& item : fs::recursive_directory_iterator(root)) {
            // The name inside the folder, wherever a link leads.
            const auto name = item.path().lexically_relative(root).generic_string();
            const bool hidden = name.starts_with('.') || name.find("/.") != std::string::npos;
            if (!hidden && is_image(item)) {
                out.samples_.push_back({name, -1});
            }
        }
    } catch (const fs::filesystem_error& problem) {
        throw usage_error(key + " = " + root.string() + " cannot be read: " + reason_of(problem));
    }
    std::sort(out.samples_.begin(), out.samples_.end(), [](const entry& a, const entry& b) { return a.name < b.name; });
    out.check_classes("JPEG or PNG");
    return out;
}

void image_folder::read_class(std::int64_t label) {
    const auto& name = classes_[static_cast<std::size_t>(label)];
    std::vector<std::string> files;
    deeper_.push_back(0);
    for (const auto& item : fs::directory_iterator(root_ / name)) {
        std::error_code unknown;
        if (is_hidden(item.path())) {
            continue;
        }
        if (item.is_directory(unknown)) {
            deeper_.back() += is_left_behind(item.path().filename().string()) ? 0 : images_below(item.path());
        } else if (is_image(item)) {
            files.push_back(item.path().filename().string());
        } else {
            ++ignored_;
        }
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
        samples_.push_back({name + "/" + file, label});
    }
}

void image_folder::note_unused(const std::vector<std::string>& left_behind) {
    const auto deeper = std::accumulate(deeper_.begin(), deeper_.end(), std::size_t{0});
    for (const auto& name : left_behind) {
        notes_.push_back("the folder " + name + " in " + root_.string() + " is taken for no class");
    }
    if (deeper > 0) {
        notes_.push_back(std::to_string(deeper) + " image(s) in folders below the class folders of " + root_.string() +
                         " are not used");
    }
    if (ignored_ > 0) {
        notes_.push_back(std::to_string(ignored_) + " file(s) in the class folders of " + root_.string() +
                         " are no JPEG or PNG by name and are not used");
    }
}

void image_folder::check_classes(const char* kind) const {
    if (classes_.empty()) {
        if (samples_.empty()) {
            throw usage_error(key_ + " = " + root_.string() + " holds no " + kind + " image");
        }
        return;
    }
    std::vector<std::size_t> counts(classes_.size());
    for (const auto& sample : samples_) {
        ++counts[static_cast<std::size_t>(sample.label)];
    }
    for (std::size_t label = 0; label < classes_.size(); ++label) {
        if (counts[label] == 0 && deeper_[label] > 0) {
            const auto usual = std::find_if(classes_.begin(), classes_.end(),
                                            [](const auto& name) { return name.starts_with("train"); });
            const auto& inner = usual == classes_.end() ? classes_[label] : *usual;
            throw usage_error(key_ + ": class folder " + (root_ / classes_[label]).string() + " holds no " + kind +
                              " image itself, but folders that hold some; one folder a class is accepted, so perhaps " +
                              key_ + " = " + (root_ / inner).string());
        }
        if (counts[label] < 2) {
            throw usage_error(key_ + ": class folder " + (root_ / classes_[label]).string() + " holds " +
                              std::to_string(counts[label]) + " " + kind +
                              " image(s); at least two are needed, one to train on and one to validate on");
        }
    }
}

image image_folder::load(std::size_t sample) const { return decode_image(root_ / samples_[sample].name); }

std::pair<std::string, std::uint64_t> image_folder::check_sample(std::size_t sample) const {
    try {
        const auto picture = load(sample);
        const std::string_view pixels(reinterpret_cast<const char*>(picture.rgb.data()), picture.rgb.size());
        const auto shape = static_cast<std::uint64_t>(picture.width);
        return {"", stable_hash(pixels, stable_hash(samples_[sample].name, shape))};
    } catch (const decode_error& problem) {
        return {problem.what(), 0};
    }
}

image_folder::check_result image_folder::check(std::size_t part, std::size_t parts, std::size_t threads) const {
    std::vector<std::string> reasons(samples_.size());
    std::vector<std::uint64_t> hashes(samples_.size(), 0);
    std::atomic<std::size_t> next = part;
    std::exception_ptr failure;
    std::mutex guard;
    const auto work = [&] {
        try {
            for (auto i = next.fetch_add(parts); i < samples_.size(); i = next.fetch_add(parts)) {
                std::tie(reasons[i], hashes[i]) = check_sample(i);
            }
        } catch (...) {
            const std::lock_guard lock(guard);
            failure = failure ? failure : std::current_exception();
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (std::size_t i = 1; i < threads; ++i) {
            helpers.emplace_back(work);
        }
        work();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
    check_result result;
    for (std::size_t i = 0; i < reasons.size(); ++i) {
        if (!reasons[i].empty()) {
            result.damaged.push_back(samples_[i].name + "\t" + reasons[i]);
        }
        result.content += hashes[i];
    }
    return result;
}

void image_folder::remove(const std::set<std::string>& names) {
    std::erase_if(samples_, [&](const entry& one) { return names.contains(one.name); });
    check_classes("undamaged");
}

} // namespace gaisnet
