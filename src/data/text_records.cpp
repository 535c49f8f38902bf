#include "data/text_records.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace gaisnet {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// A line of a file, without its line feed.
struct line_of_file {
    std::size_t begin = 0, end = 0, number = 0;
    std::size_t next = 0; ///< Where the next one begins.
    std::string_view of(std::string_view file) const { return trimmed(file.substr(begin, end - begin)); }
};

/// The line that begins at `begin`.
line_of_file line_at(std::string_view file, std::size_t begin, std::size_t number) {
    const auto end = std::min(file.find('\n', begin), file.size());
    return {begin, end, number, std::min(end + 1, file.size())};
}

/// Gathers the lines of a record, from its first line that is not blank to its last one.
class record_builder {
public:
    explicit record_builder(const std::function<void(const text_record&)>& take): take_(take) {}

    void add(std::string_view file, const line_of_file& line, bool blank) {
        if (blank) {
            return;
        }
        if (record_.size == 0) {
            record_ = {line.begin, 0, line.number};
        }
        const bool has_return = line.end > line.begin && file[line.end - 1] == '\r';
        record_.size = line.end - (has_return ? 1 : 0) - record_.begin;
    }
    void finish() {
        if (record_.size > 0) {
            take_(record_);
        }
        record_ = {};
    }

private:
    const std::function<void(const text_record&)>& take_;
    text_record record_;
};

} // namespace

void for_each_record(std::string_view file, text_format format, const std::function<void(const text_record&)>& take) {
    record_builder record(take);
    std::size_t number = 1;
    for (std::size_t at = file.starts_with(byte_order_mark) ? byte_order_mark.size() : 0; at < file.size(); ++number) {
        const auto line = line_at(file, at, number);
        const auto content = line.of(file);
        const bool separates = format == text_format::json_lines ||
                               (format == text_format::fortunes && content == "%") ||
                               (format == text_format::paragraphs && content.empty());
        if (separates) {
            record.finish();
        }
        if (!separates || format == text_format::json_lines) {
            record.add(file, line, content.empty());
        }
        at = line.next;
    }
    record.finish();
}

bool has_fortune_separator(std::string_view file) {
    for (auto at = file.find('%'); at != std::string_view::npos; at = file.find('%', at + 1)) {
        if ((at == 0 || file[at - 1] == '\n') && line_at(file, at, 0).of(file) == "%") {
            return true;
        }
    }
    return false;
}

bool is_utf16(std::string_view file) { return file.starts_with("\xff\xfe") || file.starts_with("\xfe\xff"); }

json_record parse_json_record(std::string_view line) {
    nlohmann::json object;
    try {
        object = nlohmann::json::parse(line);
    } catch (const nlohmann::json::parse_error& problem) {
        throw usage_error("is not JSON (byte " + std::to_string(problem.byte) + "); an object a line is accepted");
    }
    if (!object.is_object()) {
        throw usage_error(std::string("is no JSON object but of kind ") + object.type_name());
    }
    const auto text = object.find("text");
    if (text == object.end() || !text->is_string()) {
        throw usage_error(std::string(text == object.end() ? "has no \"text\"" : "has a \"text\" that is no string") +
                          "; {\"text\": \"...\"} is accepted");
    }
    json_record out{std::move(text->get_ref<std::string&>()), std::nullopt};
    if (const auto label = object.find("label"); label != object.end() && !label->is_null()) {
        if (!label->is_string() && !label->is_number_integer()) {
            throw usage_error("has a \"label\" that is neither a string nor a whole number");
        }
        out.label = label->is_string() ? label->get<std::string>() : label->dump();
    }
    return out;
}

std::string with_line_feeds(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find("\r\n", at), text.size());
        out.append(text.substr(at, end - at));
        at = end;
        if (at < text.size()) {
            out += '\n';
            at += 2;
        }
    }
    return out;
}

} // namespace gaisnet
