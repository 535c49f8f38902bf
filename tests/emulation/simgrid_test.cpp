// Shared media against tables that SimGrid made (tests/oracle).

#include "emulation/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {
namespace {

/// Rows of a golden table by set; columns by name.
std::map<int, std::vector<std::map<std::string, double>>> read_table(const std::string& name) {
    std::ifstream in(GAISNET_ORACLE "/" + name);
    std::map<int, std::vector<std::map<std::string, double>>> sets;
    std::vector<std::string> header;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::vector<std::string> cells;
        std::stringstream text(line);
        for (std::string cell; std::getline(text, cell, ',');) {
            cells.push_back(cell);
        }
        if (header.empty()) {
            header = cells;
            continue;
        }
        std::map<std::string, double> row;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            row[header[i]] = std::stod(cells[i]);
        }
        sets[static_cast<int>(row.at("set"))].push_back(row);
    }
    return sets;
}

/// A sender of the tables: its flows queue, and each has a rate limit of its own.
class source final : public sender {
public:
    source(event_queue& queue, medium& shared, std::uint32_t index)
        : sender(index, index)
        , queue_(queue)
        , medium_(shared) {}
    void expect(double ready, double bits, double limit) {
        flows_.push_back({bits, std::make_unique<constant_rate>(limit), 0, 0});
        queue_.schedule(ready, index(),
                        {[](void* self, std::uint64_t) {
                             auto& here = *static_cast<source*>(self);
                             ++here.ready_;
                             here.go_on();
                         },
                         this, 0});
    }
    const rate_model& rate() const override { return *flows_[ended_].limit; }
    void sent(const airtime_report&) override {
        flows_[ended_++].end = queue_.now();
        busy_ = false;
        go_on();
    }
    double begin(std::size_t number) const { return flows_[number].begin; }
    double end(std::size_t number) const { return flows_[number].end; }

private:
    struct flow {
        double bits;
        std::unique_ptr<rate_model> limit;
        double begin, end;
    };
    void go_on() {
        if (!busy_ && ended_ < ready_) {
            busy_ = true;
            flows_[ended_].begin = queue_.now();
            medium_.start(*this, flows_[ended_].bits);
        }
    }
    event_queue& queue_;
    medium& medium_;
    std::vector<flow> flows_;
    std::size_t ready_ = 0, ended_ = 0;
    bool busy_ = false;
};

/// Plays a set of a table. \returns the largest relative difference from when SimGrid's flows began and ended.
double difference_from_simgrid(share_kind share, std::vector<std::map<std::string, double>> rows) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.at("start_s") < b.at("start_s"); });
    const bool maxmin = share == share_kind::maxmin;
    event_queue queue;
    shared_medium shared(queue, share, maxmin ? rows.front().at("capacity_bit_s") : never);
    std::map<double, std::unique_ptr<source>> senders;
    std::vector<std::pair<source*, std::size_t>> place;
    std::map<source*, std::size_t> flows;
    for (const auto& row : rows) {
        auto& one = senders[row.at("link")];
        if (!one) {
            one = std::make_unique<source>(queue, shared, static_cast<std::uint32_t>(row.at("link")));
        }
        one->expect(row.at("start_s"), row.at("bytes") * 8, row.at(maxmin ? "limit_bit_s" : "rate_bit_s"));
        place.emplace_back(one.get(), flows[one.get()]++);
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    double largest = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto [who, flow] = place[i];
        largest = std::max(largest, std::abs(who->begin(flow) - rows[i].at("begin_s")) / rows[i].at("end_s"));
        largest = std::max(largest, std::abs(who->end(flow) / rows[i].at("end_s") - 1.0));
    }
    return largest;
}

void compare_table(share_kind share, const char* name, std::size_t least_sets) {
    const auto sets = read_table(name);
    EXPECT_GE(sets.size(), least_sets);
    double largest = 0;
    for (const auto& [number, rows] : sets) {
        const double here = difference_from_simgrid(share, rows);
        largest = std::max(largest, here);
        EXPECT_LT(here, 1e-6) << "set " << number;
    }
    testing::Test::RecordProperty("largest_difference", std::to_string(largest));
    std::printf("%s: largest relative difference from SimGrid %.2g\n", name, largest);
}

TEST(simgrid, max_min_fair_sharing_is_that_of_its_tables) { compare_table(share_kind::maxmin, "maxmin.csv", 1000); }
TEST(simgrid, airtime_sharing_is_that_of_its_wifi_zone) { compare_table(share_kind::airtime, "airtime.csv", 300); }

} // namespace
} // namespace gaisnet
