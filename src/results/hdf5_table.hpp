#pragma once

#include "results/hdf5_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace gaisnet {

enum class column_type { uint32, int32, uint64, float64, text };

/// Name, type, unit and meaning of one column.
struct column_info {
    std::string name;
    column_type type{};
    std::size_t size = 0; ///< Bytes of one value.
    std::string unit;     ///< "s", "J", "B", "FLOP", "Hz s"; "1" for a pure number, "" for text.
    std::string description;
};

/// A column and the function that gets its value from a Row.
template <typename Row>
struct column {
    column_info info;
    std::function<void(const Row&, std::byte*)> pack; ///< Writes info.size bytes.
};

/// A column of numbers. \param value a member of the row, or a function of it; its type is that of the column.
template <typename Row, typename Value>
column<Row> number_column(std::string name, std::string unit, std::string description, Value value) {
    using stored = std::decay_t<std::invoke_result_t<Value, const Row&>>;
    static_assert(std::is_same_v<stored, std::uint32_t> || std::is_same_v<stored, std::int32_t> ||
                  std::is_same_v<stored, std::uint64_t> || std::is_same_v<stored, double>);
    constexpr auto type = std::is_same_v<stored, std::uint32_t>   ? column_type::uint32
                          : std::is_same_v<stored, std::int32_t>  ? column_type::int32
                          : std::is_same_v<stored, std::uint64_t> ? column_type::uint64
                                                                  : column_type::float64;
    return {{std::move(name), type, sizeof(stored), std::move(unit), std::move(description)},
            [value](const Row& row, std::byte* out) {
                const stored number = std::invoke(value, row);
                std::memcpy(out, &number, sizeof number);
            }};
}

/// A column of UTF-8 text of at most `capacity` bytes; longer text is cut. \param value a member of the row, or a function
/// of it, with a view into the row.
template <typename Row, typename Value>
column<Row> text_column(std::string name, std::size_t capacity, std::string description, Value value) {
    return {{std::move(name), column_type::text, capacity, "", std::move(description)},
            [value, capacity](const Row& row, std::byte* out) {
                const auto text = fit_text(std::invoke(value, row), capacity);
                std::memcpy(out, text.data(), text.size());
                std::memset(out + text.size(), 0, capacity - text.size());
            }};
}

struct table_options {
    std::size_t chunk_bytes = 16 * 1024; ///< Approximate size of a chunk, the unit of allocation in the file.
    bool compress = false;               ///< Shuffle and deflate; for tables that grow by whole chunks.
};

/// An extendible table: a one-dimensional dataset of a compound type. The attributes of the dataset explain it:
/// `description`, `columns` (all columns as JSON), and for each column unit:NAME and description:NAME.
class hdf5_table {
public:
    /// Makes an empty table at `path` ("/communication/links"), and the groups above it.
    static hdf5_table create(hdf5_file& file, const std::string& path, const std::string& description,
                             const std::vector<column_info>& columns, table_options options = {});

    const std::string& path() const { return path_; }
    std::size_t row_bytes() const { return row_bytes_; }
    /// Upper bound of the file's growth when `rows` are appended and flushed.
    std::uint64_t growth(std::uint64_t rows) const { return rows * row_bytes_ + 2 * chunk_bytes_; }
    /// Appends rows that are packed without gaps in column order.
    void append(std::span<const std::byte> packed);
    void close() { dataset_.close(); }

private:
    hdf5_table(std::string file, std::string path, const std::vector<column_info>& columns);
    void write(std::uint64_t first, std::span<const std::byte> packed);

    std::string file_; ///< Path of the file, for messages.
    std::string path_;
    std::size_t row_bytes_ = 0;
    std::uint64_t chunk_bytes_ = 0;
    std::uint64_t rows_ = 0;
    H5::CompType memory_type_;
    H5::DataSet dataset_;
};

/// Packs rows without gaps in column order, as hdf5_table expects them.
template <typename Row>
std::vector<std::byte> pack_rows(const std::vector<column<Row>>& columns, std::span<const Row> rows) {
    std::size_t row_bytes = 0;
    for (const auto& entry : columns) {
        row_bytes += entry.info.size;
    }
    std::vector<std::byte> packed(row_bytes * rows.size());
    auto* out = packed.data();
    for (const auto& row : rows) {
        for (const auto& entry : columns) {
            entry.pack(row, out);
            out += entry.info.size;
        }
    }
    return packed;
}

/// A table with columns that take their values from Rows.
template <typename Row>
class typed_table {
public:
    typed_table(hdf5_table table, std::vector<column<Row>> columns)
        : table_(std::move(table))
        , columns_(std::move(columns)) {}

    /// Appends in blocks, so that a table of any length needs little memory.
    void append(std::span<const Row> rows) {
        constexpr std::size_t block = 16384;
        for (std::size_t first = 0; first < rows.size(); first += block) {
            table_.append(pack_rows(columns_, rows.subspan(first, std::min(block, rows.size() - first))));
        }
    }
    hdf5_table& table() { return table_; }
    const hdf5_table& table() const { return table_; }

private:
    hdf5_table table_;
    std::vector<column<Row>> columns_;
};

template <typename Row>
std::vector<column_info> infos(const std::vector<column<Row>>& columns) {
    std::vector<column_info> result;
    for (const auto& entry : columns) {
        result.push_back(entry.info);
    }
    return result;
}

} // namespace gaisnet
