#pragma once

#include "base/progress.hpp"
#include "settings/values.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// What is to be run: settings by key, each with where it came from.
///
///     const auto given = configuration::from_file("x.cfg").set("train.rounds", "5");
struct configuration {
    std::string command = "finetune"; ///< finetune, infer, serve, plan, pretrain
    settings values;                  ///< Every key; see default_settings().
    std::vector<std::string> files{}; ///< Config files that were read.
    bool dry_run = false;             ///< Only checks and forecasts are wanted.
    progress_mode progress = progress_mode::none;

    /// All defaults.
    static configuration defaults(std::string command = "finetune");
    /// \throws usage_error as read_config_file().
    static configuration from_file(const std::string& path, std::string command = "finetune");
    /// \throws usage_error for an unknown key, with the nearest one. Values are checked when the run is made.
    configuration& set(const std::string& key, const std::string& value);
};

} // namespace gaisnet
