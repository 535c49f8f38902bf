#include "data/text_folder.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

namespace gaisnet {

namespace {

/// A file of this size stays mapped; smaller ones are mapped when a text is read. A process may have 65,530 mappings.
constexpr std::size_t large_file = std::size_t{1} << 20, most_large_files = 10000;

std::string_view as_text(const mapped_file& memory) {
    return {reinterpret_cast<const char*>(memory.bytes().data()), memory.bytes().size()};
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// Whether all names are whole numbers that can be compared as such.
bool are_numbers(const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(), [](const std::string& name) {
        const auto digits = std::string_view(name).substr(name.starts_with('-') ? 1 : 0);
        return !digits.empty() && digits.size() < 19 &&
               digits.find_first_not_of("0123456789") == std::string_view::npos;
    });
}

} // namespace

text_folder::text_folder(const std::filesystem::path& root, text_folder_rules rules)
    : root_(root)
    , rules_(std::move(rules)) {
    ensure(rules_.longest_record <= std::numeric_limits<std::uint32_t>::max(), "the size of a record fits 32 bits");
    ignored_files ignored;
    const auto found = find_text_files(root, rules_.key, ignored);
    for (const auto& file : found) {
        read_file(file, ignored);
    }
    check_all_used(found, ignored);
    sort_classes();
    notes_ = ignored.sentences(root);
    if (without_text_ > 0) {
        notes_.push_back(std::to_string(without_text_) + " record(s) in " + root.string() +
                         " have a blank \"text\" and are not used");
    }
    if (replaced_ > 0) {
        notes_.push_back(std::to_string(replaced_) + " sequence(s) of bytes in " + root.string() +
                         " are not UTF-8 and are replaced by U+FFFD");
    }
}

void text_folder::refuse(const std::string& file, std::size_t line, const std::string& problem) const {
    throw usage_error(rules_.key + ": " + (root_ / file).string() + ", line " + std::to_string(line) + " " + problem);
}

void text_folder::read_file(const text_file_entry& file, ignored_files& ignored) {
    const auto path = root_ / file.name;
    if (find_invalid_utf8(file.name)) {
        throw usage_error(rules_.key + ": the name of a file is not UTF-8: " + valid_utf8(path.string()));
    }
    std::error_code code;
    auto memory = mapped_file::open(path, code);
    if (code) {
        throw usage_error(rules_.key + ": " + path.string() + " cannot be read: " + code.message());
    }
    const auto bytes = as_text(memory);
    if (is_utf16(bytes)) {
        throw usage_error(rules_.key + ": " + path.string() + " is UTF-16; UTF-8 is accepted");
    }
    using kind = text_file_entry::kind;
    if (file.what == kind::perhaps_fortunes && !bytes.empty() && !has_fortune_separator(bytes)) {
        ignored.add("have neither an extension nor a line with only %", file.name);
        return;
    }
    const auto text = rules_.unit == text_unit::file ? text_format::whole : text_format::paragraphs;
    const auto format = file.what == kind::text         ? text
                        : file.what == kind::json_lines ? text_format::json_lines
                                                        : text_format::fortunes;
    const auto first = records_.size();
    has_labels_.reset();
    for_each_record(bytes, format, [&](const text_record& record) { add_record(file.name, bytes, format, record); });
    if (records_.size() == first) {
        ignored.add("hold no text", file.name);
        return;
    }
    const bool keep = bytes.size() >= large_file && mapped_ < most_large_files;
    if (keep) {
        ++mapped_;
        memory.drop_pages();
    }
    files_.push_back({file.name, format, first, keep ? std::move(memory) : mapped_file{}});
}

void text_folder::add_record(const std::string& file, std::string_view bytes, text_format format,
                             const text_record& record) {
    if (record.size > rules_.longest_record) {
        refuse(file, record.line,
               "begins a record of " + quantity(static_cast<double>(record.size), "B") + "; at most " +
                   quantity(static_cast<double>(rules_.longest_record), "B") + " are accepted");
    }
    check_utf8(file, bytes, record);
    std::optional<std::string> label;
    if (format == text_format::json_lines) {
        try {
            const auto content = bytes.substr(record.begin, record.size);
            auto parsed = parse_json_record(rules_.replace_invalid ? valid_utf8(content) : std::string(content));
            if (is_blank(parsed.text)) {
                ++without_text_;
                return;
            }
            label = std::move(parsed.label);
        } catch (const usage_error& problem) {
            refuse(file, record.line, problem.what());
        }
    }
    records_.push_back({record.begin, static_cast<std::uint32_t>(record.size), label_of(file, label, record.line)});
    bytes_ += record.size;
    content_ = stable_hash(bytes.substr(record.begin, record.size), stable_hash(file, content_));
}

std::int32_t text_folder::label_of(const std::string& file, const std::optional<std::string>& in_record,
                                   std::size_t line) {
    if (has_labels_.value_or(in_record.has_value()) != in_record.has_value()) {
        refuse(file, line,
               in_record ? "has a \"label\", but the lines before have none"
                         : "has no \"label\", but the lines before do");
    }
    has_labels_ = in_record.has_value();
    return label_named(in_record ? *in_record : class_of_file(file));
}

std::int32_t text_folder::label_named(const std::string& name) {
    const auto [entry, is_new] = label_by_name_.try_emplace(name, static_cast<std::int32_t>(classes_.size()));
    if (is_new) {
        classes_.push_back(name);
    }
    return entry->second;
}

void text_folder::check_utf8(const std::string& file, std::string_view bytes, const text_record& record) {
    const auto content = bytes.substr(record.begin, record.size);
    const auto bad = find_invalid_utf8(content);
    if (!bad) {
        return;
    }
    if (rules_.replace_invalid) {
        replaced_ += count_invalid_utf8(content);
        return;
    }
    const auto before = content.substr(0, *bad);
    const auto line = record.line + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    refuse(file, line,
           fmt::format("is not UTF-8 (byte 0x{:02x}, the file's byte {}); UTF-8 is accepted",
                       static_cast<unsigned char>(content[*bad]), record.begin + *bad + 1));
}

void text_folder::check_all_used(const std::vector<text_file_entry>& found, const ignored_files& ignored) const {
    if (records_.empty()) {
        std::string reasons;
        for (const auto& sentence : ignored.sentences(root_)) {
            reasons += "; " + sentence;
        }
        throw usage_error(rules_.key + " = " + root_.string() +
                          " holds no text; .txt, .jsonl and fortune files are accepted" + reasons);
    }
    if (!rules_.for_classification) {
        return;
    }
    std::set<std::string> used;
    for (const auto& file : files_) {
        used.insert(class_of_file(file.name));
    }
    for (const auto& file : found) {
        if (!used.contains(class_of_file(file.name))) {
            throw usage_error(rules_.key + ": " + (root_ / file.name).string() + " holds no text, so class " +
                              printable(class_of_file(file.name)) + " is empty");
        }
    }
    if (classes_.size() < 2) {
        throw usage_error(rules_.key + " = " + root_.string() + " holds only class " + printable(classes_.front()) +
                          "; at least two folders, files or labels are accepted");
    }
}

void text_folder::sort_classes() {
    const bool by_number = are_numbers(classes_);
    std::vector<std::size_t> order(classes_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const auto& [x, y] = std::tie(classes_[a], classes_[b]);
        if (by_number && std::stoll(x) != std::stoll(y)) {
            return std::stoll(x) < std::stoll(y);
        }
        return x < y;
    });
    std::vector<std::int32_t> place(classes_.size());
    std::vector<std::string> sorted;
    for (const auto label : order) {
        place[label] = static_cast<std::int32_t>(sorted.size());
        sorted.push_back(std::move(classes_[label]));
    }
    classes_ = std::move(sorted);
    label_by_name_.clear();
    for (auto& record : records_) {
        record.label = place[static_cast<std::size_t>(record.label)];
    }
    records_.shrink_to_fit();
}

