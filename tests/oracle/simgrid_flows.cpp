// Ends of flows in shared media, computed by SimGrid (https://simgrid.org): an oracle for tests of emulated networks.
// It is a tool of its own, linked with SimGrid (LGPL) and with nothing of GaisNet; make_tables.py compiles and runs it.
//
//     simgrid_flows maxmin IN.csv     # set,capacity_bit_s,link,start_s,bytes,limit_bit_s
//     simgrid_flows airtime IN.csv    # set,link,rate_bit_s,start_s,bytes
//
// IN.csv has a header line with these columns; lines that begin with # are skipped. The rows of one `set` share one
// medium, and the media are independent of one another. The rows of one (set, link) belong to one sender: they queue
// in the order of start_s (rows with the same start: in the order of the file) and are never sent two at once; a flow
// begins when the flow before it has ended and its own start has come. Printed are the columns of the input and
// begin_s,end_s, with 12 significant digits and in the order of the input.
//
// maxmin: the medium is a link of capacity_bit_s, shared max-min fairly. A flow is also limited to limit_bit_s: its
//     route begins with a link of this bandwidth that no other flow uses. (Comm::set_rate is no way to limit it:
//     SimGrid 3.32 ignores the rate of a communication without a mailbox.)
// airtime: the medium is a Wi-Fi zone whose access point is the receiving host, so that there is no wired link that
//     could be a bottleneck. A sender is a station with its own physical rate: one level of the Wi-Fi link, which is
//     made with all rates of the set as its levels. The sum of throughput / rate is at most 1, and all stations that
//     send have equal throughput (the performance anomaly of 802.11).
//
// Configuration of SimGrid, set in main(): model CM02 without TCP windows, and without the 5 % that cross-traffic would
// take for acknowledgements. Latencies are 0, as links have it unless told otherwise, and the factors of CM02 for
// bandwidth and latency are 1. SimGrid's reduction of a Wi-Fi link for many stations is off unless it is asked for.
//
// Precisions: surf/precision (in seconds) is the distance below which two events are one. It is far below the length of
// the shortest flow (1e-5 s) and above the rounding of the clock (3e-14 s at 200 s). maxmin/precision is the tolerance
// of the solver. The tables would be the same with the defaults (1e-9 and 1e-5), but not with a surf/precision of 1e-5.

#include <simgrid/s4u.hpp>
#include <xbt/log.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace sg = simgrid::s4u;

struct flow {
    std::string row; // as read
    double start = 0.0;
    std::uint64_t bytes = 0;
    double limit = 0.0;       // byte/s; maxmin only
    sg::Host* from = nullptr; // where it is sent from
    double begin = 0.0;
    double end = 0.0;
};

/// The flows of one (set, link), in the order in which they are sent.
struct sender {
    double rate = 0.0; // byte/s of the station; airtime only
    std::vector<flow*> queue;
};

struct medium {
    double capacity = 0.0; // byte/s; maxmin only
    std::map<std::string, sender> senders;
};

const std::string maxmin_columns = "set,capacity_bit_s,link,start_s,bytes,limit_bit_s";
const std::string airtime_columns = "set,link,rate_bit_s,start_s,bytes";

double number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') {
        throw std::runtime_error("not a number: '" + text + "'");
    }
    return value;
}

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');) {
        fields.push_back(field);
    }
    return fields;
}

/// All rows of the file by column name, and the rows as they are.
std::vector<std::pair<std::string, std::map<std::string, std::string>>> read(const std::string& path,
                                                                             const std::string& columns) {
    std::ifstream file(path);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    const auto names = split(columns);
    std::vector<std::pair<std::string, std::map<std::string, std::string>>> rows;
    bool header = true;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (header) {
            if (line != columns) {
                throw std::runtime_error("expected the columns " + columns + ", found " + line);
            }
            header = false;
            continue;
        }
        const auto fields = split(line);
        if (fields.size() != names.size()) {
            throw std::runtime_error("not as many fields as columns: " + line);
        }
        auto& row = rows.emplace_back(line, std::map<std::string, std::string>{}).second;
        for (std::size_t i = 0; i < names.size(); ++i) {
            row[names[i]] = fields[i];
        }
    }
    return rows;
}

/// Sends the flows of one sender one after another.
void send(const std::vector<flow*>& queue, sg::Host* to) {
    for (flow* next : queue) {
        sg::this_actor::sleep_until(next->start);
        next->begin = sg::Engine::get_clock();
        sg::Comm::sendto(next->from, to, next->bytes);
        next->end = sg::Engine::get_clock();
    }
}

