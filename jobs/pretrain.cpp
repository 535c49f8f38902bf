#include "commands.hpp"

#include "config/scenario_reader.hpp"
#include "data/procedural.hpp"
#include "data/transform.hpp"
#include "metrics/progress.hpp"
#include "model/optimizer.hpp"
#include "model/safetensors.hpp"
#include "model/torch_support.hpp"
#include "model/vit.hpp"
#include "model/weight_store.hpp"
#include "setup.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <thread>

namespace gaisnet {

namespace {

/// A batch is cut into this many shards whatever the number of ranks, and their gradients are added as integers, so
/// that any number of ranks gives the same model.
constexpr std::int64_t shards = 4;
/// Fixed point of gradients: values up to 2^20 with 40 fractional bits.
constexpr int gradient_bits = 40;
constexpr float largest_gradient = 1 << 20;

/// The images of all domains but the one that will be fine-tuned on, by one list.
class images_of_other_domains {
public:
    explicit images_of_other_domains(const scenario& scene): size_(scene.model.vit.image) {
        for (int domain = 0, found = 0; found < scene.pretrain.domains; ++domain) {
            const int first = scene.data.domain, last = scene.data.domain + scene.network.edges - 1;
            if (domain < first || domain > last) {
                domains_.push_back(make_procedural(
                    {domain, scene.data.classes, scene.model.vit.image, scene.pretrain.samples, scene.seed + 1}));
                ++found;
            }
        }
        transform_.size = static_cast<int>(size_);
        for (std::size_t c = 0; c < 3; ++c) {
            transform_.mean[c] = static_cast<float>(scene.data.mean[c]);
            transform_.std[c] = static_cast<float>(scene.data.std[c]);
        }
    }

    std::size_t size() const { return domains_.size() * domains_.front()->size(); }

    void load(std::size_t index, float* image, std::int64_t* label) const {
        const auto& domain = *domains_[index % domains_.size()];
        const auto sample = index / domains_.size();
        transform_validation(domain.load(sample), transform_, image);
        *label = domain.label(sample);
    }

private:
    std::int64_t size_;
    std::vector<std::unique_ptr<dataset>> domains_;
    transform_spec transform_;
};

class pretraining {
public:
    pretraining(const command_line& given, session& here)
        : here_(here)
        , scene_(read_scenario(given.values))
        , images_(scene_)
        , progress_(given.progress) {
        if (here.ranks() > shards) {
            throw usage_error(fmt::format("pretrain cuts every batch into {} shards, but {} ranks were started: at "
                                          "most {} ranks can be used",
                                          shards, here.ranks(), shards));
        }
        if (scene_.compute.device == device_choice::cuda || scene_.compute.precision != compute_precision::fp32) {
            throw usage_error(
                "pretrain computes on CPUs in fp32: device = cpu or auto with precision = fp32 is accepted");
        }
        if (images_.size() < static_cast<std::size_t>(scene_.pretrain.batch)) {
            throw usage_error(fmt::format("pretrain.samples = {}: {} images of {} domains are less than one batch, "
                                          "pretrain.batch = {}",
                                          scene_.pretrain.samples, images_.size(), scene_.pretrain.domains,
                                          scene_.pretrain.batch));
        }
        if (here.root()) {
            check_output();
        }
        if (given.dry_run) {
            return;
        }
        set_torch_threads(scene_.runtime.threads);
        const auto start = weight_store::random(scene_.model.vit, scene_.seed);
        backbone_ = make_backbone(scene_.model.vit, [&](const tensor_spec& spec) {
            auto tensor = at::from_blob(const_cast<float*>(start->tensor(spec.name).data()), spec.shape).clone();
            parameters_.push_back(tensor.requires_grad_(true));
            names_.push_back(spec.name);
            return tensor;
        });
        head_weight_ = at::zeros({scene_.data.classes, scene_.model.vit.dim}).requires_grad_(true);
        head_bias_ = at::zeros({scene_.data.classes}).requires_grad_(true);
        parameters_.push_back(head_weight_);
        parameters_.push_back(head_bias_);
        for (std::int64_t shard = here.rank(); shard < shards; shard += here.ranks()) {
            mine_.push_back(shard);
        }
    }

