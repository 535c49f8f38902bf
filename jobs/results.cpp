#include "results.hpp"

#include "base/bytes.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace gaisnet {

namespace {

void put_tensor(byte_writer& out, const tensor_view& tensor) {
    out.put(tensor.shape);
    out.append(tensor.data, tensor.bytes());
}

tensor_view get_tensor(byte_reader& in) {
    auto tensor = tensor_view::allocate(in.get_list<std::int64_t>());
    in.copy(tensor.data, tensor.bytes());
    return tensor;
}

/// NaN of nothing: of the training in a round that nobody ended.
double mean(double sum, std::int64_t count) {
    return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

} // namespace

std::vector<round_result> collect_results(transport& network, const deployment& deploy,
                                          const std::map<int, training_totals>& training,
                                          const std::vector<batch_result>& batches) {
    byte_writer out;
    out.put(static_cast<std::uint64_t>(training.size()));
    for (const auto& [cluster, totals] : training) {
        out.put(cluster);
        out.put(totals);
    }
    out.put(batches);
    const auto parts = network.gather(out.take(), 0);

    std::map<int, training_totals> by_cluster;
    std::vector<batch_result> all;
    for (const auto& part : parts) {
        byte_reader in(part);
        for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
            const auto cluster = in.get<int>();
            by_cluster[cluster] += in.get<training_totals>(); // a head that was taken over is on two ranks
        }
        const auto more = in.get_list<batch_result>();
        all.insert(all.end(), more.begin(), more.end());
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.edge != b.edge ? a.edge < b.edge : a.batch < b.batch; });

    std::vector<round_result> results;
    for (int edge = 0; edge < deploy.net.edges && !parts.empty(); ++edge) {
        batch_result validation;
        for (const auto& batch : all) {
            if (batch.edge == static_cast<std::uint32_t>(edge)) {
                validation.correct += batch.correct;
                validation.samples += batch.samples;
                validation.loss_sum += batch.loss_sum;
            }
        }
        training_totals trained;
        for (const auto& [cluster, totals] : by_cluster) {
            if (deploy.net.clusters[static_cast<std::size_t>(cluster)].edge == edge) {
                trained += totals;
            }
        }
        results.push_back({mean(static_cast<double>(validation.correct), validation.samples),
                           mean(validation.loss_sum, validation.samples),
                           mean(static_cast<double>(trained.correct), trained.samples),
                           mean(trained.loss_sum, trained.samples), 0.0});
    }
    return results;
}

std::map<std::string, executor_state> collect_stages(transport& network, std::vector<saved_stage> mine) {
    byte_writer out;
    out.put(static_cast<std::uint64_t>(mine.size()));
    for (const auto& stage : mine) {
        out.put(stage.name);
        out.put(stage.state.steps);
        out.put(static_cast<std::uint64_t>(stage.state.tensors.size()));
        for (const auto& [name, tensor] : stage.state.tensors) {
            out.put(name);
            put_tensor(out, tensor);
        }
    }
    mine.clear();
    std::map<std::string, executor_state> all;
    for (const auto& part : network.gather(out.take(), 0)) {
        byte_reader in(part);
        for (auto stages = in.get<std::uint64_t>(); stages > 0; --stages) {
            auto& state = all[in.get<std::string>()];
            state.steps = in.get<std::int64_t>();
            for (auto tensors = in.get<std::uint64_t>(); tensors > 0; --tensors) {
                const auto name = in.get<std::string>();
                state.tensors[name] = get_tensor(in);
            }
        }
    }
    return all;
}

session_answers collect_answers(transport& network, const inference_run& run) {
    byte_writer out;
    for (const auto& [cluster, logits] : run.answers()) {
        const auto classes = static_cast<std::size_t>(logits.shape[1]);
        std::vector<answer> answers;
        for (std::int64_t i = 0; i < logits.shape[0]; ++i) {
            const std::span row(logits.as<float>() + static_cast<std::size_t>(i) * classes, classes);
            const auto best = std::max_element(row.begin(), row.end());
            double sum = 0.0;
            for (const float one : row) {
                sum += std::exp(static_cast<double>(one) - static_cast<double>(*best));
            }
            answers.push_back({static_cast<std::uint64_t>(best - row.begin()), 1.0 / sum});
        }
        out.put(cluster);
        out.put(answers);
    }
    session_answers all;
    for (const auto& part : network.gather(out.take(), 0)) {
        byte_reader in(part);
        while (!in.done()) {
            const auto cluster = in.get<int>();
            all[cluster] = in.get_list<answer>();
        }
    }
    return all;
}

std::vector<tensor_view> collect_models(transport& network, const tensor_run& run, int edges) {
    byte_writer out;
    for (std::uint32_t edge = 0; edge < static_cast<std::uint32_t>(edges); ++edge) {
        if (run.group_of(edge).front() == network.rank() && network.rank() != 0) {
            out.put(edge);
            put_tensor(out, run.model(edge));
        }
    }
    std::vector<tensor_view> models(static_cast<std::size_t>(edges));
    for (std::uint32_t edge = 0; edge < models.size(); ++edge) {
        if (run.in_group(edge)) {
            models[edge] = run.model(edge);
        }
    }
    for (const auto& part : network.gather(out.take(), 0)) {
        byte_reader in(part);
        while (!in.done()) {
            const auto edge = in.get<std::uint32_t>();
            models[edge] = get_tensor(in);
        }
    }
    return models;
}

void broadcast_tensors(transport& network, std::vector<tensor_view>& tensors) {
    byte_writer out;
    for (const auto& one : tensors) {
        put_tensor(out, one);
    }
    auto bytes = out.take();
    network.broadcast(bytes, 0);
    byte_reader in(bytes);
    for (auto& one : tensors) {
        one = get_tensor(in);
    }
}

std::vector<transport_counters> collect_counters(transport& network) {
    byte_writer out;
    const auto mine = network.counters();
    out.put(static_cast<std::uint64_t>(mine.size()));
    for (const auto& one : mine) {
        out.put(one.transport);
        out.put(one.messages);
        out.put(one.bytes);
    }
    std::map<std::string, transport_counters> sums;
    for (const auto& part : network.gather(out.take(), 0)) {
        byte_reader in(part);
        for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
            const auto name = in.get<std::string>();
            auto& sum = sums[name];
            sum.transport = name;
            sum.messages += in.get<std::uint64_t>();
            sum.bytes += in.get<std::uint64_t>();
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
    byte_writer out;
    out.put(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024); // Linux counts in KiB
    std::vector<std::uint64_t> all;
    for (const auto& part : network.gather(out.take(), 0)) {
        all.push_back(byte_reader(part).get<std::uint64_t>());
    }
    return all;
}

} // namespace gaisnet
