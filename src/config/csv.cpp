#include "config/csv.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace gaisnet {

void check_is_file(const std::string& path) {
    std::error_code code;
    const auto kind = std::filesystem::status(path, code).type();
    if (kind == std::filesystem::file_type::directory || kind == std::filesystem::file_type::character ||
        kind == std::filesystem::file_type::block) {
        throw usage_error(path + " is not a file");
    }
}

std::vector<csv_line> read_csv(const std::string& path) {
    check_is_file(path);
    std::ifstream in(path);
    if (!in || in.peek() == std::ifstream::traits_type::eof()) {
        throw usage_error(path + (in.is_open() && in.eof() ? " is empty" : " cannot be read"));
    }
    std::vector<csv_line> lines;
    std::string text;
    for (int number = 1; std::getline(in, text); ++number) {
        text = std::string(trimmed(std::string_view(text).substr(0, text.find('#'))));
        if (text.empty()) {
            continue;
        }
        csv_line line{number, {}, path + ":" + std::to_string(number)};
        std::stringstream cells(text);
        for (std::string cell; std::getline(cells, cell, ',');) {
            line.cells.emplace_back(trimmed(cell));
        }
        if (text.back() == ',') {
            line.cells.emplace_back();
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

} // namespace gaisnet