    void run() {
        here_.watch("pretraining", scene_.runtime.silence);
        for (int rank = 0; rank < here_.ranks(); ++rank) {
            everyone_.push_back(rank);
        }
        here_.network().prepare(everyone_);
        const auto begin = std::chrono::steady_clock::now();
        const auto batch = static_cast<std::size_t>(scene_.pretrain.batch);
        const auto batches = images_.size() / batch;
        const auto total = batches * static_cast<std::size_t>(scene_.pretrain.epochs);
        optimizer steps({optimizer_kind::adamw, 0.0, 0.05});
        double loss = 0;
        for (int epoch = 0; epoch < scene_.pretrain.epochs; ++epoch) {
            const auto order = random_stream(scene_.seed, "pretrain", "order", static_cast<std::uint32_t>(epoch))
                                   .permutation(images_.size());
            for (std::size_t b = 0; b < batches; ++b) {
                const auto done = static_cast<std::size_t>(epoch) * batches + b;
                here_.note(fmt::format("pretraining step {}", done));
                session::check_interrupt();
                loss += train_batch({order.data() + b * batch, batch});
                steps.step(parameters_, learning_rate(done, total));
                if (here_.root()) {
                    progress_.update(done + 1, total,
                                     fmt::format("pre-training, epoch {}/{}", epoch + 1, scene_.pretrain.epochs));
                }
            }
            if (here_.root()) {
                progress_.clear();
                spdlog::info("epoch {}: training loss {:.4f}, accuracy {:.4f}", epoch + 1,
                             loss_sum_ / static_cast<double>(seen_),
                             static_cast<double>(correct_) / static_cast<double>(seen_));
                loss_sum_ = 0;
                seen_ = correct_ = 0;
            }
        }
        progress_.finish();
        here_.network().barrier();
        if (here_.root()) {
            write();
            const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
            fmt::print("pre-trained on {} images of {} domains in {:.1f} s: {}\n", total * batch,
                       scene_.pretrain.domains, elapsed.count(), scene_.output);
        }
    }

    /// What a dry run prints.
    std::string describe() const {
        return fmt::format("{} epochs of {} images of {} domains, {} classes, {} pixels; {}\n", scene_.pretrain.epochs,
                           images_.size(), scene_.pretrain.domains, scene_.data.classes, scene_.model.vit.image,
                           scene_.output);
    }

private:
    void check_output() const {
        if (std::filesystem::exists(scene_.output) && !scene_.overwrite) {
            throw usage_error("output " + scene_.output + " exists; give another output, or overwrite = on");
        }
        atomic_file probe(scene_.output); // fails now rather than after the training
    }

    double learning_rate(std::size_t done, std::size_t total) const {
        const double warm_up = 0.1 * static_cast<double>(total);
        const auto at = static_cast<double>(done);
        if (at < warm_up) {
            return scene_.pretrain.lr * (at + 1) / warm_up;
        }
        const double progress = (at - warm_up) / (static_cast<double>(total) - warm_up);
        return scene_.pretrain.lr * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    }

