#pragma once

// A results file with numbers that are known, and how a foreign reader sees it.

#include "base/error.hpp"
#include "results/hdf5_file.hpp"
#include "results/recorder.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace gaisnet::recording {

inline std::vector<node_description> two_nodes() {
    node_description edge;
    edge.name = "edge0";
    edge.role = node_role::edge;
    edge.edge = 0;
    edge.rate_flop_s = 1e12;
    node_description client;
    client.name = "c0.0";
    client.role = node_role::client;
    client.edge = client.cluster = client.position = 0;
    client.samples = 40;
    return {edge, client};
}

inline std::vector<link_description> one_link() {
    return {{1, 0, link_class::cs_up, 5e7, 0.002, 2e7, 0.2, 0.0, 0.01, 120.0, 90.5, 300.0, false, "equal"}};
}

inline run_header header() {
    run_header result;
    result.software_version = "1.2.3";
    result.git_version = "abc";
    result.libraries = {{"HDF5", "1.10"}, {"MPI", "4.1"}};
    result.config =
        "[train]\nrounds = 3\n" + std::string(200000, '#'); // Larger than an attribute of fixed size may be.
    result.identity = "identity-1";
    result.seed = 18446744073709551615ULL;
    result.clock = "virtual";
    result.command = "gaisnet finetune";
    return result;
}

/// A round whose numbers all differ and follow from the round's number.
struct sample_round {
    explicit sample_round(std::uint32_t number) {
        round_row row;
        row.round = number;
        row.accuracy = 0.5 + 0.1 * number;
        row.latency_s = 10.0 + number;
        row.bytes = {0, 100U * number, 200U * number, 300U * number, 400U * number};
        row.airtime_hz_s = {0, 1.5 * number, 2.5 * number, 3.5 * number, 4.5 * number};
        rounds.push_back(row);
        for (std::uint32_t node = 0; node < 2; ++node) {
            node_row work;
            work.node = node;
            work.round = number;
            work.busy_s = 0.25 * number;
            work.sense_j = 1;
            work.compute_j = 2;
            work.transmit_j = 4;
            work.receive_j = 8;
            work.idle_j = 16;
            work.samples = 40;
            work.total_bytes = 1000 + node;
            nodes.push_back(work);
        }
        events.push_back({1, 1, event_kind::forward, link_class::none, number, 0.0, 0.5, 0.5, 1e9, 0, 3.0, 0.0});
        events.push_back(
            {1, 0, event_kind::send_modules_up, link_class::cs_up, number, 0.5, 0.75, 0.752, 0, 384000, 0.5, 5e6});
        events.push_back(
            {1, 0, event_kind::send_modules_up, link_class::cs_up, number, 1.5, 2.0, 2.002, 0, 1000, 0.25, 1e6});
        transports.push_back({number, "loopback", 3, 4096});
    }
    round_data data() const { return {rounds, nodes, events, transports}; }

    std::vector<round_row> rounds;
    std::vector<node_row> nodes;
    std::vector<event_row> events;
    std::vector<transport_row> transports;
};

/// A file name of its own for every test; the directory goes with it.
class recorder_test : public in_temporary_folder {
protected:
    std::string file(const std::string& name = "run.h5") const { return (directory_ / name).string(); }

    std::filesystem::path directory_ = temporary;
};

inline recorder make(const std::string& path, recorder_options options = {}) {
    const auto nodes = two_nodes();
    const auto links = one_link();
    if (options.ranks.empty()) {
        options.ranks = {{0, "n1", "0-3", "H100", 0, "GPU-1", "nccl"}, {1, "n2", "4-7", "H100", 1, "GPU-2", "nccl"}};
    }
    return recorder::create(path, header(), nodes, links, options);
}

/// Reads one column by its name, as a foreign reader would; the writer's own code is not involved.
template <typename T>
std::vector<T> column_of(const std::string& path, const std::string& table, const std::string& name,
                         const H5::DataType& type) {
    const H5::H5File file(path, H5F_ACC_RDONLY);
    const auto dataset = file.openDataSet(table);
    hsize_t rows = 0;
    dataset.getSpace().getSimpleExtentDims(&rows);
    H5::CompType member(sizeof(T));
    member.insertMember(name, 0, type);
    std::vector<T> values(rows);
    dataset.read(values.data(), member);
    return values;
}
inline std::vector<double> reals(const std::string& path, const std::string& table, const std::string& name) {
    return column_of<double>(path, table, name, H5::PredType::NATIVE_DOUBLE);
}
inline std::vector<std::uint64_t> integers(const std::string& path, const std::string& table, const std::string& name) {
    return column_of<std::uint64_t>(path, table, name, H5::PredType::NATIVE_UINT64);
}
inline std::vector<std::string> texts(const std::string& path, const std::string& table, const std::string& name) {
    using cell = std::array<char, 64>;
    H5::StrType type(H5::PredType::C_S1, sizeof(cell));
    type.setCset(H5T_CSET_UTF8);
    std::vector<std::string> result;
    for (const auto& value : column_of<cell>(path, table, name, type)) {
        result.emplace_back(value.data());
    }
    return result;
}
inline std::string root_text(const std::string& path, const std::string& name) {
    const H5::H5File file(path, H5F_ACC_RDONLY);
    return read_text(file.openGroup("/"), name);
}

/// The message of the usage_error that `action` must throw.
inline std::string usage_message(const std::function<void()>& action) {
    try {
        action();
    } catch (const usage_error& failure) {
        return failure.what();
    }
    ADD_FAILURE() << "no usage_error was thrown";
    return {};
}

/// Runs `action` in a child that ends through exit(), so that a library that crashes at exit is seen.
inline int status_of_child(const std::function<int()>& action) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 99;
        try {
            code = action();
        } catch (const std::exception& failure) {
            std::fprintf(stderr, "child: %s\n", failure.what());
        }
        std::exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

} // namespace gaisnet::recording
