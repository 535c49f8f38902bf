#include "experiment/collected.hpp"

#include "base/text.hpp"
#include "transport/collectives.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <span>

namespace gaisnet {

namespace {

/// The mean; NaN if there is nothing, as for the training of a round that no cluster finished.
double mean(double sum, std::int64_t count) {
    return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

} // namespace

std::vector<round_result> collect_results(transport& network, const deployment& deploy,
                                          const std::map<int, training_totals>& training,
                                          const std::vector<batch_result>& batches) {
    std::map<int, training_totals> by_cluster;
    std::vector<batch_result> all;
    for (const auto& [trained, evaluated] : collect_at_root(network, std::pair(training, batches))) {
        for (const auto& [cluster, totals] : trained) {
            by_cluster[cluster] += totals; // a head that was taken over is on two ranks
        }
        all.insert(all.end(), evaluated.begin(), evaluated.end());
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.edge != b.edge ? a.edge < b.edge : a.batch < b.batch; });

    std::vector<round_result> results;
    for (int edge = 0; edge < deploy.net.edges && network.rank() == 0; ++edge) {
        batch_result validation;
        for (const auto& batch : all) {
            if (batch.edge == static_cast<std::uint32_t>(edge)) {
                validation.correct += batch.correct;
                validation.predictions += batch.predictions;
                validation.bytes += batch.bytes;
                validation.loss_sum += batch.loss_sum;
            }
        }
        training_totals trained;
        for (const auto& [cluster, totals] : by_cluster) {
            if (deploy.net.clusters[static_cast<std::size_t>(cluster)].edge == edge) {
                trained += totals;
            }
        }
        results.push_back({mean(static_cast<double>(validation.correct), validation.predictions),
                           mean(validation.loss_sum, validation.predictions),
                           mean(static_cast<double>(trained.correct), trained.predictions),
                           mean(trained.loss_sum, trained.predictions), 0.0,
                           mean(validation.loss_sum / std::numbers::ln2, validation.bytes)});
    }
    return results;
}

std::map<std::string, executor_state> collect_stages(transport& network, std::vector<saved_stage> mine) {
    std::map<std::string, executor_state> all;
    for (auto& stages : collect_at_root(network, std::exchange(mine, {}))) {
        for (auto& [name, state] : stages) {
            all[name] = std::move(state);
        }
    }
    return all;
}

session_answers collect_answers(transport& network, const inference_run& run) {
    session_answers mine;
    for (const auto& [cluster, logits] : run.answers()) {
        const auto classes = static_cast<std::size_t>(logits.shape[1]);
        auto& answers = mine[cluster];
        for (std::int64_t i = 0; i < logits.shape[0]; ++i) {
            const std::span row(logits.as<float>() + static_cast<std::size_t>(i) * classes, classes);
            const auto best = std::max_element(row.begin(), row.end());
            double sum = 0.0;
            for (const float one : row) {
                sum += std::exp(static_cast<double>(one) - static_cast<double>(*best));
            }
            answers.push_back({static_cast<std::uint64_t>(best - row.begin()), 1.0 / sum});
        }
    }
    for (const auto& [cluster, texts] : run.texts()) {
        for (const auto& [request, tokens] : texts) { // a part of a session has them from one request on
            mine[cluster].push_back({0, 0.0, tokens});
        }
    }
    session_answers all;
    for (auto& its : collect_at_root(network, mine)) {
        all.merge(its);
    }
    return all;
}

std::vector<tensor_view> collect_models(transport& network, const tensor_run& run, int edges) {
    std::map<std::uint32_t, tensor_view> sent; // by edge: models that rank 0 does not have
    std::vector<tensor_view> models(static_cast<std::size_t>(edges));
    for (std::uint32_t edge = 0; edge < models.size(); ++edge) {
        if (run.group_of(edge).front() == network.rank() && network.rank() != 0) {
            sent[edge] = run.model(edge);
        }
        if (run.in_group(edge)) {
            models[edge] = run.model(edge);
        }
    }
    for (const auto& its : collect_at_root(network, sent)) {
        for (const auto& [edge, model] : its) {
            models[edge] = model;
        }
    }
    return models;
}

std::vector<transport_counters> collect_counters(transport& network) {
    std::map<std::string, transport_counters> sums;
    for (const auto& counters : collect_at_root(network, network.counters())) {
        for (const auto& one : counters) {
            auto& sum = sums[one.transport];
            sum.transport = one.transport;
            sum.messages += one.messages;
            sum.bytes += one.bytes;
        }
    }
    std::vector<transport_counters> all;
    for (auto& [name, sum] : sums) {
        all.push_back(std::move(sum));
    }
    return all;
}

std::vector<std::uint64_t> collect_peak_memory(transport& network) {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return collect_at_root(network, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024); // Linux reports KiB
}

std::string peak_memory_text(const std::vector<std::uint64_t>& of_ranks) {
    const auto sum = std::accumulate(of_ranks.begin(), of_ranks.end(), std::uint64_t{0});
    return quantity(static_cast<double>(sum), "B") + " in all, " +
           quantity(static_cast<double>(*std::max_element(of_ranks.begin(), of_ranks.end())), "B") + " the largest";
}

} // namespace gaisnet
