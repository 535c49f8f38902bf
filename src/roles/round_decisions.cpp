#include "roles/round_decisions.hpp"

namespace gaisnet {

void write_exchanges(byte_writer& out, const std::vector<decided_exchange>& exchanges) {
    out.put(static_cast<std::uint64_t>(exchanges.size()));
    for (const auto& one : exchanges) {
        out.put(one.average_of);
        out.put(one.route);
        out.put(one.shape.type);
        out.put(one.shape.shape);
    }
}

std::vector<decided_exchange> read_exchanges(byte_reader& in) {
    std::vector<decided_exchange> exchanges;
    for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
        decided_exchange one;
        one.average_of = in.get<int>();
        one.route = in.get<channel>();
        one.shape.type = in.get<element_type>();
        one.shape.shape = in.get_list<std::int64_t>();
        exchanges.push_back(std::move(one));
    }
    return exchanges;
}

void round_decisions::write(byte_writer& out) const {
    out.put(static_cast<std::uint64_t>(fates.size()));
    for (const auto& fate : fates) {
        out.put(fate.sits_out);
        out.put(fate.plays);
        out.put(fate.losses);
        out.put(fate.takeovers);
        out.put(fate.stops_before.has_value());
        out.put(fate.stops_before.value_or(0));
    }
    out.put(federates);
    out.put(averages);
    out.put(static_cast<std::uint64_t>(arrivals.size()));
    for (const auto& [route, times] : arrivals) {
        out.put(route);
        out.put(times);
    }
    out.put(static_cast<std::uint64_t>(closes.size()));
    for (const auto& [edge, time] : closes) {
        out.put(edge);
        out.put(time);
    }
    out.put(latency_s);
    write_exchanges(out, exchanges);
    out.put(static_cast<std::uint64_t>(turns.size()));
    for (const auto& turn : turns) {
        turn.write(out);
    }
}

round_decisions round_decisions::read(byte_reader& in) {
    round_decisions out;
    for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
        auto& fate = out.fates.emplace_back();
        fate.sits_out = in.get<bool>();
        fate.plays = in.get<bool>();
        fate.losses = in.get_list<client_loss>();
        fate.takeovers = in.get_list<takeover>();
        const bool stops = in.get<bool>();
        if (const auto before = in.get<std::int64_t>(); stops) {
            fate.stops_before = before;
        }
    }
    out.federates = in.get<bool>();
    out.averages = in.get_list<std::uint32_t>();
    for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
        const auto route = in.get<channel>();
        out.arrivals[route] = in.get_list<double>();
    }
    for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
        const auto edge = in.get<std::uint32_t>();
        out.closes[edge] = in.get<double>();
    }
    out.latency_s = in.get<double>();
    out.exchanges = read_exchanges(in);
    for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
        out.turns.push_back(read(in));
    }
    return out;
}

} // namespace gaisnet
