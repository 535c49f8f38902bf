#include "experiment/workload.hpp"

#include "base/text.hpp"
#include "data/image_folder.hpp"
#include "data/joined_dataset.hpp"
#include "data/partition.hpp"
#include "data/procedural.hpp"
#include "experiment/image_check.hpp"
#include "model/torch/device_images.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>

namespace gaisnet {

namespace {

/// Samples of one evaluation batch: fixed, so that results do not depend on the number of ranks.
constexpr std::size_t evaluation_batch = 50;

/// Part of a batch, without a copy.
tensor_view rows_of(const tensor_view& whole, std::int64_t first, std::int64_t count) {
    auto part = whole;
    const auto row_bytes = whole.bytes() / static_cast<std::size_t>(whole.shape[0]);
    part.data += static_cast<std::size_t>(first) * row_bytes;
    part.shape[0] = count;
    return part;
}

class loader_source final : public sample_source {
public:
    explicit loader_source(std::unique_ptr<batch_loader> loader): loader_(std::move(loader)) {}
    tensor_view images(const micro_batch& micro) override {
        return rows_of(loader_->get(micro.epoch, micro.batch).images, micro.first, micro.count);
    }
    tensor_view labels(const micro_batch& micro) override {
        return rows_of(loader_->labels(micro.epoch, micro.batch), micro.first, micro.count);
    }

private:
    std::unique_ptr<batch_loader> loader_;
};

/// A start point's samples, made into inputs on a device. While one batch is trained on, the next two are decoded.
class device_source final : public sample_source {
public:
    device_source(std::shared_ptr<device_images> images, const dataset& data, std::vector<std::size_t> samples,
                  const loader_settings& settings)
        : images_(std::move(images))
        , wanted_{&data, {}, settings.quality}
        , settings_(settings)
        , schedule_(std::move(samples), settings.batch, settings.seed, settings.owner, settings.stream) {}

    tensor_view images(const micro_batch& micro) override {
        const auto all = schedule_.batch(micro.epoch, micro.batch);
        if (micro.first == 0) {
            wanted_.samples = all;
            images_->expect(wanted_, decode_pool::haste::now);
            look_ahead(micro.epoch, micro.batch);
        }
        const auto first = all.begin() + micro.first;
        wanted_.samples.assign(first, first + micro.count);
        return to_view(settings_.augment ? images_->training_batch(wanted_, static_cast<std::uint32_t>(micro.epoch))
                                         : images_->validation_batch(wanted_));
    }
    tensor_view labels(const micro_batch& micro) override {
        const auto all = sensed_labels(*wanted_.data, schedule_.batch(micro.epoch, micro.batch), settings_);
        return rows_of(all, micro.first, micro.count);
    }

private:
    void look_ahead(std::int64_t epoch, std::int64_t batch) {
        for (int ahead = 0; ahead < 2; ++ahead) {
            if (++batch == schedule_.batches()) {
                batch = 0;
                ++epoch;
            }
            wanted_.samples = schedule_.batch(epoch, batch);
            images_->expect(wanted_);
        }
    }

