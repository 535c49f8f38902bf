#include "experiment/pretraining.hpp"

#include "base/atomic_file.hpp"
#include "settings/identity.hpp"
#include "transport/collectives.hpp"

#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "base/random.hpp"
#include "experiment/cloud_samples.hpp"
#include "experiment/found_checkpoint.hpp"
#include "experiment/gradient_sum.hpp"
#include "experiment/output_paths.hpp"
#include "experiment/preparation.hpp"
#include "experiment/workload.hpp"
#include "model/files/safetensors.hpp"
#include "model/files/weight_store.hpp"
#include "model/language/language_modelling.hpp"
#include "model/torch/backbone.hpp"
#include "model/torch/optimizer.hpp"
#include "model/torch/pretraining.hpp"
#include "model/torch/torch_support.hpp"
#include "model/vit/masked_modelling.hpp"
#include "rounds/checkpoint.hpp"
#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>
#include <optional>

namespace gaisnet {

namespace {

/// The optimiser's name in a checkpoint.
constexpr const char* state_name = "pretraining";

/// Totals over a shard's samples in an epoch.
struct shard_totals {
    double loss_sum = 0;
    std::int64_t correct = 0, predictions = 0, samples = 0;
};

} // namespace

class pretraining::parts {
public:
    parts(const configuration& given, session& here)
        : here_(here)
        , scene_(checked(given, here))
        , samples_(watched(scene_, here), here, !given.dry_run)
        , batches_(samples_.size() / static_cast<std::size_t>(scene_.pretrain.batch))
        , progress_(given.progress) {
        objective_ = make_objective();
        if (batches_ == 0) {
            throw usage_error(fmt::format("pretrain.batch = {}: {} has {} sample(s); at most as many are accepted",
                                          scene_.pretrain.batch, samples_.origin(), samples_.size()));
        }
        identity_ = identity(given.values, given.command);
        if (!scene_.pretrain.root.empty()) {
            identity_ += fmt::format("pretrain.root.hash = {:016x}\n", samples_.content());
        }
        if (here.root()) {
            if (scene_.data.source != data_source::procedural && scene_.pretrain.root.empty()) {
                spdlog::warn("data.source is of the edges' samples; a foundation model is pre-trained on "
                             "procedural domains here, and on a folder that pretrain.root names");
            }
            done_ = check_output();
        }
        done_ = share_from_root(here.network(), done_);
    }

    const std::string& outcome() const { return outcome_; }

    run_ending run() {
        if (done_) {
            if (here_.root()) {
                spdlog::info("resume = auto: {} is there, made by this command with these settings", scene_.output);
                remove_checkpoints();
            }
            return run_ending::was_there;
        }
        make_model();
        resume();
        for (int rank = 0; rank < here_.ranks(); ++rank) {
            everyone_.push_back(rank);
        }
        here_.network().prepare(everyone_);
        for (std::int64_t shard = here_.rank(); shard < scene_.pretrain.shards; shard += here_.ranks()) {
            mine_.push_back(shard);
        }
        const auto begin = std::chrono::steady_clock::now();
        const auto before = epochs_done_;
        session::check_interrupt();
        session::begin_steps();
        while (epochs_done_ < scene_.pretrain.epochs) {
            if (!train_epoch()) {
                return run_ending::requeue;
            }
        }
        progress_.finish();
        here_.network().barrier();
        if (here_.root()) {
            write();
            remove_checkpoints();
            const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
            outcome_ = fmt::format("pre-trained for {} epoch(s) of {} {} of {} in {:.1f} s: {}\n",
                                   epochs_done_ - before, batches_ * static_cast<std::size_t>(scene_.pretrain.batch),
                                   kind_of_samples(), samples_.origin(), elapsed.count(), scene_.output);
        }
        return run_ending::complete;
    }

    std::string description() const {
        return fmt::format("{} epoch(s) of {} {} of {}, {}, {} {}; {}\n", scene_.pretrain.epochs, samples_.size(),
                           kind_of_samples(), samples_.origin(), objective_->description(),
                           samples_.words() ? scene_.model.tokens : scene_.model.image,
                           samples_.words() ? "tokens" : "pixels", scene_.output);
    }

private:
    static scenario checked(const configuration& given, const session& here) {
        auto scene = read_scenario(given.values);
        if (given.values.at("output").is_default()) {
            scene.output = "gaisnet.safetensors";
        }
        check_outputs(given, scene);
        if (here.ranks() > scene.pretrain.shards) {
            throw usage_error(fmt::format("pretrain.shards = {}: a batch is cut into as many parts, but {} ranks were "
                                          "started: at least {} shards, or fewer ranks, are accepted",
                                          scene.pretrain.shards, here.ranks(), here.ranks()));
        }
        if (scene.compute.device == device_choice::cuda || scene.compute.precision != compute_precision::fp32) {
            throw usage_error(
                "pretrain computes on CPUs in fp32: device = cpu or auto with precision = fp32 is accepted");
        }
        return scene;
    }

