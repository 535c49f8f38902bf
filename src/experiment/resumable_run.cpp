#include "experiment/resumable_run.hpp"

#include "base/mapped_file.hpp"
#include "experiment/found_checkpoint.hpp"
#include "settings/identity.hpp"
#include "transport/collectives.hpp"

#include "base/random.hpp"
#include "rounds/describe.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <system_error>

namespace gaisnet {

namespace {

/// Everything that decides the results: weights and images by content, not by path, and settings.
std::string identity_of_run(const configuration& given, const prepared_run& run, const loaded_backbone& backbone,
                            const session& here) {
    const auto& scene = *run.scene;
    auto text = identity(given.values, given.command);
    if (scene.model.weights != "random") {
        text += fmt::format("model.weights.hash = {:016x}\n", backbone.fingerprint());
    }
    if (scene.data.source != data_source::procedural || !scene.infer.images.empty() || !scene.infer.prompts.empty()) {
        text += fmt::format("samples.hash = {:016x}\n", run.data->fingerprint());
    }
    for (const auto& path : given.command == "infer" ? scene.infer.modules : std::vector<std::string>()) {
        std::error_code code;
        const auto file = mapped_file::open(path, code);
        if (code) {
            throw usage_error("infer.modules: " + path + " cannot be read: " + code.message());
        }
        text += fmt::format("infer.modules.hash = {:016x}\n",
                            stable_hash({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}));
    }
    text += hashes_of_files(given.values);
    return text + fmt::format("device.kind = {}\n", here.devices().cuda ? "cuda" : "cpu");
}

} // namespace

resumable_run::resumable_run(const configuration& given, const prepared_run& run, const loaded_backbone& backbone,
                             session& here, const char* unit, bool keeps)
    : run_(run)
    , here_(here)
    , unit_(unit)
    , keeps_(keeps)
    , identity_(keeps ? identity_of_run(given, run, backbone, here) : std::string()) {}

bool resumable_run::has_ended(const std::vector<std::filesystem::path>& others) {
    bool ended = false;
    if (!keeps_) {
        return false;
    }
    if (here_.root()) {
        const auto& scene = *run_.scene;
        mark_ = marked_run(checkpoint_folder(scene.output));
        const auto is_there = [](const std::filesystem::path& path) {
            std::error_code ignored;
            return std::filesystem::exists(path, ignored);
        };
        ended = scene.resume == "auto" && mark_.ended && mark_.identity == identity_ && is_there(scene.output) &&
                std::all_of(others.begin(), others.end(), is_there);
        if (ended) {
            spdlog::info("resume = auto: the run of {} has come to its end; nothing is left to do", scene.output);
        }
    }
    return share_from_root(here_.network(), ended);
}

const std::optional<checkpoint>& resumable_run::find() {
    if (keeps_) {
        from_ = find_checkpoint(*run_.scene, identity_, here_, unit_);
    }
    return from_;
}

void resumable_run::open(run_header header, recorder_options options) {
    options.next_tokens = run_.scene->model.tells_next_tokens();
    if (!here_.root() || !keeps_) {
        return;
    }
    const auto& scene = *run_.scene;
    const bool own = !scene.resume.empty() && mark_.identity == identity_; // then the file may be written again
    options.overwrite = scene.overwrite || own;
    options.hidden = true;
    options.chains = describe_chains(*run_.deploy);
    header.identity = identity_;
    if (from_) {
        header.created = from_->created;
    }
    if (!scene.resume.empty() && !options.overwrite && !mark_.identity.empty() &&
        std::filesystem::exists(scene.output)) {
        throw usage_error("output " + scene.output + " belongs to another scenario: " +
                          difference(mark_.identity, identity_) + "; another output, or overwrite = on, is accepted");
    }
    recorder_.emplace(recorder::create(scene.output, header, describe_nodes(*run_.deploy, run_.rank_of),
                                       describe_links(*run_.deploy), options));
}

void resumable_run::publish() {
    if (!here_.root() || !keeps_) {
        return;
    }
    const auto folder = checkpoint_folder(run_.scene->output);
    remove_checkpoints_after(folder, steps_before()); // left by another run with this output, or from a later step
    try {
        mark_run(folder, {identity_, false});
        recorder_->publish();
    } catch (const runtime_failure& failure) {
        throw usage_error(std::string(failure.what()) + "; another output is accepted");
    }
}

void resumable_run::save(checkpoint&& state) const {
    if (!here_.root() || !keeps_) {
        return;
    }
    state.identity = identity_;
    state.created = recorder_->created();
    write_checkpoint(checkpoint_folder(run_.scene->output), state, run_.scene->checkpoint.keep);
}

void resumable_run::end(const std::string& reason, bool converged) {
    if (here_.root() && keeps_) {
        recorder_->finish(run_status::complete, reason, converged);
        mark_run(checkpoint_folder(run_.scene->output), {identity_, true});
    }
}

void resumable_run::stop(const std::string& reason, bool converged) {
    if (here_.root() && keeps_) {
        recorder_->finish(run_status::aborted, reason, converged);
        const bool resumable = newest_checkpoint(checkpoint_folder(run_.scene->output)).has_value();
        spdlog::warn("{}{}", reason, resumable ? "; go on with --resume auto" : "; there is no checkpoint");
    }
}

resumable_run::request resumable_run::asked_to_stop() const {
    request any;
    for (const auto& one :
         collect_at_root(here_.network(), request{session::requeue_requested(), session::interrupted()})) {
        any.requeue = any.requeue || one.requeue;
        any.interrupted = any.interrupted || one.interrupted;
    }
    return any;
}

} // namespace gaisnet