    std::shared_ptr<device_images> images_;
    device_images::request wanted_;
    loader_settings settings_;
    sample_schedule schedule_;
};

/// Given samples one after another.
class listed_source final : public sample_source {
public:
    listed_source(const dataset& data, std::vector<std::size_t> samples, const transform_spec& transform,
                  image_supply& supply)
        : data_(data)
        , samples_(std::move(samples))
        , transform_(transform)
        , supply_(supply) {}
    tensor_view images(const micro_batch& micro) override {
        const auto first = samples_.begin() + micro.first;
        return load_batch(data_, {first, first + micro.count}, transform_, supply_).images;
    }
    tensor_view labels(const micro_batch& micro) override {
        const auto first = samples_.begin() + micro.first;
        return labels_of(data_, {first, first + micro.count});
    }

private:
    const dataset& data_;
    std::vector<std::size_t> samples_;
    const transform_spec& transform_;
    image_supply& supply_;
};

} // namespace

struct workload::parts {
    const scenario* scene = nullptr;
    std::vector<std::unique_ptr<dataset>> sets; ///< One for all edges, or one for each.
    std::vector<data_split> splits;             ///< Like sets
    std::vector<std::vector<std::size_t>> by_cluster;
    std::unique_ptr<dataset> unseen; ///< No edge has it; null: there is none.
    data_split unseen_split;
    std::unique_ptr<dataset> to_classify; ///< The user's images (infer.images); null: none.
    std::vector<probe_domain> domains;
    transform_spec transform;
    std::uint64_t content = 0; ///< Of an image folder that was checked.
    /// `cache = on`: CLS and labels of validation batches, by set and batch, of models that are frozen up to the head.
    struct kept_batch {
        at::Tensor cls, labels;
    };
    mutable std::map<std::pair<std::size_t, std::size_t>, kept_batch> kept;
    std::unique_ptr<image_supply> supply;
    std::shared_ptr<device_images> on_gpu; ///< Null: inputs are made on the host.