/// A host for every flow, whose route to the receiving host is a link of its own and then the shared link.
void build_maxmin(const std::string& name, const medium& set, sg::NetZone* root) {
    auto* zone = sg::create_full_zone("zone" + name)->set_parent(root);
    auto* to = zone->create_host("to" + name, 1.0);
    const sg::LinkInRoute shared(zone->create_link("link" + name, set.capacity)->seal());
    int number = 0;
    for (const auto& [id, one] : set.senders) {
        for (flow* next : one.queue) {
            const auto suffix = name + "." + std::to_string(number++);
            next->from = zone->create_host("from" + suffix, 1.0);
            const sg::LinkInRoute own(zone->create_link("limit" + suffix, next->limit)->seal());
            zone->add_route(next->from->get_netpoint(), to->get_netpoint(), nullptr, nullptr, {own, shared}, false);
        }
        sg::Actor::create("sender" + name + "." + id, to, send, one.queue, to);
    }
    zone->seal();
}

/// A Wi-Fi zone with a station for every sender. Levels of the link: the distinct rates of the stations.
void build_airtime(const std::string& name, const medium& set, sg::NetZone* root) {
    std::vector<double> levels;
    for (const auto& [id, one] : set.senders) {
        if (std::find(levels.begin(), levels.end(), one.rate) == levels.end()) {
            levels.push_back(one.rate);
        }
    }
    auto* zone = sg::create_wifi_zone("zone" + name)->set_parent(root);
    auto* access_point = zone->create_host("access_point" + name, 1.0);
    zone->set_property("access_point", access_point->get_name());
    const auto* link = zone->create_link("link" + name, levels)->seal();
    for (const auto& [id, one] : set.senders) {
        auto* station = zone->create_host("station" + name + "." + id, 1.0);
        const auto level = std::find(levels.begin(), levels.end(), one.rate) - levels.begin();
        link->set_host_wifi_rate(station, static_cast<int>(level));
        for (flow* next : one.queue) {
            next->from = station;
        }
        sg::Actor::create("sender" + name + "." + id, station, send, one.queue, access_point);
    }
    zone->seal();
}

void run(sg::Engine& engine, bool airtime, const std::string& path) {
    const auto& columns = airtime ? airtime_columns : maxmin_columns;
    auto rows = read(path, columns);
    std::vector<flow> flows(rows.size());
    std::map<std::string, medium> media;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto& [line, fields] = rows[i];
        auto& set = media[fields["set"]];
        auto& one = set.senders[fields["link"]];
        flows[i].row = line;
        flows[i].start = number(fields["start_s"]);
        flows[i].bytes = static_cast<std::uint64_t>(number(fields["bytes"]));
        if (airtime) {
            one.rate = number(fields["rate_bit_s"]) / 8.0;
        } else {
            set.capacity = number(fields["capacity_bit_s"]) / 8.0;
            flows[i].limit = number(fields["limit_bit_s"]) / 8.0;
        }
        one.queue.push_back(&flows[i]);
    }

    auto* root = sg::create_full_zone("root");
    for (auto& [name, set] : media) {
        for (auto& [id, one] : set.senders) {
            std::stable_sort(one.queue.begin(), one.queue.end(),
                             [](const flow* a, const flow* b) { return a->start < b->start; });
        }
        airtime ? build_airtime(name, set, root) : build_maxmin(name, set, root);
    }
    root->seal();
    engine.run();

    std::printf("%s,begin_s,end_s\n", columns.c_str());
    for (const auto& one : flows) {
        std::printf("%s,%.12g,%.12g\n", one.row.c_str(), one.begin, one.end);
    }
}

} // namespace

int main(int argc, char** argv) {
    xbt_log_control_set("root.thresh:warning");
    sg::Engine engine(&argc, argv);
    const std::string mode = argc == 3 ? argv[1] : "";
    if (mode != "maxmin" && mode != "airtime") {
        std::cerr << "usage: simgrid_flows maxmin|airtime IN.csv\n";
        return 2;
    }
    sg::Engine::set_config("network/model:CM02");
    sg::Engine::set_config("network/TCP-gamma:0");
    sg::Engine::set_config("network/crosstraffic:0");
    sg::Engine::set_config("surf/precision:1e-12");
    sg::Engine::set_config("maxmin/precision:1e-12");
    sg::Engine::set_config("contexts/stack-size:64"); // KiB; there are thousands of senders
    try {
        run(engine, mode == "airtime", argv[2]);
    } catch (const std::exception& error) {
        std::cerr << "simgrid_flows: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
