#include "experiment/found_checkpoint.hpp"

#include "base/error.hpp"
#include "settings/identity.hpp"
#include "transport/collectives.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <filesystem>
#include <iterator>

namespace gaisnet {

namespace {

/// The newest complete checkpoint.
std::optional<checkpoint> read_newest(const std::filesystem::path& folder, bool root, std::string& where) {
    const auto all = complete_checkpoints(folder);
    for (auto one = all.rbegin(); one != all.rend(); ++one) {
        try {
            where = one->string();
            return read_checkpoint(*one);
        } catch (const other_version&) {
            throw;
        } catch (const usage_error& problem) {
            if (root) {
                spdlog::warn("{}; {}", problem.what(),
                             std::next(one) == all.rend() ? "there is no other, so the run begins anew"
                                                          : "the one before is taken");
            }
        }
    }
    if (all.empty() && root) {
        spdlog::info("resume = auto: no checkpoint in {}, starting from the beginning", folder.string());
    }
    return std::nullopt;
}

/// The checkpoint from which this rank resumes.
std::optional<checkpoint> read_own_checkpoint(const scenario& scene, const std::string& identity, bool root,
                                              const char* unit) {
    std::string where = scene.resume;
    const bool is_folder_of_some = !complete_checkpoints(where).empty();
    const auto state = scene.resume == "auto" ? read_newest(checkpoint_folder(scene.output), root, where)
                       : is_folder_of_some    ? read_newest(where, root, where)
                                              : std::optional(read_checkpoint(where));
    if (!state) {
        return std::nullopt;
    }
    if (state->identity != identity) {
        throw usage_error("checkpoint " + where +
                          " belongs to another scenario: " + difference(state->identity, identity));
    }
    if (root) {
        spdlog::info("resuming after {} {} from {}", unit, state->step, where);
    }
    return state;
}

} // namespace

std::optional<checkpoint> find_checkpoint(const scenario& scene, const std::string& identity, session& here,
                                          const char* unit) {
    if (scene.resume.empty()) {
        return std::nullopt;
    }
    auto state = read_own_checkpoint(scene, identity, here.root(), unit);
    const auto contents = collect_at_root(here.network(), state ? state->content : std::uint64_t{0});
    for (std::size_t rank = 1; rank < contents.size(); ++rank) {
        if (contents[rank] != contents.front()) {
            throw runtime_failure(fmt::format("resume = {}: rank {} found another checkpoint than rank 0, or none: the "
                                              "folder has to be the same on all computers",
                                              scene.resume, rank));
        }
    }
    return state;
}

} // namespace gaisnet
