#include "commands.hpp"

#include "backbone.hpp"
#include "base/bytes.hpp"
#include "measure.hpp"
#include "metrics/inference_report.hpp"
#include "metrics/progress.hpp"
#include "model/torch_stage.hpp"
#include "results.hpp"
#include "roles/checkpoint.hpp"
#include "roles/describe.hpp"
#include "roles/inference_ledger.hpp"
#include "roles/inference_run.hpp"
#include "roles/slow_links.hpp"
#include "served_models.hpp"
#include "setup.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <optional>
#include <set>

namespace gaisnet {

namespace {

/// A text as a cell of a CSV file.
std::string cell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (const char letter : text) {
        quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
    }
    return quoted + "\"";
}

class inferring {
public:
    inferring(const command_line& given, session& here)
        : given_(with_tuning_of_modules(given))
        , here_(here)
        , run_(prepare(given_, here, true))
        , plan_(make_inference_plan(*run_.deploy, run_.data->own_requests())) {
        if (run_.scene->clock == clock_kind::real) {
            throw usage_error("clock = real is not built yet for infer; clock = virtual is accepted");
        }
    }

    exit_code run() {
        const auto backbone = load_backbone(*run_.scene, here_);
        measure(backbone);
        const auto models = load_served_models(run_, backbone, here_, !given_.dry_run);
        if (here_.root()) {
            const auto rank_of = here_.network().needs_order() ? run_.rank_of : std::vector<int>();
            played_ = inference_ledger(*run_.deploy, rank_of).play(plan_);
            check_memory(*run_.deploy, played_.nodes);
            warn_of_batteries();
            for (const auto& warning : slow_links(*run_.deploy).find(played_.events)) {
                spdlog::warn("{}", warning);
            }
        }
        if (given_.dry_run) {
            here_.network().barrier();
            if (here_.root()) {
                recorder::check_output(run_.scene->output, run_.scene->overwrite);
                fmt::print("{}{}", describe(run_), report(summary(models.from)));
            }
            return exit_code::ok;
        }
        open_output();
        play(backbone, models);
        if (here_.root()) {
            write();
            progress_.finish();
            fmt::print("{}", report(summary(models.from)));
            fmt::print("  {:<22}{}\n", "predictions", predictions_path(*run_.scene).string());
            std::fflush(stdout);
        }
        return exit_code::ok;
    }

private:
    void measure(const loaded_backbone& backbone) {
        if (run_.scene->computing != compute_model::measured) {
            return;
        }
        if (here_.devices().cuda) {
            throw usage_error(
                "compute = measured is not built yet for GPUs; device = cpu or compute = model is accepted");
        }
        here_.note("measuring stages");
        if (here_.root()) { // the others wait, so that they do not disturb
            speeds_ = measure_stages(*run_.deploy, backbone.backbone);
            use_speeds(*run_.deploy, speeds_);
        }
        here_.network().barrier();
    }

    void warn_of_batteries() const {
        std::size_t empty = 0;
        for (const auto& row : played_.nodes) {
            empty += row.battery_j <= 0.0 ? 1U : 0U;
        }
        if (empty > 0) {
            spdlog::warn("{} client(s) draw more than their battery holds; infer goes on as if they had mains", empty);
        }
    }

    void open_output() {
        if (!here_.root()) {
            return;
        }
        const auto& scene = *run_.scene;
        std::vector<stage_description> stages;
        for (const auto& one : speeds_) {
            stages.push_back({one.shape, one.forward_flop_s, one.backward_flop_s, one.step_flop_s});
        }
        std::size_t widest = 64;
        for (std::size_t c = 0; c < plan_.lines.size(); ++c) {
            const int cluster = static_cast<int>(c);
            for (const auto sample :
                 run_.data->request_samples(cluster, requester(cluster), plan_.requests_of(cluster))) {
                widest = std::max(widest, run_.data->describe_request(cluster, sample).first.size());
            }
        }
        recorder_.emplace(recorder::create(scene.output, header_of(given_, scene, here_),
                                           describe_nodes(*run_.deploy, run_.rank_of), describe_links(*run_.deploy),
                                           {scene.overwrite,
                                            scene.events,
                                            describe_ranks(here_.devices()),
                                            stages,
                                            {},
                                            std::min<std::size_t>(widest, 1024)}));
    }

    const std::string& requester(int cluster) const {
        return run_.deploy->net.nodes[run_.deploy->chains[static_cast<std::size_t>(cluster)].front().node].name;
    }

