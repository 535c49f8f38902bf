#include "base/csv.hpp"

#include "base/error.hpp"
#include "base/input_file.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cctype>

namespace gaisnet {

namespace {

/// \returns nothing for a line without content.
std::vector<std::string> cells_of(std::string_view text, const std::string& where) {
    std::vector<std::string> cells;
    std::string cell;
    bool quoted = false, was_quoted = false;
    const auto end_cell = [&] {
        cells.emplace_back(was_quoted ? cell : std::string(trimmed(cell)));
        cell.clear();
        was_quoted = false;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char letter = text[i];
        if (quoted) {
            if (letter != '"') {
                cell += letter;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                cell += text[++i];
            } else {
                quoted = false;
            }
        } else if (letter == '#') {
            break;
        } else if (letter == ',') {
            end_cell();
        } else if (letter == '"' && trimmed(cell).empty() && !was_quoted) {
            quoted = was_quoted = true;
            cell.clear();
        } else if (!was_quoted) {
            cell += letter;
        } else if (std::isspace(static_cast<unsigned char>(letter)) == 0) {
            throw usage_error(where + ": a comma or the end of the line is accepted behind a closing quote");
        }
    }
    if (quoted) {
        throw usage_error(where + ": a quote is open at the end of the line");
    }
    if (!cells.empty() || was_quoted || !trimmed(cell).empty()) {
        end_cell();
    }
    return cells;
}

} // namespace

std::vector<csv_line> read_csv(const std::string& path) {
    auto in = open_input(path);
    std::vector<csv_line> lines;
    std::string text;
    for (int number = 1; std::getline(in, text); ++number) {
        csv_line line{number, {}, path + ":" + std::to_string(number)};
        line.cells = cells_of(text, line.where);
        if (!line.cells.empty()) {
            lines.push_back(std::move(line));
        }
    }
    return lines;
}

bool is_header(const csv_line& line, std::initializer_list<std::string_view> columns) {
    return std::all_of(line.cells.begin(), line.cells.end(), [&](std::string name) {
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
        return std::find(columns.begin(), columns.end(), name) != columns.end();
    });
}

} // namespace gaisnet
