#include "results/hdf5_table.hpp"

#include <nlohmann/json.hpp>

namespace gaisnet {

namespace {

H5::DataType memory_type_of(const column_info& info) {
    switch (info.type) {
    case column_type::uint32: return H5::PredType::NATIVE_UINT32;
    case column_type::int32: return H5::PredType::NATIVE_INT32;
    case column_type::uint64: return H5::PredType::NATIVE_UINT64;
    case column_type::float64: return H5::PredType::NATIVE_DOUBLE;
    case column_type::text: return text_type(info.size);
    }
    throw std::logic_error("a column without a type");
}

H5::DataType file_type_of(const column_info& info) {
    switch (info.type) {
    case column_type::uint32: return H5::PredType::STD_U32LE;
    case column_type::int32: return H5::PredType::STD_I32LE;
    case column_type::uint64: return H5::PredType::STD_U64LE;
    case column_type::float64: return H5::PredType::IEEE_F64LE;
    case column_type::text: return text_type(info.size);
    }
    throw std::logic_error("a column without a type");
}

template <typename TypeOf>
H5::CompType row_type(const std::vector<column_info>& columns, TypeOf type_of) {
    std::size_t size = 0;
    for (const auto& info : columns) {
        size += info.size;
    }
    H5::CompType type(size);
    std::size_t offset = 0;
    for (const auto& info : columns) {
        type.insertMember(info.name, offset, type_of(info));
        offset += info.size;
    }
    return type;
}

const char* type_name(column_type type) {
    switch (type) {
    case column_type::uint32: return "uint32";
    case column_type::int32: return "int32";
    case column_type::uint64: return "uint64";
    case column_type::float64: return "float64";
    case column_type::text: return "UTF-8 text";
    }
    return "unknown";
}

std::string columns_as_json(const std::vector<column_info>& columns) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& info : columns) {
        list.push_back({{"name", info.name},
                        {"type", type_name(info.type)},
                        {"unit", info.unit},
                        {"description", info.description}});
    }
    return list.dump(1);
}

void make_groups_above(H5::H5File& file, const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const auto group = path.substr(0, slash);
        if (!file.nameExists(group)) {
            file.createGroup(group);
        }
    }
}

} // namespace

hdf5_table::hdf5_table(std::string file, std::string path, const std::vector<column_info>& columns)
    : file_(std::move(file))
    , path_(std::move(path))
    , memory_type_(row_type(columns, memory_type_of)) {
    row_bytes_ = memory_type_.getSize();
}

hdf5_table hdf5_table::create(hdf5_file& file, const std::string& path, const std::string& description,
                              const std::vector<column_info>& columns, table_options options) {
    return hdf5_guarded(file.path(), "create " + path, [&] {
        hdf5_table table(file.path(), path, columns);
        make_groups_above(file.handle(), path);
        const hsize_t empty = 0;
        const hsize_t unlimited = H5S_UNLIMITED;
        const hsize_t chunk_rows = std::max<hsize_t>(1, options.chunk_bytes / table.row_bytes_);
        table.chunk_bytes_ = chunk_rows * table.row_bytes_;
        H5::DSetCreatPropList properties;
        properties.setChunk(1, &chunk_rows);
        if (options.compress && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
            properties.setShuffle();
            properties.setDeflate(1);
        }
        H5Pset_attr_creation_order(properties.getId(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
        table.dataset_ = file.handle().createDataSet(path, row_type(columns, file_type_of),
                                                     H5::DataSpace(1, &empty, &unlimited), properties);
        add_text(table.dataset_, "description", description);
        add_text(table.dataset_, "columns", columns_as_json(columns));
        for (const auto& info : columns) {
            if (!info.unit.empty()) {
                add_text(table.dataset_, "unit:" + info.name, info.unit);
            }
            add_text(table.dataset_, "description:" + info.name, info.description);
        }
        return table;
    });
}

void hdf5_table::append(std::span<const std::byte> packed) {
    if (packed.empty()) {
        return;
    }
    hdf5_guarded(file_, "write " + path_, [&] {
        const hsize_t extent = rows_ + packed.size() / row_bytes_;
        dataset_.extend(&extent);
        write(rows_, packed);
        rows_ = extent;
    });
}

void hdf5_table::write(std::uint64_t first, std::span<const std::byte> packed) {
    if (packed.empty()) {
        return;
    }
    const hsize_t count = packed.size() / row_bytes_;
    const hsize_t start = first;
    auto selection = dataset_.getSpace();
    selection.selectHyperslab(H5S_SELECT_SET, &count, &start);
    dataset_.write(packed.data(), memory_type_, H5::DataSpace(1, &count), selection);
}

} // namespace gaisnet
