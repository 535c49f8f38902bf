#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// Files that are not used: how many there are of each kind, and the first few names.
class ignored_files {
public:
    /// \param kind what is true of such files, for example "are hidden".
    void add(const std::string& kind, const std::string& name);
    /// A sentence for each kind. \param root the folder that the names are relative to.
    std::vector<std::string> sentences(const std::filesystem::path& root) const;

private:
    struct group {
        std::size_t count = 0;
        std::vector<std::string> first;
    };
    std::map<std::string, group> groups_;
};

/// A file that holds texts by its name.
struct text_file_entry {
    /// How its name says that it holds them.
    enum class kind { text, json_lines, fortunes, perhaps_fortunes };
    std::string name; ///< Relative to the root, with slashes.
    kind what;
};

/// Whether a file may hold texts by its name.
bool is_text_name(const std::filesystem::path&);

/// Finds the files below a folder that hold texts: .txt, .jsonl or .ndjson, .fortunes, and files without extension, which
/// may be fortune files. The result is sorted by name.
///
/// Links are followed, but no file is read twice: a file or folder that is reached without links goes before a link to it,
/// and of several links the first by name counts. A link to a folder that holds the root is ignored.
/// \throws usage_error naming what cannot be read. \param key the setting that names the folder, for messages.
std::vector<text_file_entry> find_text_files(const std::filesystem::path& root, const std::string& key,
                                             ignored_files& ignored);

/// The first folder of a name that find_text_files() returned, or, if the file is in none, its name without extension.
std::string class_of_file(std::string_view name);

} // namespace gaisnet
