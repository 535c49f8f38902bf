#include "experiment/workload.hpp"

#include "data/batch_loader.hpp"
#include "data/image_supply.hpp"
#include "data/sample_schedule.hpp"
#include "experiment/image_check.hpp"
#include "model/torch/device_images.hpp"
#include "model/torch/sample_sources.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <c10/core/GradMode.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace gaisnet {

namespace {

/// Samples per evaluation batch: constant, so that results do not depend on the number of ranks.
constexpr std::size_t evaluation_batch = 50;

/// \param logits [n, logits] \param labels int64 [n]; both of the host
void add_judged(batch_result& sum, const at::Tensor& logits, const at::Tensor& labels) {
    const auto losses = at::cross_entropy_loss(logits, labels, {}, at::Reduction::None); // 0 of ignored tokens
    sum.correct += logits.argmax(1).eq(labels).sum().item<std::int64_t>();
    sum.predictions += labels.ne(ignored_token).sum().item<std::int64_t>();
    for (std::int64_t i = 0; i < losses.size(0); ++i) { // in the order of samples
        sum.loss_sum += static_cast<double>(losses.data_ptr<float>()[i]);
    }
}

} // namespace

struct workload::parts {
    parts(const scenario& given, session& here, const folder_check& check)
        : scene(given)
        , domains(make_domain_source(given, check, decode_threads(given, here)))
        , form(domains->form())
        , supply(make_supply(given, here))
        , shares(given, *domains)
        , probes(given, shares, *domains)
        , requests(given, shares, *domains, check) {}

    const scenario& scene;
    std::uint64_t content = 0; ///< Of folders that were checked.
    std::unique_ptr<domain_source> domains;
    input_form form;
    std::unique_ptr<image_supply> supply;
    std::shared_ptr<device_images> on_gpu; ///< Null: inputs are made on the host.
    data_shares shares;
    probe_domains probes;
    request_samples requests;
    /// `cache = on`: what is left for the head, and labels, of validation batches, by dataset and batch, of models that are
    /// frozen up to the head.
    struct kept_batch {
        at::Tensor pooled, labels;
        std::int64_t bytes = 0;
    };
    mutable std::map<std::pair<std::size_t, std::size_t>, kept_batch> kept;
};

workload::workload(const scenario& scene, session& here, bool check_images) {
    std::uint64_t content = 0;
    parts_ = std::make_unique<parts>(scene, here, [&](image_folder& folder) {
        if (check_images) {
            content += gaisnet::check_images(folder, scene, here);
        }
    });
    parts_->content = content + parts_->domains->content();
    for (const auto& note : parts_->domains->notes()) {
        if (here.root()) {
            spdlog::warn("{}", note);
        }
    }
}

workload::~workload() = default;

void add_predictions(batch_result& sum, const tuned_model& model, const at::Tensor& pooled, const at::Tensor& labels) {
    if (!model.tells_tokens()) {
        add_judged(sum, model.predict(pooled).cpu(), labels);
        return;
    }
    // A sample at a time, because the logits of all would be large; its tokens in one product with the output layer.
    for (std::int64_t i = 0; i < pooled.size(0); ++i) {
        add_judged(sum, model.predict(pooled.narrow(0, i, 1)).squeeze(0).cpu(), labels[i]);
    }
}

void workload::use_gpu(const accelerator& gpu) {
    auto& p = *parts_;
    if (p.domains->words()) {
        return;
    }
    const auto& cache = p.scene.data.cache;
    p.on_gpu =
        std::make_shared<device_images>(at::kCUDA, cache ? static_cast<std::uint64_t>(*cache) : gpu.free_memory() / 4,
                                        *p.supply, p.form.transform, p.scene.seed);
}

const data_shares& workload::shares() const { return parts_->shares; }
void workload::use_clusters(const formed_clusters& formed) { parts_->shares.use_clusters(formed); }
const probe_domains& workload::probes() const { return parts_->probes; }
const request_samples& workload::requests() const { return parts_->requests; }

std::string workload::origin() const { return parts_->domains->origin(); }

std::shared_ptr<const tokenizer> workload::words() const { return parts_->domains->words(); }

std::vector<domain_size> workload::sizes() const {
    const auto& shares = parts_->shares;
    const bool has_classes = !parts_->scene.model.tells_next_tokens();
    std::vector<domain_size> all;
    for (std::size_t edge = 0; edge < static_cast<std::size_t>(parts_->scene.network.edges); ++edge) {
        all.push_back({has_classes ? static_cast<std::int64_t>(shares.class_names(edge).size()) : no_classes,
                       static_cast<std::int64_t>(shares.evaluated(shares.set_of_edge(edge)).size())});
    }
    return all;
}

std::uint64_t workload::fingerprint() const {
    return parts_->requests.hash_names(parts_->shares.hash_names(parts_->content));
}

std::vector<samples_description> workload::describe(int cluster, const std::string& name) const {
    const auto& shares = parts_->shares;
    const auto& classes = shares.set(shares.set_of_cluster(cluster)).class_names();
    const auto counts = shares.class_counts(cluster);
    const auto quality = shares.quality_of(name);
    std::vector<samples_description> rows;
    for (std::size_t label = 0; label < counts.size(); ++label) {
        rows.push_back({cluster, name, static_cast<std::int32_t>(label), classes[label],
                        static_cast<std::uint64_t>(counts[label]), quality.label_noise, quality.blur, quality.noise,
                        quality.token_noise});
    }
    return rows;
}

