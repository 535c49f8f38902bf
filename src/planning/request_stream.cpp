#include "planning/request_stream.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

constexpr double never_comes = std::numeric_limits<double>::infinity();
constexpr double part_of_a_request = 1e-6; // rounding, for requests that come just now

std::vector<double> poisson_arrivals(const scenario& scene, const std::string& start_point, double per_second) {
    std::vector<double> times;
    if (per_second > 0.0) {
        random_stream gaps(scene.seed, "service.request", start_point);
        double now = 0.0;
        for (std::int64_t request = 0; request < scene.serve.requests; ++request) {
            now -= std::log(1.0 - gaps.uniform()) / per_second;
            times.push_back(now);
        }
    }
    return times;
}

void check_traced_clients(const request_trace& trace, const std::vector<std::string>& start_points) {
    for (const auto& [client, times] : trace) {
        if (!client.empty() && std::find(start_points.begin(), start_points.end(), client) == start_points.end()) {
            throw usage_error("serve.trace: there is no start point " + client + "; names are like " +
                              start_points.front() + " and " + start_points.back());
        }
    }
}

} // namespace

double request_stream::time_of(std::int64_t request) const {
    const auto known = static_cast<std::int64_t>(known_s.size());
    if (request < known) {
        return known_s[static_cast<std::size_t>(request)];
    }
    return per_second > 0.0 ? since_s + static_cast<double>(request - known + 1) / per_second : never_comes;
}

std::int64_t request_stream::arrived(double now_s) const {
    const auto known = std::upper_bound(known_s.begin(), known_s.end(), now_s) - known_s.begin();
    if (known < static_cast<std::int64_t>(known_s.size()) || per_second <= 0.0 || now_s <= since_s) {
        return known;
    }
    return known + static_cast<std::int64_t>((now_s - since_s) * per_second + part_of_a_request);
}

std::int64_t request_stream::overdue(double now_s) const {
    if (std::isinf(deadline_s)) {
        return 0;
    }
    const auto known =
        std::partition_point(known_s.begin(), known_s.end(), [&](double time) { return time + deadline_s < now_s; }) -
        known_s.begin();
    const double expected = (now_s - deadline_s - since_s) * per_second; // less than this many and one are overdue
    if (known < static_cast<std::int64_t>(known_s.size()) || expected <= 0.0) {
        return known;
    }
    return known + std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(expected - part_of_a_request)) - 1);
}

void smoothed_rate::add(std::int64_t requests, double seconds) {
    if (seconds > 0.0) {
        requests_ = constant_ * static_cast<double>(requests) + (1.0 - constant_) * requests_;
        seconds_ = constant_ * seconds + (1.0 - constant_) * seconds_;
    }
}

std::vector<std::vector<double>> draw_service_arrivals(const scenario& scene,
                                                       const std::vector<std::string>& start_points) {
    const auto& serve = scene.serve;
    if (serve.arrivals == service_arrivals::trace) {
        check_traced_clients(*serve.trace, start_points);
    }
    std::vector<std::vector<double>> arrivals;
    for (int edge = 0; edge < scene.network.edges; ++edge) {
        const int clusters = clusters_of(scene, edge);
        for (int cluster = 0; cluster < clusters; ++cluster) {
            const auto& name = start_points.at(arrivals.size());
            auto& times = arrivals.emplace_back();
            if (serve.arrivals == service_arrivals::poisson) {
                times = poisson_arrivals(scene, name, serve.rate.at(static_cast<std::size_t>(edge)) / clusters);
            } else if (serve.arrivals == service_arrivals::burst) {
                times.assign(static_cast<std::size_t>(serve.requests), 0.0);
            } else if (serve.arrivals == service_arrivals::trace) {
                const auto own = serve.trace->find(serve.trace->contains("") ? "" : name);
                times = own == serve.trace->end() ? std::vector<double>() : own->second;
            }
        }
    }
    return arrivals;
}

} // namespace gaisnet
