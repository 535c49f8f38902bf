#include "results/results_reader.hpp"

#include "results/hdf5_file.hpp"

#include <filesystem>
#include <sstream>

#include <fcntl.h>

namespace gaisnet {

namespace {

std::size_t rows_of(const H5::H5File& file, const char* name) {
    if (!file.nameExists(name)) {
        return 0;
    }
    hsize_t rows = 0;
    file.openDataSet(name).getSpace().getSimpleExtentDims(&rows);
    return rows;
}

std::vector<watched_round> rounds_from(const H5::H5File& file, std::size_t first) {
    const auto table = file.openDataSet("/rounds");
    hsize_t rows = 0;
    auto space = table.getSpace();
    space.getSimpleExtentDims(&rows);
    if (rows <= first) {
        return {};
    }
    const auto stored = table.getCompType();
    H5::CompType wanted(sizeof(watched_round));
    const auto add = [&](const char* name, std::size_t offset, const H5::PredType& type) {
        stored.getMemberIndex(name); // throws where an older file lacks it
        wanted.insertMember(name, offset, type);
    };
    add("edge", HOFFSET(watched_round, edge), H5::PredType::NATIVE_UINT64);
    add("round", HOFFSET(watched_round, round), H5::PredType::NATIVE_UINT64);
    add("accuracy", HOFFSET(watched_round, accuracy), H5::PredType::NATIVE_DOUBLE);
    add("loss", HOFFSET(watched_round, loss), H5::PredType::NATIVE_DOUBLE);
    add("end_s", HOFFSET(watched_round, end_s), H5::PredType::NATIVE_DOUBLE);
    add("energy_j", HOFFSET(watched_round, energy_j), H5::PredType::NATIVE_DOUBLE);
    add("wall_s", HOFFSET(watched_round, wall_s), H5::PredType::NATIVE_DOUBLE);
    const hsize_t begin = first, count = rows - first;
    space.selectHyperslab(H5S_SELECT_SET, &count, &begin);
    std::vector<watched_round> out(count);
    table.read(out.data(), wanted, H5::DataSpace(1, &count), space);
    return out;
}

/// A file that is written can be opened as such only; one that its writer had not closed in no other way, too.
H5::H5File opened(const std::string& path) {
    capture_hdf5_errors();
    try {
        return {path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ};
    } catch (const H5::Exception&) {
        capture_hdf5_errors();
        try {
            return {path, H5F_ACC_RDONLY};
        } catch (const H5::Exception&) {
            throw_hdf5_failure(path, "be opened");
        }
    }
}

} // namespace

results_snapshot read_results(const std::string& path, std::size_t first_round) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) {
        throw usage_error("'" + path + "': there is no such file");
    }
    capture_hdf5_errors();
    bool is_hdf5 = false;
    try {
        is_hdf5 = H5::H5File::isHdf5(path);
    } catch (const H5::Exception&) {
        throw_hdf5_failure(path, "be read");
    }
    if (!is_hdf5) {
        throw usage_error("'" + path + "': is not an HDF5 file; a results file of gaisnet is accepted");
    }
    const auto file = opened(path);
    return hdf5_guarded(path, "be read", [&] {
        const auto root = file.openGroup("/");
        if (!root.attrExists("schema") || read_text(root, "schema") != "gaisnet") {
            throw usage_error("'" + path + "': is not a results file of gaisnet");
        }
        results_snapshot out;
        out.status = read_text(root, "status");
        out.stop_reason = read_text(root, "stop_reason");
        out.command = read_text(root, "command");
        out.identity = read_text(root, "identity");
        out.rounds = rounds_from(file, first_round);
        out.requests = rows_of(file, "/inference");
        out.services = rows_of(file, "/service");
        return out;
    });
}

bool has_writer(const std::string& path) {
    const file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return file.get() >= 0 && held_by_another(file);
}

std::string value_in(const std::string& identity, const std::string& key) {
    std::istringstream lines(identity);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key + " = ")) {
            return line.substr(key.size() + 3);
        }
    }
    return {};
}

} // namespace gaisnet