std::function<std::vector<std::size_t>(const micro_batch&)> workload::numbers_of(int cluster,
                                                                                 const std::string& name) const {
    const auto& p = *parts_;
    auto schedule = std::make_shared<sample_schedule>(p.shares.trained_on(cluster), p.scene.train.batch, p.scene.seed,
                                                      name, p.shares.stream());
    return [schedule](const micro_batch& micro) {
        const auto all = schedule->batch(micro.epoch, micro.batch);
        const auto first = all.begin() + micro.first;
        return std::vector<std::size_t>(first, first + micro.count);
    };
}

std::shared_ptr<sample_source> workload::source_of(int cluster, const std::string& name) const {
    const auto& p = *parts_;
    loader_settings how;
    how.form = p.form;
    how.batch = p.scene.train.batch;
    how.augment = p.scene.data.augment && p.scene.data.source == data_source::folder;
    how.seed = p.scene.seed;
    how.owner = name;
    how.quality = p.shares.quality_of(name);
    how.stream = p.shares.stream();
    const auto& set = p.shares.set(p.shares.set_of_cluster(cluster));
    if (p.on_gpu) {
        return device_samples(p.on_gpu, set, p.shares.trained_on(cluster), how);
    }
    return loaded_samples(std::make_unique<batch_loader>(set, p.shares.trained_on(cluster), how, *p.supply));
}

bool workload::tells_next_tokens() const { return parts_->scene.model.tells_next_tokens(); }

std::shared_ptr<sample_source> workload::requests_of(int cluster, const std::string& name,
                                                     std::int64_t requests) const {
    const auto& p = *parts_;
    if (p.scene.model.tells_next_tokens()) {
        return listed_prompts([&p, cluster, samples = p.requests.of(cluster, name, requests)](std::int64_t request) {
            return p.requests.prompt(cluster, samples.at(static_cast<std::size_t>(request)));
        });
    }
    return listed_samples(p.requests.set_of(cluster), p.requests.of(cluster, name, requests), p.form, *p.supply);
}

void workload::for_each_batch(std::size_t domain, bool training, std::int64_t most,
                              const std::function<void(const labelled_batch&)>& work) const {
    const auto& p = *parts_;
    for (const auto& some : p.probes.batches(domain, training, most, evaluation_batch)) {
        session::check_interrupt();
        work(load_batch(p.probes.set(domain), some, p.form, *p.supply));
    }
}

std::vector<batch_result> workload::evaluate(std::uint32_t edge, const tuned_model& model, std::size_t member,
                                             std::size_t members) const {
    const auto& p = *parts_;
    const auto number = p.shares.set_of_edge(edge);
    const auto& set = p.shares.set(number);
    const auto& samples = p.shares.evaluated(number);
    const auto batches = (samples.size() + evaluation_batch - 1) / evaluation_batch;
    const auto samples_of = [&](std::size_t batch) {
        const auto first = samples.begin() + static_cast<std::ptrdiff_t>(batch * evaluation_batch);
        const auto count = std::min(evaluation_batch, samples.size() - batch * evaluation_batch);
        return std::vector<std::size_t>(first, first + static_cast<std::ptrdiff_t>(count));
    };
    std::vector<batch_result> results;
    const c10::NoGradGuard no_grad;
    const bool keeps = p.scene.train.cache && model.frozen_up_to_head();
    std::optional<coming_batch> next;
    const auto load = [&](std::size_t batch) { // before the batch is used
        if (p.on_gpu) {
            p.on_gpu->expect({&set, samples_of(batch)});
        } else {
            next = begin_batch(set, samples_of(batch), p.form, *p.supply);
        }
    };
    const auto is_kept = [&](std::size_t batch) { return keeps && p.kept.contains({number, batch}); };
    if (member < batches && !is_kept(member)) {
        load(member);
    }
    for (auto batch = member; batch < batches; batch += members) {
        session::check_interrupt();
        parts::kept_batch now;
        if (is_kept(batch)) {
            now = p.kept.at({number, batch});
        } else if (p.on_gpu) {
            now.labels = to_torch(labels_of(set, samples_of(batch)));
            with_clear_errors([&] {
                now.pooled = model.pooled(p.on_gpu->validation_batch({&set, samples_of(batch)}));
            });
        } else {
            const auto loaded = next->get();
            now.labels = to_torch(loaded.labels);
            now.bytes = loaded.bytes.empty() ? 0 : to_torch(loaded.bytes).sum().item<std::int64_t>();
            with_clear_errors([&] { now.pooled = model.pooled(loaded); });
        }
        if (const auto later = batch + members; later < batches && !is_kept(later)) {
            load(later);
        }
        batch_result result{edge, static_cast<std::uint32_t>(batch), 0, 0, 0.0, now.bytes};
        with_clear_errors([&] { add_predictions(result, model, now.pooled, now.labels); });
        results.push_back(result);
        if (keeps) {
            p.kept[{number, batch}] = std::move(now);
        }
    }
    return results;
}

} // namespace gaisnet