    /// Gradients of the batch's mean loss end in every parameter's .grad, equal on all ranks.
    double train_batch(std::span<const std::size_t> batch) {
        std::int64_t elements = 0;
        for (const auto& parameter : parameters_) {
            elements += parameter.numel();
        }
        sums_->assign(static_cast<std::size_t>(elements), 0);
        double loss = 0;
        for (const auto shard : mine_) {
            const auto first = batch.size() * static_cast<std::size_t>(shard) / shards;
            const auto end = batch.size() * static_cast<std::size_t>(shard + 1) / shards;
            loss += train_shard(batch.subspan(first, end - first), batch.size());
            std::size_t at = 0;
            for (auto& parameter : parameters_) {
                const auto gradient = parameter.grad().contiguous();
                const auto* values = gradient.data_ptr<float>();
                for (std::int64_t i = 0; i < gradient.numel(); ++i) {
                    if (!(std::abs(values[i]) < largest_gradient)) { // also for what is not a number
                        throw runtime_failure("pre-training diverged: a gradient is not finite or too large; a smaller "
                                              "pretrain.lr may help");
                    }
                    (*sums_)[at++] += std::llrint(std::ldexp(static_cast<double>(values[i]), gradient_bits));
                }
                parameter.mutable_grad().reset();
            }
        }
        const auto pending = here_.network().sum(sums_, everyone_);
        while (!pending->done()) {
            std::this_thread::yield();
        }
        std::size_t at = 0;
        for (auto& parameter : parameters_) {
            auto gradient = at::empty_like(parameter, at::TensorOptions().requires_grad(false));
            auto* values = gradient.data_ptr<float>();
            for (std::int64_t i = 0; i < gradient.numel(); ++i) {
                values[i] = static_cast<float>(std::ldexp(static_cast<double>((*sums_)[at++]), -gradient_bits));
            }
            parameter.mutable_grad() = gradient;
        }
        return loss;
    }

    double train_shard(std::span<const std::size_t> indices, std::size_t batch) {
        const auto n = static_cast<std::int64_t>(indices.size()), size = scene_.model.vit.image;
        auto images = at::empty({n, 3, size, size});
        auto labels = at::empty({n}, at::kLong);
        for (std::int64_t i = 0; i < n; ++i) {
            images_.load(indices[static_cast<std::size_t>(i)], images.data_ptr<float>() + i * 3 * size * size,
                         labels.data_ptr<std::int64_t>() + i);
        }
        auto tokens = backbone_.embed(images);
        for (std::int64_t block = 0; block < scene_.model.vit.depth; ++block) {
            tokens = backbone_.block(block)(tokens);
        }
        const auto logits = at::linear(backbone_.normalise(cls_of(tokens)), head_weight_, head_bias_);
        const auto loss = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum) / static_cast<double>(batch);
        run_backward(loss, {});
        const double value = loss.item<double>();
        loss_sum_ += value * static_cast<double>(batch);
        seen_ += n;
        correct_ += logits.argmax(1).eq(labels).sum().item<std::int64_t>();
        return value;
    }

    void write() const {
        std::vector<tensor_to_write> tensors;
        for (std::size_t i = 0; i < names_.size(); ++i) {
            tensors.emplace_back(names_[i], to_view(parameters_[i]));
        }
        tensors.emplace_back("head.weight", to_view(head_weight_));
        tensors.emplace_back("head.bias", to_view(head_bias_));
        write_safetensors(scene_.output, tensors,
                          {{"mean", numbers_text(scene_.data.mean)},
                           {"std", numbers_text(scene_.data.std)},
                           {"heads", std::to_string(scene_.model.vit.heads)},
                           {"ln_eps", "1e-6"}});
    }

    session& here_;
    scenario scene_;
    images_of_other_domains images_;
    progress progress_;
    vit_backbone backbone_;
    std::vector<at::Tensor> parameters_; ///< The backbone's in the order of names_, then the head's.
    std::vector<std::string> names_;
    at::Tensor head_weight_, head_bias_;
    std::vector<int> everyone_;      ///< All ranks
    std::vector<std::int64_t> mine_; ///< Shards of this rank.
    sum_buffer sums_ = std::make_shared<std::vector<std::int64_t>>();
    double loss_sum_ = 0; ///< Of this rank's shards in the epoch.
    std::int64_t seen_ = 0, correct_ = 0;
};

} // namespace

exit_code pretrain(const command_line& given, session& here) {
    pretraining job(given, here);
    if (!given.dry_run) {
        job.run();
    } else if (here.root()) {
        fmt::print("{}", job.describe());
    }
    return exit_code::ok;
}

} // namespace gaisnet
