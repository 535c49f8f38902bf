#pragma once

#include "base/mapped_file.hpp"
#include "data/text_dataset.hpp"
#include "data/text_records.hpp"
#include "data/text_tree.hpp"
#include "scenario/data.hpp"

#include <filesystem>
#include <map>
#include <string_view>

namespace gaisnet {

struct text_folder_rules {
    text_unit unit = text_unit::paragraph;
    bool replace_invalid = false; ///< Puts U+FFFD in place of what is not UTF-8 and counts it; otherwise it is refused.
    /// Bytes; a longer record is refused. Less than 4 GiB.
    std::size_t longest_record = std::size_t{16} << 20;
    /// Each folder and each file in the root has to hold a text, and there have to be two classes.
    bool for_classification = false;
    std::string key = "data.root"; ///< The setting that names the folder, for messages.
};

/// Texts of a folder and its subfolders, in the order of the files' names: paragraphs of .txt files or whole ones, lines of
/// .jsonl files, records of fortune files (see text_tree.hpp and text_records.hpp). A file without extension is a fortune
/// file when a line of it has nothing but %.
///
/// The class of a text is its "label" in a .jsonl file whose records have labels; else the folder of the root in which its
/// file lies, at whatever depth; else the name of the file without extension. Classes are sorted by name, and by number
/// where all of them are whole numbers. A corpus without classes is read in the same way, so its parts can be told apart.
///
/// What is kept in memory is an index, 16 bytes a record. Texts are read when they are asked for, and large files are
/// mapped: the files must not change meanwhile.
class text_folder final : public text_dataset {
public:
    /// Reads all files once. \throws usage_error naming the file, and the line where there is one, for what is not UTF-8
    /// (see text_folder_rules), is UTF-16, is no JSON or lacks "text", or is too long; naming the class that is empty; and
    /// naming the folder when it holds no text.
    explicit text_folder(const std::filesystem::path& root, text_folder_rules rules = {});

    std::size_t size() const override { return records_.size(); }
    std::int64_t label(std::size_t sample) const override { return records_[sample].label; }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string
    name(std::size_t sample) const override; ///< FOLDER/FILE#RECORD; records are counted from 1 in each file.
    /// \throws runtime_failure when the file cannot be read any more.
    std::string text(std::size_t sample) const override;

    std::uint64_t bytes() const { return bytes_; }     ///< Of all records, as they stand in the files.
    std::uint64_t content() const { return content_; } ///< A hash of all records and the names of their files.
    /// What was ignored in the folder or replaced, a sentence each.
    const std::vector<std::string>& notes() const { return notes_; }

private:
    struct record_place {
        std::uint64_t begin; ///< Bytes from the start of the file.
        std::uint32_t size;  ///< Bytes.
        std::int32_t label;
    };
    struct file_place {
        std::string name;
        text_format format;
        std::size_t first_record;
        mapped_file memory; ///< Empty for a small file.
    };
    void read_file(const text_file_entry&, ignored_files&);
    void add_record(const std::string& file, std::string_view bytes, text_format, const text_record&);
    /// The class of a record, as the file or the record itself says.
    std::int32_t label_of(const std::string& file, const std::optional<std::string>& in_record, std::size_t line);
    std::int32_t label_named(const std::string& name);
    void check_utf8(const std::string& file, std::string_view bytes, const text_record&);
    void check_all_used(const std::vector<text_file_entry>&, const ignored_files&) const;
    void sort_classes();
    const file_place& file_of(std::size_t sample) const;
    [[noreturn]] void refuse(const std::string& file, std::size_t line, const std::string& problem) const;

    std::filesystem::path root_;
    text_folder_rules rules_;
    std::vector<file_place> files_; ///< Those with records.
    std::vector<record_place> records_;
    std::vector<std::string> classes_;
    std::map<std::string, std::int32_t> label_by_name_;
    std::vector<std::string> notes_;
    std::uint64_t bytes_ = 0, content_ = 0;
    std::size_t mapped_ = 0;         ///< Files that stay mapped.
    std::size_t replaced_ = 0;       ///< U+FFFD put in.
    std::size_t without_text_ = 0;   ///< JSON records with a blank text.
    std::optional<bool> has_labels_; ///< Whether the records of the file that is being read have labels.
};

} // namespace gaisnet
