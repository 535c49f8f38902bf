#include "slurm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>

namespace gaisnet {

std::string sbatch_line(const command_line& given, const scenario& scene, int ranks) {
    const auto quoted = [](const std::string& word) {
        const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char letter) {
            return std::isalnum(letter) ||
                   std::string_view("_-./=:,+@%").find(static_cast<char>(letter)) != std::string_view::npos;
        });
        std::string out = "'";
        for (const char letter : word) {
            out += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
        }
        return plain ? word : out + "'";
    };
    // Beside the rank's own thread there are those that decode, the heartbeat, CUDA's and NCCL's proxy.
    constexpr int cores_a_gpu = 8;
    const int for_gpus = (cores_a_gpu * scene.job.gpus_per_node * scene.job.nodes + ranks - 1) / ranks;
    std::string line = fmt::format("sbatch --nodes={} --ntasks={} --cpus-per-task={}", scene.job.nodes, ranks,
                                   std::max(scene.runtime.threads, for_gpus));
    if (scene.job.gpus_per_node > 0) {
        line += fmt::format(" --gpus-per-node={}", scene.job.gpus_per_node);
    }
    const auto minutes = static_cast<long>(std::ceil(scene.job.time / 60.0));
    line += fmt::format(" --time={}", minutes);
    // The script asks for a notice of 120 s, and Slurm may give it 60 s early: of a short job that is all of its time.
    if (constexpr long least_minutes = 8; minutes < least_minutes) {
        line += fmt::format(" --signal=B:USR1@{}", 15 * minutes);
    }
    line += " slurm/run.sbatch";
    for (const auto& word : given.arguments) {
        if (word != "--dry-run" && word != "--dry_run") {
            line += " " + quoted(word);
        }
    }
    return line;
}

} // namespace gaisnet