    static const scenario& watched(const scenario& scene, session& here) {
        here.watch("pretraining", scene.runtime.silence);
        return scene;
    }

    const char* kind_of_samples() const { return samples_.words() ? "texts" : "images"; }

    /// \throws usage_error for one that the family cannot have.
    std::unique_ptr<pretraining_objective> make_objective() const {
        const auto refuse = [&](const std::string& why) {
            throw usage_error("pretrain.objective: model.family = " + scene_.model.family + " " + why);
        };
        const auto objective = pretraining_of(scene_);
        if (objective == pretraining_kind::supervised) {
            return make_supervised(*model_, samples_.classes());
        }
        if (objective == pretraining_kind::next_token) {
            if (!model_->causal()) {
                refuse("does not tell next tokens; supervised or masked is accepted");
            }
            return make_next_token_modelling();
        }
        if (const auto* images = dynamic_cast<const vit*>(model_.get())) {
            return std::make_unique<masked_modelling>(*images, scene_.pretrain.mask, scene_.seed);
        }
        if (!model_->takes_tokens() || model_->causal()) {
            refuse("has nothing to be masked; " + std::string(model_->causal() ? "next_token" : "supervised") +
                   " is accepted");
        }
        const auto& words = samples_.words()->specials();
        const auto mask = words.mask ? words.mask : words.unknown;
        if (!mask) {
            throw usage_error("data.tokenizer: it has no token that masks others ([MASK]), nor one for unknown words");
        }
        return make_masked_tokens(*model_, {scene_.pretrain.mask, *mask, samples_.form().noise.kept, scene_.seed});
    }

    /// \returns true when this model already exists and resume = auto has nothing left to do.
    bool check_output() const {
        const auto folder = checkpoint_folder(scene_.output);
        std::error_code code;
        const bool exists = std::filesystem::exists(scene_.output, code);
        if (exists && !std::filesystem::is_regular_file(scene_.output, code)) {
            throw usage_error("output " + scene_.output + " is not a regular file; another output is accepted");
        }
        if (!scene_.overwrite && exists) {
            if (scene_.resume == "auto" && identity_of(scene_.output) == identity_hash()) {
                return true;
            }
            throw usage_error("output " + scene_.output + " exists; give another output, or overwrite = on");
        }
        if (!scene_.overwrite && scene_.resume.empty() && newest_checkpoint(folder)) {
            throw usage_error("output " + scene_.output + ": " + folder.string() +
                              " has checkpoints of a run that did not end; resume = auto goes on with it, and "
                              "overwrite = on begins anew");
        }
        try {
            atomic_file probe(scene_.output); // fails now instead of after the training
        } catch (const runtime_failure& reason) {
            throw usage_error(std::string(reason.what()) +
                              "; output has to name a file in a folder that exists and may be written");
        }
        return false;
    }

    std::string identity_hash() const { return fmt::format("{:016x}", stable_hash(identity_)); }
    /// The identity stored in a model's file; empty if there is none.
    static std::string identity_of(const std::string& path) {
        try {
            const safetensors_file file(path);
            const auto found = file.metadata().find("identity");
            return found == file.metadata().end() ? std::string() : found->second;
        } catch (const error&) { // not a safetensors file
            return {};
        }
    }

    void make_model() {
        set_torch_threads(scene_.runtime.threads);
        const auto start = weight_store::random(model_, scene_.seed);
        backbone_ = make_backbone(model_, [&](const tensor_spec& spec) {
            auto tensor = at::from_blob(const_cast<float*>(start->tensor(spec.name).data()), spec.shape).clone();
            parameters_.push_back(tensor.requires_grad_(true));
            names_.push_back(spec.name);
            return tensor;
        });
        backbone_size_ = names_.size();
        for (const auto& [name, tensor] : objective_->parameters()) {
            names_.push_back(name);
            parameters_.push_back(tensor);
        }
        sum_.emplace(parameters_);
    }