    sample_quality quality_of(const std::string& start_point) const {
        const auto draw = [&](const distribution& value, const char* what) {
            random_stream stream(scene->seed, what, start_point);
            return std::max(0.0, value.draw(stream));
        };
        const auto& data = scene->data;
        return {draw(data.label_noise, "quality.label_noise"), draw(data.blur, "quality.blur"),
                draw(data.noise, "quality.noise")};
    }
    /// data.available: a start point has that part of its share, drawn at random, and one sample at least.
    void leave_available() {
        const auto clusters = static_cast<std::size_t>(scene->network.clusters); // an edge
        for (std::size_t i = 0; i < by_cluster.size(); ++i) {
            auto& share = by_cluster[i];
            random_stream stream(scene->seed, "data.available", fmt::format("{}.{}", i / clusters, i % clusters));
            const auto wanted = std::llround(scene->data.available.draw(stream) * static_cast<double>(share.size()));
            const auto left = std::clamp<std::size_t>(static_cast<std::size_t>(wanted), 1, share.size());
            if (left == share.size()) {
                continue;
            }
            const auto order = stream.permutation(share.size());
            std::vector<std::size_t> some;
            for (std::size_t k = 0; k < left; ++k) {
                some.push_back(share[order[k]]);
            }
            share = std::move(some);
        }
    }
    std::optional<sample_stream> stream() const {
        return scene->sense.stream()
                   ? std::optional(sample_stream{scene->sense.buffer, scene->sense.rate, scene->train.epochs})
                   : std::nullopt;
    }
    /// What a cluster trains on: of an edge that trains alone, the samples of all its start points for the first.
    std::vector<std::size_t> trained_on(int cluster) const {
        auto own = by_cluster[static_cast<std::size_t>(cluster)];
        if (scene->scheme == scheme_kind::centralised && cluster % scene->network.clusters == 0) {
            for (int other = cluster + 1; other < cluster + scene->network.clusters; ++other) {
                const auto& more = by_cluster[static_cast<std::size_t>(other)];
                own.insert(own.end(), more.begin(), more.end());
            }
        }
        return own;
    }
    std::size_t set_of(int edge) const { return sets.size() == 1 ? 0 : static_cast<std::size_t>(edge); }
};

workload::workload(const scenario& scene, session& here, bool check_images): parts_(std::make_unique<parts>()) {
    auto& p = *parts_;
    p.scene = &scene;
    p.transform.size = static_cast<int>(scene.model.vit.image);
    for (std::size_t c = 0; c < 3; ++c) {
        p.transform.mean[c] = static_cast<float>(scene.data.mean[c]);
        p.transform.std[c] = static_cast<float>(scene.data.std[c]);
    }
    p.supply = make_supply(scene, here);
    const auto clusters = static_cast<std::size_t>(scene.network.clusters);
    const auto each = static_cast<std::size_t>(scene.data.per_cluster);
    const bool by_domain = scene.data.partition.by_domain();
    std::vector<std::unique_ptr<dataset>> domains;
    if (scene.data.source == data_source::folder) {
        for (const auto& root : scene.data.roots) {
            auto folder = std::make_unique<image_folder>(root);
            if (check_images) {
                p.content += gaisnet::check_images(*folder, scene, here);
            }
            domains.push_back(std::move(folder));
        }
    } else {
        const int count = scene.network.edges * (by_domain ? scene.network.clusters : 1);
        for (int domain = 0; domain < count; ++domain) {
            domains.push_back(make_procedural({scene.data.domain + domain, scene.data.classes, scene.model.vit.image,
                                               scene.data.samples, scene.seed}));
        }
    }
    if (!by_domain) {
        p.sets = std::move(domains);
    }
    for (std::size_t first = 0; by_domain && first < domains.size(); first += clusters) {
        const auto begin = std::make_move_iterator(domains.begin() + static_cast<std::ptrdiff_t>(first));
        p.sets.push_back(std::make_unique<joined_dataset>(
            std::vector<std::unique_ptr<dataset>>(begin, begin + static_cast<std::ptrdiff_t>(clusters))));
    }
    for (const auto& set : p.sets) {
        p.splits.push_back(stratified_split(*set, scene.data.train_fraction, scene.seed));
        const auto& train = p.splits.back().train;
        const auto edges_a_set = scene.network.edges > 1 && p.sets.size() == 1 ? scene.network.edges : 1;
        if (const auto* joined = dynamic_cast<const joined_dataset*>(set.get())) {
            for (std::size_t domain = 0; domain < joined->parts(); ++domain) {
                std::vector<std::size_t> own;
                std::copy_if(train.begin(), train.end(), std::back_inserter(own),
                             [&](std::size_t sample) { return joined->part_of(sample) == domain; });
                p.by_cluster.push_back(partition(*set, own, 1, each, {}, scene.seed).front());
            }
            continue;
        }
        for (auto& part : partition(*set, train, clusters * static_cast<std::size_t>(edges_a_set), each,
                                    scene.data.partition, scene.seed)) {
            p.by_cluster.push_back(std::move(part));
        }
    }
    p.leave_available();
    name_domains();
    if (scene.service == service_kind::inference && !scene.infer.images.empty()) {
        auto folder = std::make_unique<image_folder>(image_folder::without_labels(scene.infer.images, "infer.images"));
        if (check_images) {
            p.content += gaisnet::check_images(*folder, scene, here);
        }
        p.to_classify = std::move(folder);
    }
}

workload::~workload() = default;

void workload::use_gpu(const accelerator& gpu) {
    auto& p = *parts_;
    const auto& cache = p.scene->data.cache;
    p.on_gpu =
        std::make_shared<device_images>(at::kCUDA, cache ? static_cast<std::uint64_t>(*cache) : gpu.free_memory() / 4,
                                        *p.supply, p.transform, p.scene->seed);
}

/// What models can be compared on.
void workload::name_domains() {
    auto& p = *parts_;
    const auto& data = p.scene->data;
    const auto last_name = [](const std::string& path) {
        return std::filesystem::weakly_canonical(path).filename().string();
    };
    for (std::size_t set = 0; set < p.sets.size(); ++set) {
        const bool joined = data.partition.by_domain();
        const std::string name = joined                               ? fmt::format("edge{}", set)
                                 : data.source == data_source::folder ? last_name(data.roots[set])
                                                                      : fmt::format("domain {}", data.domain + set);
        p.domains.push_back({name, true, p.sets[set]->class_names()});
    }
    const auto& probe = p.scene->probe;
    if (p.scene->network.edges == 1 || probe.samples == 0) {
        return;
    }
    if (probe.unseen) {
        p.unseen =
            make_procedural({*probe.unseen, data.classes, p.scene->model.vit.image, data.samples, p.scene->seed});
        p.domains.push_back({fmt::format("domain {}", *probe.unseen), false, p.unseen->class_names()});
    } else if (!probe.unseen_root.empty()) {
        p.unseen = std::make_unique<image_folder>(probe.unseen_root);
        p.domains.push_back({last_name(probe.unseen_root), false, p.unseen->class_names()});
    }
    if (p.unseen) {
        p.unseen_split = stratified_split(*p.unseen, data.train_fraction, p.scene->seed);
    }
}

const std::vector<workload::probe_domain>& workload::probe_domains() const { return parts_->domains; }

std::size_t workload::domain_of(std::size_t edge) const { return parts_->set_of(static_cast<int>(edge)); }

void workload::for_each_batch(std::size_t domain, bool training, std::int64_t most,
                              const std::function<void(const labelled_batch&)>& work) const {
    const auto& p = *parts_;
    const bool seen = domain < p.sets.size();
    const auto& set = seen ? *p.sets[domain] : *p.unseen;
    const auto& split = seen ? p.splits[domain] : p.unseen_split;
    const auto& samples = training ? split.train : split.validation;
    const auto order = random_stream(p.scene->seed, "probe", p.domains[domain].name).permutation(samples.size());
    const auto count = std::min(samples.size(), static_cast<std::size_t>(most));
    for (std::size_t first = 0; first < count; first += evaluation_batch) {
        session::check_interrupt();
        std::vector<std::size_t> some;
        for (auto i = first; i < std::min(count, first + evaluation_batch); ++i) {
            some.push_back(samples[order[i]]);
        }
        work(load_batch(set, some, p.transform, *p.supply));
    }
}

std::vector<domain_size> workload::sizes() const {
    std::vector<domain_size> all;
    for (int edge = 0; edge < parts_->scene->network.edges; ++edge) {
        const auto set = parts_->set_of(edge);
        all.push_back({static_cast<std::int64_t>(parts_->sets[set]->class_names().size()),
                       static_cast<std::int64_t>(parts_->splits[set].validation.size())});
    }
    return all;
}

const std::vector<std::string>& workload::class_names(std::uint32_t edge) const {
    return parts_->sets[parts_->set_of(static_cast<int>(edge))]->class_names();
}

std::vector<std::int64_t> workload::samples() const {
    std::vector<std::int64_t> counts;
    const auto& sense = parts_->scene->sense;
    for (const auto& part : parts_->by_cluster) {
        counts.push_back(sense.stream() ? sense.buffer : static_cast<std::int64_t>(part.size()));
    }
    return counts;
}

std::uint64_t workload::fingerprint() const {
    std::uint64_t hash = parts_->content;
    for (const auto& set : parts_->sets) {
        for (std::size_t sample = 0; sample < set->size(); ++sample) {
            hash = stable_hash(set->name(sample), hash);
        }
    }
    for (std::size_t sample = 0; parts_->to_classify && sample < parts_->to_classify->size(); ++sample) {
        hash = stable_hash(parts_->to_classify->name(sample), hash);
    }
    return hash;
}

std::function<std::vector<std::size_t>(const micro_batch&)> workload::numbers_of(int cluster,
                                                                                 const std::string& name) const {
    const auto& p = *parts_;
    auto schedule =
        std::make_shared<sample_schedule>(p.trained_on(cluster), p.scene->train.batch, p.scene->seed, name, p.stream());
    return [schedule](const micro_batch& micro) {
        const auto all = schedule->batch(micro.epoch, micro.batch);
        const auto first = all.begin() + micro.first;
        return std::vector<std::size_t>(first, first + micro.count);
    };
}

std::string workload::origin() const {
    const auto& data = parts_->scene->data;
    return data.source == data_source::folder ? fmt::format("{}", fmt::join(data.roots, ", ")) : "procedural images";
}

std::vector<samples_description> workload::describe(int cluster, const std::string& name) const {
    const auto& p = *parts_;
    const auto& set = *p.sets[p.set_of(cluster / p.scene->network.clusters)];
    const auto counts = label_histogram(set, p.by_cluster[static_cast<std::size_t>(cluster)]);
    const auto quality = p.quality_of(name);
    std::vector<samples_description> rows;
    for (std::size_t label = 0; label < counts.size(); ++label) {
        rows.push_back({cluster, name, static_cast<std::int32_t>(label), set.class_names()[label],
                        static_cast<std::uint64_t>(counts[label]), quality.label_noise, quality.blur, quality.noise});
    }
    return rows;
}

std::shared_ptr<sample_source> workload::source_of(int cluster, const std::string& name) const {
    const auto& p = *parts_;
    const int edge = cluster / p.scene->network.clusters;
    loader_settings settings;
    settings.transform = p.transform;
    settings.batch = p.scene->train.batch;
    settings.augment = p.scene->data.augment && p.scene->data.source == data_source::folder;
    settings.seed = p.scene->seed;
    settings.owner = name;
    settings.quality = p.quality_of(name);
    settings.stream = p.stream();
    if (p.on_gpu) {
        return std::make_shared<device_source>(p.on_gpu, *p.sets[p.set_of(edge)], p.trained_on(cluster), settings);
    }
    return std::make_shared<loader_source>(
        std::make_unique<batch_loader>(*p.sets[p.set_of(edge)], p.trained_on(cluster), settings, *p.supply));
}

double workload::data_fit(std::uint32_t edge, const std::vector<std::string>& start_points) const {
    const auto& p = *parts_;
    const auto set = p.set_of(static_cast<int>(edge));
    const auto wanted = label_histogram(*p.sets[set], p.splits[set].validation);
    std::vector<double> has(wanted.size(), 0.0);
    const auto clusters = static_cast<std::size_t>(p.scene->network.clusters);
    double samples = 0.0, right = 0.0;
    for (std::size_t c = edge * clusters; c < (edge + 1) * clusters; ++c) {
        const auto counts = label_histogram(*p.sets[set], p.by_cluster[c]);
        for (std::size_t label = 0; label < counts.size(); ++label) {
            has[label] += static_cast<double>(counts[label]);
        }
        const auto mine = static_cast<double>(p.by_cluster[c].size());
        samples += mine;
        right += mine * (1.0 - p.quality_of(start_points.at(c)).label_noise);
    }
    double distance = 0.0, all = 0.0;
    for (const auto count : wanted) {
        all += static_cast<double>(count);
    }
    for (std::size_t label = 0; label < wanted.size(); ++label) {
        distance += 0.5 * std::abs(static_cast<double>(wanted[label]) / all - has[label] / samples);
    }
    return (1.0 - distance) * right / samples;
}

std::vector<std::int64_t> workload::own_requests() const {
    const auto& p = *parts_;
    std::vector<std::int64_t> counts;
    const auto requesters = p.by_cluster.size();
    for (std::size_t cluster = 0; p.to_classify && cluster < requesters; ++cluster) {
        counts.push_back(static_cast<std::int64_t>((p.to_classify->size() + requesters - 1 - cluster) / requesters));
    }
    return counts;
}

std::vector<std::size_t> workload::request_samples(int cluster, const std::string& name, std::int64_t requests) const {
    const auto& p = *parts_;
    std::vector<std::size_t> samples;
    if (p.to_classify) {
        for (std::int64_t i = 0; i < requests; ++i) { // with a trace there may be more requests than images
            const auto number = static_cast<std::size_t>(i) * p.by_cluster.size() + static_cast<std::size_t>(cluster);
            samples.push_back(number % p.to_classify->size());
        }
        return samples;
    }
    const auto& known = p.splits[p.set_of(cluster / p.scene->network.clusters)].validation;
    for (std::uint32_t turn = 0; samples.size() < static_cast<std::size_t>(requests); ++turn) {
        for (const auto which : random_stream(p.scene->seed, "request.sample", name, turn).permutation(known.size())) {
            samples.push_back(known[which]);
        }
    }
    samples.resize(static_cast<std::size_t>(requests));
    return samples;
}

std::shared_ptr<sample_source> workload::requests_of(int cluster, const std::string& name,
                                                     std::int64_t requests) const {
    const auto& p = *parts_;
    const auto& set = p.to_classify ? *p.to_classify : *p.sets[p.set_of(cluster / p.scene->network.clusters)];
    return std::make_shared<listed_source>(set, request_samples(cluster, name, requests), p.transform, *p.supply);
}

std::pair<std::string, std::string> workload::describe_request(int cluster, std::size_t sample) const {
    const auto& p = *parts_;
    if (p.to_classify) {
        return {valid_utf8(p.to_classify->name(sample)), ""};
    }
    const auto& set = *p.sets[p.set_of(cluster / p.scene->network.clusters)];
    return {valid_utf8(set.name(sample)), set.class_names()[static_cast<std::size_t>(set.label(sample))]};
}

std::vector<batch_result> workload::evaluate(std::uint32_t edge, const tuned_vit& model, std::size_t member,
                                             std::size_t members) const {
    const auto& p = *parts_;
    const auto set = p.set_of(static_cast<int>(edge));
    const auto& samples = p.splits[set].validation;
    const auto batches = (samples.size() + evaluation_batch - 1) / evaluation_batch;
    const auto samples_of = [&](std::size_t batch) {
        const auto first = samples.begin() + static_cast<std::ptrdiff_t>(batch * evaluation_batch);
        const auto count = std::min(evaluation_batch, samples.size() - batch * evaluation_batch);
        return std::vector<std::size_t>(first, first + static_cast<std::ptrdiff_t>(count));
    };
    std::vector<batch_result> results;
    const c10::NoGradGuard no_grad;
    const bool keeps = p.scene->train.cache && model.frozen_up_to_head();
    std::optional<coming_batch> next;
    const auto load = [&](std::size_t batch) { // ahead of its use
        if (p.on_gpu) {
            p.on_gpu->expect({p.sets[set].get(), samples_of(batch)});
        } else {
            next = begin_batch(*p.sets[set], samples_of(batch), p.transform, *p.supply);
        }
    };
    const auto is_kept = [&](std::size_t batch) { return keeps && p.kept.contains({set, batch}); };
    if (member < batches && !is_kept(member)) {
        load(member);
    }
    for (auto batch = member; batch < batches; batch += members) {
        session::check_interrupt();
        parts::kept_batch now;
        if (is_kept(batch)) {
            now = p.kept.at({set, batch});
        } else if (p.on_gpu) {
            now.labels = to_torch(labels_of(*p.sets[set], samples_of(batch)));
            with_clear_errors([&] {
                now.cls = model.cls(p.on_gpu->validation_batch({p.sets[set].get(), samples_of(batch)}));
            });
        } else {
            const auto loaded = next->get();
            now.labels = to_torch(loaded.labels);
            with_clear_errors([&] { now.cls = model.cls(to_torch(loaded.images)); });
        }
        if (const auto later = batch + members; later < batches && !is_kept(later)) {
            load(later);
        }
        at::Tensor logits;
        with_clear_errors([&] { logits = model.classify(now.cls).cpu(); });
        const auto losses = at::cross_entropy_loss(logits, now.labels, {}, at::Reduction::None);
        batch_result result{edge, static_cast<std::uint32_t>(batch), 0, now.labels.size(0), 0.0};
        result.correct = logits.argmax(1).eq(now.labels).sum().item<std::int64_t>();
        for (std::int64_t i = 0; i < now.labels.size(0); ++i) { // in sample order
            result.loss_sum += static_cast<double>(losses.data_ptr<float>()[i]);
        }
        results.push_back(result);
        if (keeps) {
            p.kept[{set, batch}] = std::move(now);
        }
    }
    return results;
}

} // namespace gaisnet
