#include "experiment/real_clock.hpp"
#include "transport/collectives.hpp"

#include "results/report.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>

namespace gaisnet {

std::unique_ptr<real_clock> real_clock::start(const scenario& scene, session& here) {
    if (scene.clock != clock_kind::real) {
        return nullptr;
    }
    const bool may_spin = here.cores_suffice(scene.runtime.threads);
    if (!may_spin && here.root()) {
        spdlog::warn("clock = real: there are more ranks than cores, so waits are not spun and end later");
    }
    return std::unique_ptr<real_clock>(new real_clock(scene, here, may_spin));
}

real_clock::real_clock(const scenario& scene, session& here, bool may_spin)
    : scene_(scene)
    , here_(here)
    , offset_(here.clock_offset())
    , timer_(scene.time_scale, may_spin) {}

void real_clock::begin_round() {
    constexpr std::chrono::milliseconds ahead(2); // so that the message arrives in time
    here_.network().barrier();
    const auto begin = share_from_root(here_.network(), pacer::clock::now() + ahead); // on rank 0's clock
    timer_.begin_round(begin - offset_);
}

std::vector<fidelity_row> real_clock::end_round(std::uint32_t round, double latency_s,
                                                const std::vector<lateness>& mine) {
    while (pacer::clock::now() < timer_.due(latency_s)) { // the edge's last computations take real time too
        session::check_interrupt();
        timer_.wait_until(timer_.due(latency_s), std::chrono::milliseconds(50));
    }
    std::vector<fidelity_row> rows;
    std::vector<double> of_round;
    for (const auto& its : collect_at_root(here_.network(), mine)) {
        for (const auto& one : its) {
            rows.push_back({round, one.route.from, one.route.to, name_of(one.route.kind), one.due_s, one.late_s,
                            one.upstream_s, one.own_compute_s, one.neighbour_s, one.timer_s});
            of_round.push_back(one.late_s);
        }
    }
    late_s_.insert(late_s_.end(), of_round.begin(), of_round.end());
    last_round_s_ = quantile(std::move(of_round), 0.99);
    return rows;
}

void real_clock::check_scale(const deployment& deploy, const std::vector<int>& rank_of, const round_forecast& round,
                             const std::vector<stage_speed>& speeds) const {
    const double least = smallest_time_scale(deploy, rank_of, round, speeds, scene_.fidelity_tolerance);
    constexpr double any = 1e-8; // within fidelity.tolerance all is computed at once
    spdlog::info("clock = real: this computer can keep {}, and it is {:g}",
                 least < any ? "any time_scale" : fmt::format("a time_scale of about {:.3g}", least),
                 scene_.time_scale);
    if (scene_.strict_fidelity && least > scene_.time_scale) {
        throw error(
            exit_code::fidelity,
            fmt::format("time_scale = {:g} cannot be kept: about {:.3g} or more is accepted, more ranks on more "
                        "cores, or strict_fidelity = off",
                        scene_.time_scale, least),
            true);
    }
}

std::string real_clock::complaint(int round) const {
    return fmt::format("real time was not kept: in round {} one message in a hundred was {} late or more, and "
                       "fidelity.tolerance = {}: a larger time_scale, fewer ranks a core, or strict_fidelity = off is "
                       "accepted",
                       round, quantity(last_round_s_, "s"), quantity(scene_.fidelity_tolerance, "s"));
}

} // namespace gaisnet