    void resume() {
        auto state = find_checkpoint(scene_, identity_, here_, "epoch");
        if (!state) {
            if (here_.root() && scene_.resume.empty()) {
                remove_checkpoints_after(checkpoint_folder(scene_.output), 0); // overwrite = on, or there are none
            }
            return;
        }
        auto& kept = state->stages[state_name];
        std::vector<at::Tensor> first, second;
        for (std::size_t i = 0; i < names_.size(); ++i) {
            const auto take = [&](const std::string& kind) {
                const auto found = kept.tensors.find(kind + "." + names_[i]);
                if (found == kept.tensors.end() || found->second.shape != parameters_[i].sizes().vec()) {
                    throw usage_error("resume = " + scene_.resume + ": the checkpoint is damaged: " + kind + " of " +
                                      names_[i] + " is missing, or has another shape");
                }
                return to_torch(found->second).clone();
            };
            parameters_[i].detach().copy_(take("value"));
            first.push_back(take("first"));
            second.push_back(take("second"));
        }
        optimizer_.restore(std::move(first), std::move(second), kept.steps);
        epochs_ = std::move(state->rounds);
        epochs_done_ = static_cast<int>(epochs_.size());
        if (here_.root()) {
            remove_checkpoints_after(checkpoint_folder(scene_.output), epochs_.size());
        }
    }

    /// \returns false when the run has to stop for now; then it has written a checkpoint.
    bool train_epoch() {
        const auto begin = std::chrono::steady_clock::now();
        const auto batch = static_cast<std::size_t>(scene_.pretrain.batch);
        const auto epoch = static_cast<std::uint32_t>(epochs_done_);
        const auto total = batches_ * static_cast<std::size_t>(scene_.pretrain.epochs);
        const auto order = random_stream(scene_.seed, "pretrain", "order", epoch).permutation(samples_.size());
        totals_.assign(static_cast<std::size_t>(scene_.pretrain.shards), {});
        for (std::size_t b = 0; b < batches_; ++b) {
            const auto done = epoch * batches_ + b;
            here_.note(fmt::format("pretraining step {}", done));
            session::check_interrupt();
            train_batch({order.data() + b * batch, batch}, epoch);
            optimizer_.step(parameters_, learning_rate(done, total));
            if (here_.root()) {
                progress_.update(done + 1, total,
                                 fmt::format("pre-training, epoch {}/{}", epoch + 1, scene_.pretrain.epochs));
            }
        }
        ++epochs_done_;
        const bool stop = add_up(begin);
        const bool last = epochs_done_ == scene_.pretrain.epochs;
        const auto every = scene_.checkpoint.every;
        if (here_.root() && !last && (stop || (every > 0 && epochs_done_ % every == 0))) {
            save();
        }
        if (stop && !last && here_.root()) {
            spdlog::warn("stopped by a signal after epoch {}; go on with --resume auto", epochs_done_);
        }
        return !stop || last;
    }

    /// Sums up and reports the epoch's results. \returns whether any rank was asked to stop, the same on all ranks.
    bool add_up(std::chrono::steady_clock::time_point begin) {
        std::map<std::int64_t, shard_totals> own; // indexed by shard
        for (const auto shard : mine_) {
            own[shard] = totals_[static_cast<std::size_t>(shard)];
        }
        bool stop = false;
        for (const auto& [asked, its] :
             collect_at_root(here_.network(), std::pair(session::requeue_requested(), own))) {
            stop = stop || asked;
            for (const auto& [shard, totals] : its) {
                totals_[static_cast<std::size_t>(shard)] = totals;
            }
        }
        stop = share_from_root(here_.network(), stop);
        if (here_.root()) {
            shard_totals all;
            for (const auto& one : totals_) {
                all.loss_sum += one.loss_sum;
                all.correct += one.correct;
                all.predictions += one.predictions;
                all.samples += one.samples;
            }
            const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
            round_result result;
            result.accuracy = result.loss = result.bits_per_byte = std::numeric_limits<double>::quiet_NaN();
            result.train_loss = all.loss_sum / static_cast<double>(all.samples);
            result.train_accuracy = all.predictions == 0
                                        ? std::numeric_limits<double>::quiet_NaN()
                                        : static_cast<double>(all.correct) / static_cast<double>(all.predictions);
            result.wall_s = elapsed.count();
            epochs_.push_back({result});
            progress_.clear();
            spdlog::info("epoch {}: {}", epochs_done_, objective_->said(result.train_loss, result.train_accuracy));
        }
        return stop;
    }

    void save() {
        here_.note("checkpoint");
        checkpoint state;
        state.identity = identity_;
        state.step = epochs_.size();
        state.rounds = epochs_;
        state.models = {tensor_view::allocate({0})};
        auto& kept = state.stages[state_name];
        kept.steps = optimizer_.steps();
        for (std::size_t i = 0; i < names_.size(); ++i) {
            kept.tensors["value." + names_[i]] = to_view(parameters_[i]);
            kept.tensors["first." + names_[i]] = to_view(optimizer_.first_moments()[i]);
            kept.tensors["second." + names_[i]] = to_view(optimizer_.second_moments()[i]);
        }
        write_checkpoint(checkpoint_folder(scene_.output), state, scene_.checkpoint.keep);
    }

