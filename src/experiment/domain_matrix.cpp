#include "experiment/domain_matrix.hpp"
#include "transport/collectives.hpp"

#include "experiment/collected.hpp"
#include "model/torch/class_means.hpp"
#include "model/torch/torch_support.hpp"
#include "model/torch/tuned_model.hpp"

#include <c10/core/GradMode.h>

#include <functional>
#include <map>

namespace gaisnet {

namespace {

/// Evaluates a classifier on validation samples: it maps inputs to classes int64 [n].
probe_row count_hits(const workload& data, std::size_t domain, std::int64_t samples, const char* method,
                     const std::function<at::Tensor(const model_input&)>& classify) {
    std::int64_t correct = 0;
    probe_row row;
    row.method = method;
    data.for_each_batch(domain, false, samples, [&](const labelled_batch& batch) {
        correct += classify(batch).eq(to_torch(batch.labels)).sum().item<std::int64_t>();
        row.samples += static_cast<std::uint64_t>(batch.labels.shape[0]);
    });
    row.accuracy = static_cast<double>(correct) / static_cast<double>(row.samples);
    return row;
}

probe_row by_class_means(const workload& data, const tuned_model& model, std::size_t domain, std::int64_t samples) {
    class_means means(static_cast<std::int64_t>(data.probes().all()[domain].class_names.size()), model.dim());
    data.for_each_batch(domain, true, samples, [&](const labelled_batch& batch) {
        means.add(model.features(batch).cpu(), to_torch(batch.labels));
    });
    return count_hits(data, domain, samples, "class means",
                      [&](const model_input& input) { return means.nearest(model.features(input).cpu()); });
}

probe_row by_head(const workload& data, const tuned_model& model, std::size_t domain, std::int64_t samples) {
    return count_hits(data, domain, samples, "head",
                      [&](const model_input& input) { return model.forward(input).cpu().argmax(1); });
}

probe_row by_next_tokens(const workload& data, const tuned_model& model, std::size_t domain, std::int64_t samples) {
    batch_result sum;
    probe_row row;
    row.method = "next tokens";
    data.for_each_batch(domain, false, samples, [&](const labelled_batch& batch) {
        add_predictions(sum, model, model.pooled(batch), to_torch(batch.labels));
        row.samples += static_cast<std::uint64_t>(batch.labels.shape[0]);
    });
    const auto predictions = static_cast<double>(sum.predictions);
    row.accuracy = static_cast<double>(sum.correct) / predictions;
    row.loss = sum.loss_sum / predictions;
    return row;
}

} // namespace

std::vector<probe_row> judge_models(const prepared_run& run, std::shared_ptr<const model_backbone> backbone,
                                    session& here, std::vector<judged_model> models, int round) {
    const auto samples = run.scene->probe.samples;
    const auto& domains = run.data->probes().all();
    std::vector<tensor_view> modules;
    for (auto& model : models) {
        modules.push_back(model.modules);
    }
    modules = share_from_root(here.network(), modules);
    const c10::NoGradGuard no_grad;
    std::map<std::uint64_t, std::vector<probe_row>> mine; // indexed by pair of model and domain
    for (std::size_t pair = static_cast<std::size_t>(here.rank()); pair < models.size() * domains.size();
         pair += static_cast<std::size_t>(here.ranks())) {
        const auto which = pair / domains.size(), domain = pair % domains.size();
        const auto& judged = models[which];
        const auto classes = run.deploy->domain_of(judged.edge).size.classes;
        const bool untuned = modules[which].empty();
        const auto method =
            untuned ? registry<tuning_entry>::at("none", "method").make(*run.scene) : run.deploy->method;
        tuned_model model(backbone, method, classes);
        if (!untuned) {
            model.load(modules[which]);
        }
        std::vector<probe_row> rows;
        with_clear_errors([&] {
            if (model.tells_tokens()) {
                rows.push_back(by_next_tokens(*run.data, model, domain, samples));
                return;
            }
            rows.push_back(by_class_means(*run.data, model, domain, samples));
            if (judged.with_head && domains[domain].class_names == run.data->shares().class_names(judged.edge)) {
                rows.push_back(by_head(*run.data, model, domain, samples));
            }
        });
        for (auto& row : rows) {
            row.round = static_cast<std::uint32_t>(round);
            row.model = judged.name;
            row.domain = domains[domain].name;
            row.seen = domains[domain].seen;
        }
        mine[pair] = std::move(rows);
    }
    std::map<std::uint64_t, std::vector<probe_row>> by_pair;
    for (auto& its : collect_at_root(here.network(), mine)) {
        by_pair.merge(its);
    }
    std::vector<probe_row> all;
    for (const auto& [pair, rows] : by_pair) {
        all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
}

} // namespace gaisnet
