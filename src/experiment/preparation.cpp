#include "experiment/preparation.hpp"
#include "transport/collectives.hpp"

#include "base/version.hpp"
#include "experiment/output_paths.hpp"
#include "experiment/planned_way.hpp"
#include "experiment/served_models.hpp"
#include "experiment/text_lengths.hpp"
#include "model/torch/torch_support.hpp"
#include "network/clustering.hpp"
#include "network/interference.hpp"
#include "planning/edge_share.hpp"
#include "planning/plan_report.hpp"
#include "results/report.hpp"
#include "roles/fusion.hpp"
#include "rounds/describe.hpp"
#include "scenario/scenario.hpp"
#include "settings/key.hpp"
#include "settings/value_reader.hpp"

#include <H5public.h>
#include <boost/version.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>
#include <set>
#include <sstream>
#include <string_view>

namespace gaisnet {

namespace {

/// A dry run may happen on a computer where no job would run, so it only reports what it finds.
void take_devices(const scenario& scene, bool dry_run, session& here) {
    const auto& compute = scene.compute;
    try {
        const auto& plan = here.find_devices(compute.device, compute.nccl_share_gpu);
        if (compute.precision == compute_precision::tf32 && !plan.cuda) {
            throw usage_error("precision = tf32: device = auto found no GPU; fp32 and bf16 are accepted on CPUs");
        }
    } catch (const usage_error& problem) {
        if (!dry_run) {
            throw;
        }
        if (here.root()) {
            spdlog::warn("{}", problem.what());
        }
    }
    if (dry_run) {
        return;
    }
    here.open_devices();
    if (here.root()) {
        for (const auto& warning : here.devices().warnings) {
            spdlog::warn("{}", warning);
        }
        std::istringstream lines(describe_devices(here.devices()));
        for (std::string line; std::getline(lines, line);) {
            spdlog::log(here.devices().cuda ? spdlog::level::info : spdlog::level::debug, "{}", line);
        }
    }
}

/// Groups of clusters may be fewer than ranks, which would have found clusters without them.
void tell_cut_chains(const placement_request& wanted, const std::string& placement) {
    const auto groups = std::set<int>(wanted.groups.begin(), wanted.groups.end()).size();
    const auto ranks = static_cast<std::size_t>(wanted.ranks);
    if (placement == "auto" && ranks > groups && ranks <= wanted.net.clusters.size()) {
        spdlog::warn(
            "{} ranks are more than the {} groups of clusters that compute together, so chains are cut over ranks; "
            "runtime.fuse = off gives each rank whole clusters",
            ranks, groups);
    }
}

void tell_error_of_range(const scenario& scene, const topology& net) {
    const auto error = error_of_range(scene, net);
    if (!error) {
        return;
    }
    constexpr double much = 0.01, percent = 100.0;
    const auto some = error->looked_at == error->links ? std::to_string(error->links)
                                                       : fmt::format("{} of {}", error->looked_at, error->links);
    const auto text =
        fmt::format("rates are at most {:.2g} % too high while all nodes send, and {:.2g} % whatever sends",
                    percent * error->all_send, percent * error->bound);
    spdlog::log(error->all_send > much ? spdlog::level::warn : spdlog::level::info,
                "link.d2d.interference_range = {}: {} (at the first positions and fading, {} links looked at)",
                quantity(scene.link.d2d.interference_range_m, "m"), text, some);
}

void tell_edge_shares(const edge_share_choice& choice) {
    std::map<int, int> clusters; // indexed by number of blocks
    for (const auto& edge : choice.formed) {
        for (const auto& group : edge) {
            ++clusters[group.edge_blocks];
        }
    }
    std::string text;
    for (const auto& [blocks, count] : clusters) {
        text +=
            fmt::format("{}{} cluster(s) {}", text.empty() ? "" : ", ", count,
                        blocks == 0 ? std::string("without the edge") : fmt::format("with {} block(s) at it", blocks));
    }
    spdlog::info("cluster.edge_stage = auto: {}", text);
    if (!choice.lacking.empty()) {
        spdlog::warn(
            "cluster.edge_stage = auto: with all blocks at the edge, {} cluster(s) still lack memory or miss the "
            "deadline, {} among them",
            choice.lacking.size(), choice.lacking.front());
    }
}

/// Without what belongs to `plan` alone: a config file may be for several commands.
settings values_of_command(const configuration& given) {
    auto out = given.values;
    for (const auto& key : all_keys()) {
        if (given.command != "plan" && !given.of_plan && (key.commands & ~commands::planning) == 0) {
            out.at(key.name) = {key.initial, "default"};
        }
    }
    return out;
}

std::string outcome_text(const chosen_plan& plan) {
    return fmt::format("latency {} instead of {}{}", quantity(plan.planned.latency_s, "s"),
                       quantity(plan.given.latency_s, "s"),
                       plan.left_out.empty() ? std::string()
                                             : fmt::format(", without a part {}{}", plan.left_out.front(),
                                                           plan.left_out.size() > 1
                                                               ? fmt::format(" and {} more", plan.left_out.size() - 1)
                                                               : std::string()));
}

} // namespace

std::string numbers_text(const std::vector<double>& numbers) { return fmt::format("{}", fmt::join(numbers, ",")); }

void prepared_run::use_clusters(const formed_clusters& formed) {
    scene->cluster.formed = formed;
    data->use_clusters(formed);
}

client_data data_of_clients(const scenario& scene, const workload& data) {
    client_data out;
    const auto& shares = data.shares();
    if (scene.service == service_kind::inference) {
        const auto images = data.requests().own();
        out.images = std::accumulate(images.begin(), images.end(), std::int64_t{0});
    }
    int first = 0;
    const auto everybody = make_population(scene, override_index(scene.network.overrides));
    for (std::size_t edge = 0; edge < static_cast<std::size_t>(scene.network.edges); ++edge) {
        if (scene.data.held_by == data_holders::clients) {
            out.samples.push_back(shares.samples_of_clients(edge));
            auto& quality = out.quality.emplace_back();
            auto& classes = out.classes.emplace_back();
            for (std::size_t client = 0; client < everybody.clients[edge].size(); ++client) {
                const auto its = shares.quality_of(everybody.clients[edge][client].name);
                quality.push_back((1.0 - its.label_noise) * (1.0 - its.token_noise) /
                                  ((1.0 + its.blur) * (1.0 + its.noise)));
                classes.push_back(shares.class_counts_of_client(edge, client));
            }
            out.wanted.push_back(shares.wanted_classes(edge));
            continue;
        }
        const auto counts = shares.samples();
        const int last = first + clusters_of(scene, static_cast<int>(edge));
        out.samples.emplace_back(counts.begin() + first, counts.begin() + last);
        first = last;
    }
    return out;
}

prepared_run prepare(const configuration& given, session& here, bool check_images) {
    prepared_run out;
    const bool serves = service_of(given) == service_kind::inference;
    auto made = std::make_unique<scenario>(read_scenario(values_of_command(given), service_of(given)));
    auto& chosen = *made;
    if (given.command == "serve") {
        chosen.train.rounds = chosen.serve.rounds; // per edge has as many at most: the learning rate decays over them
    }
    out.scene = std::move(made);
    const auto& scene = *out.scene;
    check_outputs(given, scene);
    auto method = make_tuning_method(scene);
    check_text_lengths(scene, *method, !serves, serves || given.command == "serve");
    chosen.cluster.formed = form_clusters(scene);
    const bool planned = wants_plan(scene);
    const auto place = [&] {
        const auto net = make_network(scene, method);
        for (const auto& warning : here.root() ? net.warnings : std::vector<std::string>()) {
            spdlog::warn("{}", warning);
        }
        if (here.root()) {
            tell_error_of_range(scene, net);
        }
        out.ranks = given.dry_run && scene.job.ranks > 0 ? scene.job.ranks : here.ranks();
        const auto wanted = placement_of(scene, net, make_model(scene), method, out.ranks);
        out.rank_of = place_nodes(wanted, scene.placement);
        if (here.root()) {
            tell_cut_chains(wanted, scene.placement);
        }
        std::string mine;
        for (std::size_t node = 0; node < out.rank_of.size(); ++node) {
            if (out.rank_of[node] == here.rank() && mine.size() < 100) {
                mine += (mine.empty() ? "" : " ") + net.nodes[node].name;
            }
        }
        here.watch(mine, scene.runtime.silence);
    };
    if (!planned) {
        place(); // before the data, because ranks and cuts are cheap to check
    }
    if (given.command == "finetune" || given.command == "serve" || given.command == "infer") {
        take_devices(scene, given.dry_run, here);
    }
    out.data = std::make_unique<workload>(scene, here, check_images);
    auto sizes = out.data->sizes();
    if (!serves && whole_model(make_model(scene), method, sizes.front().classes).tunables().empty()) {
        throw usage_error("tuning.method = " + scene.tuning.method +
                          ": nothing is tuned where next tokens are told; another method is accepted");
    }
    if (serves && !scene.model.tells_next_tokens()) {
        const auto classes = served_classes(scene, *out.data);
        for (std::size_t edge = 0; edge < sizes.size(); ++edge) {
            sizes[edge].classes = static_cast<std::int64_t>(classes[edge].size());
        }
    }
    if (planned) {
        here.note("planning");
        std::string lacking;
        const auto plan_it = [&] {
            const auto data = data_of_clients(scene, *out.data);
            if (const auto& metrics = scene.plan.pareto; !metrics.empty()) {
                out.front = front_of(scene, method, sizes, data, metrics.at(0), metrics.at(1));
            }
            out.plan = make_plan(scene, method, sizes, data);
            apply(*out.plan, chosen);
            if (given.command == "plan") { // which prints it
                spdlog::info("planned for {} in {:.2f} s: {}", out.plan->objective.text, out.plan->seconds,
                             outcome_text(*out.plan));
            }
        };
        if (here.root()) {
            try {
                plan_it();
            } catch (const does_not_fit& problem) { // thrown again on every rank
                lacking = problem.what();
            }
        }
        const auto way = share_from_root(here.network(), planned_way::of(scene, lacking));
        if (!way.lacking.empty()) {
            throw does_not_fit(way.lacking);
        }
        way.apply_to(chosen);
        if (scene.plan.optimise.tuning) {
            method = make_tuning_method(scene);
        }
        chosen.cluster.planned = true;
        chosen.cluster.formed = share_from_root(here.network(), scene.cluster.formed);
        out.data->use_clusters(scene.cluster.formed);
        place();
    }
    const auto deploy = [&](const scenario& some) {
        return make_deployment(some, method, sizes, out.data->shares().samples());
    };
    if (scene.cluster.edge_when_needed) {
        here.note("choosing the edge's stages");
        const auto choice = choose_edge_shares(scene, deploy);
        chosen.cluster.formed = choice.formed;
        if (here.root()) {
            tell_edge_shares(choice);
        }
    }
    out.deploy = std::make_unique<deployment>(deploy(scene));
    check_merging(*out.deploy, out.rank_of);
    if (out.plan && given.command != "plan") {
        spdlog::info("planned\n{}", plan_text(*out.plan, *out.deploy));
    }
    return out;
}

std::vector<samples_description> describe_samples(const prepared_run& run) {
    std::vector<samples_description> all;
    for (const auto& group : run.deploy->net.clusters) {
        const auto& start_point = run.deploy->net.nodes[group.clients.front()];
        for (auto& row : run.data->describe(start_point.cluster, start_point.name)) {
            row.since_round = static_cast<std::uint32_t>(run.deploy->first_round);
            all.push_back(std::move(row));
        }
    }
    return all;
}

void check_memory(const deployment& deploy, std::span<const node_row> rows) {
    std::size_t count = 0;
    std::string worst;
    double largest = 1.0;
    for (const auto& row : rows) {
        const auto& who = deploy.net.nodes[row.node];
        const double share = static_cast<double>(row.total_bytes) / static_cast<double>(who.device.memory_bytes);
        if (share <= 1.0) {
            continue;
        }
        ++count;
        if (share > largest) {
            largest = share;
            worst = fmt::format("{} needs {} and has {}", who.name, quantity(static_cast<double>(row.total_bytes), "B"),
                                quantity(static_cast<double>(who.device.memory_bytes), "B"));
        }
    }
    if (count > 0) {
        const bool serves = deploy.scene->service == service_kind::inference;
        throw does_not_fit(fmt::format(
            "a stage does not fit: {}{}: another split, a smaller {}, or more device.*.memory "
            "is accepted",
            worst, count > 1 ? fmt::format(", and so do {} more node(s)", count - 1) : "",
            !serves                                   ? "train.batch, train.schedule = 1f1b"
            : deploy.scene->model.tells_next_tokens() ? "infer.in_flight or infer.generate (keys and values)"
                                                      : "infer.batch"));
    }
}

std::vector<rank_description> describe_ranks(const device_plan& plan) {
    std::vector<rank_description> rows;
    for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
        const auto& device = plan.ranks[rank];
        const bool nccl = std::binary_search(plan.nccl.begin(), plan.nccl.end(), static_cast<int>(rank));
        rows.push_back({static_cast<std::uint32_t>(rank), device.host, device.cores,
                        device.index < 0 ? "CPU" : device.gpu.name, device.index, device.gpu.uuid,
                        nccl ? "nccl" : (plan.ranks.size() > 1 ? "mpi" : "loopback")});
    }
    return rows;
}