    /// Removes the checkpoints: the model is complete, so nobody needs them.
    void remove_checkpoints() const {
        const auto folder = checkpoint_folder(scene_.output);
        remove_checkpoints_after(folder, 0);
        std::error_code ignored; // the folder may contain other files
        std::filesystem::remove(folder, ignored);
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

    /// Computes the gradients of the batch's mean loss into every parameter's .grad, the same on all ranks.
    void train_batch(std::span<const std::size_t> batch, std::uint32_t epoch) {
        const auto shards = static_cast<std::size_t>(scene_.pretrain.shards);
        sum_->clear();
        for (const auto shard : mine_) {
            const auto number = static_cast<std::size_t>(shard);
            const auto first = batch.size() * number / shards, end = batch.size() * (number + 1) / shards;
            train_shard(batch.subspan(first, end - first), batch.size(), epoch, totals_[number]);
            sum_->take(parameters_);
        }
        if (!sum_->exchange(parameters_, here_.network(), everyone_)) {
            throw runtime_failure("pre-training diverged: a gradient is not finite or too large; a smaller "
                                  "pretrain.lr may help",
                                  true);
        }
    }

    void train_shard(std::span<const std::size_t> indices, std::size_t batch, std::uint32_t epoch,
                     shard_totals& totals) {
        const auto loaded = samples_.load(indices, epoch);
        pretraining_batch some{to_torch(loaded.inputs), to_torch(loaded.labels), {}};
        if (!loaded.padding.empty() && !samples_.form().next_tokens) {
            some.padding = to_torch(loaded.padding);
        }
        std::vector<std::string> names;
        for (const auto index : indices) {
            names.push_back(samples_.name(index));
        }
        objective_->draw(some, names, epoch);
        const auto result = objective_->evaluate(backbone_, some);
        run_backward(result.loss_sum / static_cast<double>(batch), {});
        totals.loss_sum += result.loss_sum.item<double>();
        totals.correct += result.correct;
        totals.predictions += result.predictions;
        totals.samples += static_cast<std::int64_t>(indices.size());
    }

    /// Writes the backbone, as files of its family have it, and, if the objective was classification, the head.
    void write() const {
        const auto specs = model_->tensors();
        std::vector<tensor_to_write> tensors;
        std::vector<at::Tensor> turned; // until they are written
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if (i < backbone_size_ && model_->transposed_in_files(specs[i])) {
                turned.push_back(parameters_[i].detach().t().contiguous());
                tensors.emplace_back(names_[i], to_view(turned.back()));
            } else if (i < backbone_size_ || objective_->keeps_parameters()) {
                tensors.emplace_back(names_[i], to_view(parameters_[i]));
            }
        }
        std::map<std::string, std::string> metadata{
            {"heads", std::to_string(scene_.model.heads)},
            {"objective", std::string(name_in(pretraining_words, pretraining_of(scene_)))},
            {"identity", identity_hash()}};
        if (!samples_.words()) {
            metadata["mean"] = numbers_text(scene_.data.mean);
            metadata["std"] = numbers_text(scene_.data.std);
            metadata["ln_eps"] = "1e-6";
        }
        write_safetensors(scene_.output, tensors, metadata);
    }

    session& here_;
    scenario scene_;
    std::shared_ptr<const foundation_model> model_ = gaisnet::make_model(scene_);
    cloud_samples samples_;
    std::size_t batches_; ///< Per epoch; the remaining images are not used.
    progress progress_;
    std::string identity_;
    bool done_ = false; ///< By an earlier run.
    model_backbone backbone_;
    std::unique_ptr<pretraining_objective> objective_;
    std::vector<at::Tensor> parameters_; ///< Those of the backbone, then those of the objective.
    std::vector<std::string> names_;     ///< Names of parameters_.
    std::size_t backbone_size_ = 0;      ///< Number of the backbone's tensors.
    optimizer optimizer_{{optimizer_kind::adamw, 0.0, 0.05}};
    int epochs_done_ = 0;
    std::vector<std::vector<round_result>> epochs_; ///< Rank 0: results by epoch, stored as if for one edge.
    std::vector<int> everyone_;                     ///< All ranks.
    std::vector<std::int64_t> mine_;                ///< The shards of this rank.
    std::optional<gradient_sum> sum_;
    std::vector<shard_totals> totals_; ///< In this epoch, indexed by shard.
    std::string outcome_;              ///< Rank 0
};

pretraining::pretraining(const configuration& given, session& here): parts_(std::make_unique<parts>(given, here)) {}
pretraining::~pretraining() = default;
std::string pretraining::description() const { return parts_->description(); }
run_ending pretraining::run() { return parts_->run(); }
const std::string& pretraining::outcome() const { return parts_->outcome(); }

} // namespace gaisnet