    void play(const loaded_backbone& backbone, const served_models& models) {
        byte_writer out;
        if (here_.root()) {
            played_.decisions.write(out);
        }
        auto bytes = out.take();
        here_.network().broadcast(bytes, 0);
        byte_reader in(bytes);
        const auto decisions = inference_decisions::read(in);
        if (here_.gpu()) {
            std::set<std::int64_t> sizes;
            for (const auto& of_cluster : decisions.batches) {
                for (const auto& batch : of_cluster) {
                    sizes.insert(batch.count);
                }
            }
            warm_up(*run_.deploy, backbone.backbone, sizes);
        }
        const auto start = std::chrono::steady_clock::now();
        std::uint64_t work = 0, done = 0;
        for (std::size_t c = 0; c < decisions.batches.size(); ++c) {
            for (const auto& seat : run_.deploy->chains[c]) {
                work += run_.rank_of[seat.node] == here_.rank() ? decisions.batches[c].size() : 0;
            }
        }
        const auto& scene = *run_.scene;
        tensor_run_hooks hooks;
        hooks.idle = session::check_interrupt;
        hooks.note = [this](std::uint32_t node, const char* what) {
            session::check_interrupt();
            here_.note(fmt::format("{} of {}", what, run_.deploy->net.nodes[node].name));
        };
        hooks.computed = [&] {
            if (here_.root()) {
                progress_.update(++done, work, "inference");
            }
        };
        inference_run tensors(
            *run_.deploy, here_.network(), run_.rank_of,
            [&](const stage_seat& seat) {
                std::shared_ptr<sample_source> source;
                if (seat.node == run_.deploy->chains[static_cast<std::size_t>(seat.cluster)].front().node) {
                    source =
                        run_.data->requests_of(seat.cluster, requester(seat.cluster), plan_.requests_of(seat.cluster));
                }
                return std::make_unique<torch_stage>(
                    seat.spec, backbone.backbone,
                    optimizer_settings{scene.train.optimizer, scene.train.momentum, scene.train.weight_decay},
                    std::move(source));
            },
            models.modules, std::move(hooks));
        tensors.play(plan_, decisions);
        wall_s_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        take_answers(tensors, models);
        carried_ = collect_counters(here_.network());
    }

    /// The predictions of all start points, at rank 0.
    void take_answers(const inference_run& tensors, const served_models& models) {
        const auto found = collect_answers(here_.network(), tensors);
        std::map<int, std::vector<std::size_t>> samples;
        for (auto& row : played_.requests) {
            const int cluster = static_cast<int>(row.cluster);
            auto& own = samples[cluster];
            if (own.empty()) {
                own = run_.data->request_samples(cluster, requester(cluster), plan_.requests_of(cluster));
            }
            std::tie(row.image, row.label) = run_.data->describe_request(cluster, own.at(row.request));
            const auto& given = found.at(cluster).at(row.request);
            row.predicted = models.classes[row.edge].at(given.predicted);
            row.probability = given.probability;
        }
    }

    void write() {
        std::vector<transport_row> moved;
        for (const auto& one : carried_) {
            moved.push_back({1, one.transport, one.messages, one.bytes});
        }
        recorder_->write_requests(played_.requests);
        recorder_->write_round({{}, played_.nodes, played_.events, moved});
        std::ofstream csv(predictions_path(*run_.scene));
        csv << "requester,request,image,label,predicted,probability,arrival_s,latency_s\n";
        for (const auto& row : played_.requests) {
            csv << fmt::format("{},{},{},{},{},{:.6f},{:.9g},{:.9g}\n", run_.deploy->net.nodes[row.client].name,
                               row.request, cell(row.image), cell(row.label), cell(row.predicted), row.probability,
                               row.arrival_s, row.latency_s);
        }
        csv.close();
        if (!csv) {
            throw runtime_failure(predictions_path(*run_.scene).string() + " cannot be written");
        }
        recorder_->finish(run_status::complete, "all requests are answered", false);
    }

    inference_summary summary(const std::string& from) const {
        inference_summary out;
        out.requests = played_.requests;
        out.resources = resources_of(played_.nodes, played_.events, describe_nodes(*run_.deploy, run_.rank_of));
        out.planned = given_.dry_run;
        out.wall_s = wall_s_;
        out.served_by = from;
        out.output = given_.dry_run ? "" : run_.scene->output;
        return out;
    }

    const command_line given_;
    session& here_;
    prepared_run run_;
    const inference_plan plan_;
    inference_forecast played_;        ///< Rank 0
    std::vector<stage_speed> speeds_;  ///< Rank 0: measured.
    std::optional<recorder> recorder_; ///< Rank 0
    std::vector<transport_counters> carried_;
    double wall_s_ = 0;
    progress progress_{given_.progress};
};

} // namespace

exit_code infer(const command_line& given, session& here) { return inferring(given, here).run(); }

} // namespace gaisnet
