#include "data/text_tree.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <optional>
#include <set>
#include <utility>

namespace gaisnet {

namespace fs = std::filesystem;

namespace {

using file_identity = std::pair<dev_t, ino_t>;

std::string lower_suffix(const fs::path& path) {
    auto suffix = path.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return suffix;
}

/// What a name says that a file holds; nothing: no text.
std::optional<text_file_entry::kind> kind_by_name(const fs::path& path) {
    using kind = text_file_entry::kind;
    static const std::map<std::string, kind> kinds{{".txt", kind::text},
                                                   {".jsonl", kind::json_lines},
                                                   {".ndjson", kind::json_lines},
                                                   {".fortunes", kind::fortunes},
                                                   {"", kind::perhaps_fortunes}};
    const auto found = kinds.find(lower_suffix(path));
    return found == kinds.end() ? std::nullopt : std::optional(found->second);
}

/// Folders that systems create beside the data.
bool made_by_system(const std::string& name) {
    static const std::set<std::string> names{"__MACOSX", "@eaDir",       "lost+found",
                                             "#recycle", "$RECYCLE.BIN", "System Volume Information"};
    return names.contains(name);
}

/// Walks a tree: first what is reached without links, then, by name, what links lead to.
class text_tree_walk {
public:
    text_tree_walk(const fs::path& root, ignored_files& ignored): root_(root), ignored_(ignored) {}

    std::vector<text_file_entry> files() {
        const auto status = status_of(root_);
        folders_.insert({status->st_dev, status->st_ino});
        walk("");
        while (!links_.empty()) {
            const auto link = *links_.begin();
            links_.erase(links_.begin());
            follow(link);
        }
        std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        return std::move(files_);
    }

private:
    static std::optional<struct stat> status_of(const fs::path& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
    }

    void walk(const fs::path& folder) {
        for (const auto& item : fs::directory_iterator(root_ / folder)) {
            const auto name = folder / item.path().filename();
            if (item.path().filename().string().starts_with('.')) {
                ignored_.add("are hidden", name.generic_string());
            } else if (item.is_symlink()) {
                links_.insert(name.generic_string());
            } else {
                visit(name);
            }
        }
    }

    /// A folder or file that is no link, or was reached by one.
    void visit(const fs::path& name, bool by_link = false) {
        const auto status = status_of(root_ / name);
        const auto text = name.generic_string();
        if (!status) {
            ignored_.add(by_link ? "are links that lead nowhere" : "cannot be looked at", text);
            return;
        }
        const file_identity identity{status->st_dev, status->st_ino};
        if (S_ISDIR(status->st_mode)) {
            if (made_by_system(name.filename().string())) {
                ignored_.add("are folders that systems create", text);
            } else if (folders_.insert(identity).second) {
                walk(name);
            } else {
                ignored_.add("are links to what is read anyway", text);
            }
        } else if (!S_ISREG(status->st_mode)) {
            ignored_.add("are pipes, sockets or devices", text);
        } else if (const auto suffix = lower_suffix(name); suffix == ".dat" || suffix == ".u8") {
            ignored_.add("are .dat or .u8 files of fortunes", text);
        } else if (const auto what = kind_by_name(name); !what) {
            ignored_.add("are neither .txt, .jsonl nor fortune files", text);
        } else if (!inodes_.insert(identity).second && by_link) {
            ignored_.add("are links to what is read anyway", text);
        } else {
            files_.push_back({text, *what});
        }
    }

    void follow(const std::string& link) {
        std::error_code unknown;
        const auto target = fs::canonical(root_ / link, unknown);
        if (!unknown && fs::is_directory(target, unknown)) {
            const auto from_target = fs::canonical(root_).lexically_relative(target);
            if (from_target.empty() || *from_target.begin() != "..") {
                ignored_.add("are links to a folder around them", link);
                return;
            }
        }
        visit(link, true);
    }

    fs::path root_;
    ignored_files& ignored_;
    std::vector<text_file_entry> files_;
    std::set<std::string> links_; ///< Not followed yet.
    std::set<file_identity> folders_, inodes_;
};

} // namespace

bool is_text_name(const fs::path& path) { return kind_by_name(path).has_value(); }

void ignored_files::add(const std::string& kind, const std::string& name) {
    auto& [count, first] = groups_[kind];
    ++count;
    first.push_back(name);
    std::sort(first.begin(), first.end()); // folders are listed in any order
    constexpr std::size_t most_names = 3;
    if (first.size() > most_names) {
        first.pop_back();
    }
}

std::vector<std::string> ignored_files::sentences(const fs::path& root) const {
    std::vector<std::string> out;
    for (const auto& [kind, found] : groups_) {
        std::string names;
        for (const auto& name : found.first) {
            names += (names.empty() ? "" : ", ") + printable(valid_utf8(name));
        }
        out.push_back(std::to_string(found.count) + " file(s) in " + root.string() + " " + kind +
                      " and are not used: " + names + (found.count > found.first.size() ? ", ..." : ""));
    }
    return out;
}

std::vector<text_file_entry> find_text_files(const fs::path& root, const std::string& key, ignored_files& ignored) {
    std::error_code code;
    if (!fs::is_directory(root, code)) {
        throw usage_error(key + " = " + root.string() + (fs::exists(root, code) ? " is no folder" : " does not exist") +
                          "; a folder of texts is accepted");
    }
    try {
        return text_tree_walk(root, ignored).files();
    } catch (const fs::filesystem_error& problem) {
        throw usage_error(key + " = " + root.string() + " cannot be read: " +
                          (problem.path1().empty() ? "" : problem.path1().string() + ": ") + problem.code().message());
    }
}

std::string class_of_file(std::string_view name) {
    const auto slash = name.find('/');
    return slash == std::string_view::npos ? fs::path(name).stem().string() : std::string(name.substr(0, slash));
}

} // namespace gaisnet