const text_folder::file_place& text_folder::file_of(std::size_t sample) const {
    const auto after = std::upper_bound(files_.begin(), files_.end(), sample,
                                        [](std::size_t i, const file_place& file) { return i < file.first_record; });
    return *std::prev(after);
}

std::string text_folder::name(std::size_t sample) const {
    const auto& file = file_of(sample);
    return file.name + "#" + std::to_string(sample - file.first_record + 1);
}

std::string text_folder::text(std::size_t sample) const {
    const auto& file = file_of(sample);
    const auto& record = records_.at(sample);
    mapped_file small;
    if (file.memory.bytes().empty()) {
        std::error_code code;
        small = mapped_file::open(root_ / file.name, code);
        if (code) {
            throw runtime_failure((root_ / file.name).string() + " cannot be read: " + code.message());
        }
    }
    const auto bytes = as_text(file.memory.bytes().empty() ? small : file.memory);
    if (bytes.size() < record.begin + record.size) {
        throw runtime_failure((root_ / file.name).string() + " has become shorter");
    }
    auto text = with_line_feeds(bytes.substr(record.begin, record.size));
    if (rules_.replace_invalid) {
        text = valid_utf8(text);
    }
    if (file.format != text_format::json_lines) {
        return text;
    }
    try {
        return parse_json_record(text).text;
    } catch (const usage_error& problem) {
        throw runtime_failure(name(sample) + " has changed: it " + problem.what());
    }
}

} // namespace gaisnet