std::map<std::string, std::string> library_versions(const session& here) {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    auto all = accelerator_libraries();
    all.merge(std::map<std::string, std::string>{
        {"LibTorch", torch_version()},
        {"MPI", here.mpi_version()},
        {"HDF5", fmt::format("{}.{}.{}", major, minor, release)},
        {"Boost", BOOST_LIB_VERSION},
        {"fmt", std::to_string(FMT_VERSION)},
        {"spdlog", fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)}});
    return all;
}

run_header header_of(const configuration& given, const scenario& scene, const session& here) {
    run_header header;
    header.software_version = software_version;
    header.git_version = git_version;
    header.libraries = library_versions(here);
    header.config = print_config(given.values);
    header.identity = identity(given.values, given.command) + hashes_of_files(given.values);
    header.seed = scene.seed;
    header.clock = "virtual";
    header.command = given.command;
    return header;
}

std::string describe(const prepared_run& run) {
    const auto& net = run.deploy->net;
    std::string text =
        fmt::format("{} nodes, {} clusters, {} rank(s)\n", net.nodes.size(), net.clusters.size(), run.ranks);
    text += fmt::format("{:<14} {:>5} {:>8} {:>10} {:>14} {:>12}  {}\n", "node", "rank", "samples", "blocks", "compute",
                        "memory", "holds");
    constexpr std::size_t most = 60;
    const auto nodes = describe_nodes(*run.deploy, run.rank_of);
    for (std::size_t i = 0; i < nodes.size() && i < most; ++i) {
        const auto& node = nodes[i];
        std::string holds;
        for (const auto& chain : run.deploy->chains) {
            for (const auto& seat : chain) {
                if (seat.node == i) {
                    const auto& cut = seat.spec.cut();
                    holds += cut.embedding ? "embedding " : "";
                    holds += cut.blocks > 0 && node.role == node_role::edge ? "blocks " : "";
                    holds += cut.head ? "head " : "";
                    holds +=
                        fmt::format("({} tunable) ", quantity(static_cast<double>(seat.spec.tunable_bytes()), "B"));
                }
            }
        }
        const auto blocks =
            node.blocks > 0 ? fmt::format("{}-{}", node.first_block, node.first_block + node.blocks - 1) : "-";
        text += fmt::format("{:<14} {:>5} {:>8} {:>10} {:>14} {:>12}  {}\n", node.name, node.rank, node.samples, blocks,
                            quantity(node.rate_flop_s, "FLOP/s"), quantity(static_cast<double>(node.memory_bytes), "B"),
                            holds);
    }
    if (nodes.size() > most) {
        text += fmt::format("... and {} more nodes\n", nodes.size() - most);
    }
    return text;
}

} // namespace gaisnet
