#include "domain_matrix.hpp"

#include "base/bytes.hpp"
#include "model/class_means.hpp"
#include "model/torch_support.hpp"
#include "model/tuned_vit.hpp"
#include "results.hpp"

#include <c10/core/GradMode.h>

#include <functional>
#include <map>

namespace gaisnet {

namespace {

/// Goes through validation samples with a classifier: images [n, 3, image, image] to classes int64 [n].
probe_row count_hits(const workload& data, std::size_t domain, std::int64_t samples, const char* method,
                     const std::function<at::Tensor(const at::Tensor&)>& classify) {
    std::int64_t correct = 0;
    probe_row row;
    row.method = method;
    data.for_each_batch(domain, false, samples, [&](const labelled_batch& batch) {
        correct += classify(to_torch(batch.images)).eq(to_torch(batch.labels)).sum().item<std::int64_t>();
        row.samples += static_cast<std::uint64_t>(batch.labels.shape[0]);
    });
    row.accuracy = static_cast<double>(correct) / static_cast<double>(row.samples);
    return row;
}

probe_row by_class_means(const workload& data, const tuned_vit& model, std::size_t domain, std::int64_t samples) {
    class_means means(static_cast<std::int64_t>(data.probe_domains()[domain].class_names.size()), model.dim());
    data.for_each_batch(domain, true, samples, [&](const labelled_batch& batch) {
        means.add(model.features(to_torch(batch.images)).cpu(), to_torch(batch.labels));
    });
    return count_hits(data, domain, samples, "class means",
                      [&](const at::Tensor& images) { return means.nearest(model.features(images).cpu()); });
}

probe_row by_head(const workload& data, const tuned_vit& model, std::size_t domain, std::int64_t samples) {
    return count_hits(data, domain, samples, "head",
                      [&](const at::Tensor& images) { return model.forward(images).cpu().argmax(1); });
}

void put(byte_writer& out, const probe_row& row) {
    out.put(row.model);
    out.put(row.domain);
    out.put(row.seen);
    out.put(row.method);
    out.put(row.accuracy);
    out.put(row.samples);
}

probe_row get(byte_reader& in, int round) {
    probe_row row;
    row.round = static_cast<std::uint32_t>(round);
    row.model = in.get<std::string>();
    row.domain = in.get<std::string>();
    row.seen = in.get<bool>();
    row.method = in.get<std::string>();
    row.accuracy = in.get<double>();
    row.samples = in.get<std::uint64_t>();
    return row;
}

} // namespace

std::vector<probe_row> judge_models(const prepared_run& run, std::shared_ptr<const vit_backbone> backbone,
                                    session& here, std::vector<judged_model> models, int round) {
    const auto samples = run.scene->probe.samples;
    const auto& domains = run.data->probe_domains();
    std::vector<tensor_view> modules;
    for (auto& model : models) {
        modules.push_back(model.modules);
    }
    broadcast_tensors(here.network(), modules);
    const c10::NoGradGuard no_grad;
    byte_writer out;
    for (std::size_t pair = static_cast<std::size_t>(here.rank()); pair < models.size() * domains.size();
         pair += static_cast<std::size_t>(here.ranks())) {
        const auto which = pair / domains.size(), domain = pair % domains.size();
        const auto& judged = models[which];
        const auto classes = run.deploy->domain_of(judged.edge).size.classes;
        const bool untuned = modules[which].empty();
        const auto method = untuned ? make_tuning_method({.method = "head"}) : run.deploy->method;
        tuned_vit model(backbone, method, classes);
        if (!untuned) {
            model.load(modules[which]);
        }
        std::vector<probe_row> rows;
        with_clear_errors([&] {
            rows.push_back(by_class_means(*run.data, model, domain, samples));
            if (judged.with_head && domains[domain].class_names == run.data->class_names(judged.edge)) {
                rows.push_back(by_head(*run.data, model, domain, samples));
            }
        });
        out.put(static_cast<std::uint64_t>(pair));
        out.put(static_cast<std::uint64_t>(rows.size()));
        for (auto& row : rows) {
            row.model = judged.name;
            row.domain = domains[domain].name;
            row.seen = domains[domain].seen;
            put(out, row);
        }
    }
    std::map<std::uint64_t, std::vector<probe_row>> by_pair;
    for (const auto& part : here.network().gather(out.take(), 0)) {
        byte_reader in(part);
        while (!in.done()) {
            auto& rows = by_pair[in.get<std::uint64_t>()];
            for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
                rows.push_back(get(in, round));
            }
        }
    }
    std::vector<probe_row> all;
    for (const auto& [pair, rows] : by_pair) {
        all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
}

} // namespace gaisnet
