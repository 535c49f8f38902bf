#include "base/version.hpp"
#include "commands.hpp"
#include "experiment/preparation.hpp"
#include "settings/help.hpp"
#include "settings/identity.hpp"
#include "settings/options.hpp"
#include "settings/sources.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace gaisnet;

void start_log(const std::string& level, bool root) {
    auto log = spdlog::stderr_color_mt("gaisnet");
    log->set_pattern("%H:%M:%S %^%l%$: %v");
    log->set_level(root ? spdlog::level::from_str(level) : spdlog::level::err);
    spdlog::set_default_logger(log);
}

exit_code run(const command_line& given, session& here) {
    if (given.print_config) {
        read_scenario(given.values, service_of(given));
        if (here.root()) {
            fmt::print("{}", print_config(given.values));
        }
        return exit_code::ok;
    }
    for (const auto& line : here.root() ? settings_without_effect(given) : std::vector<std::string>()) {
        spdlog::warn("{}", line);
    }
    return registry<command_action>::at(given.command, "command").run(given, here);
}

/// Training frees and takes tensors of the same sizes all the time. The system would have to clear their pages anew.
void keep_freed_memory() {
    constexpr int mib = 1 << 20;
    mallopt(M_MMAP_THRESHOLD, 32 * mib); // the most that glibc accepts
    mallopt(M_TRIM_THRESHOLD, 512 * mib);
    mallopt(M_TOP_PAD, 64 * mib);
}

} // namespace

int main(int argc, char** argv) {
    keep_freed_memory();
    std::unique_ptr<session> here;
    try {
        here = std::make_unique<session>(argc, argv);
        try {
            const auto given = parse_command_line({argv + 1, argv + argc}, process_environment());
            start_log(given.log_level, here->root());
            if (given.help || given.version) {
                const auto help = given.help ? help_text(given.command, given.topic) : std::string();
                if (here->root() && given.help) {
                    fmt::print("{}", help);
                } else if (here->root()) {
                    fmt::print("gaisnet {} ({})\n", software_version, git_version);
                    for (const auto& [name, version] : library_versions(*here)) {
                        fmt::print("  {} {}\n", name, version);
                    }
                    fmt::print("  devices: {}\n", accelerator_summary());
                }
                return 0;
            }
            if (given.man_page || !given.completion.empty()) {
                const auto script = given.man_page ? man_page() : completion_script(given.completion);
                if (here->root()) {
                    fmt::print("{}", script);
                }
                return 0;
            }
            const auto code = run(given, *here);
            here->end_together();
            return static_cast<int>(code);
        } catch (const error& problem) {
            return here->fail(problem);
        } catch (const std::exception& problem) {
            return here->fail(runtime_failure(problem.what()));
        }
    } catch (const error& problem) {
        fmt::print(stderr, "gaisnet: error: {}\n", problem.what());
        return static_cast<int>(problem.code());
    }
}
