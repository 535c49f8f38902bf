#pragma once

#include "base/progress.hpp"
#include "settings/values.hpp"

#include <string>
#include <vector>

namespace gaisnet {

/// The settings of a run by key, each with its source.
///
///     const auto given = configuration::from_file("x.cfg").set("train.rounds", "5");
struct configuration {
    std::string command = "finetune"; ///< finetune, infer, serve, plan, pretrain
    settings values;                  ///< All keys; see default_settings().
    std::vector<std::string> files{}; ///< Config files that have been read.
    bool dry_run = false;             ///< Only checks and a forecast.
    bool of_plan = false;             ///< A run that plan makes: its keys count, whatever the command is.
    progress_mode progress = progress_mode::none;

    /// All keys with their defaults.
    static configuration defaults(std::string command = "finetune");
    /// \throws usage_error as read_config_file().
    static configuration from_file(const std::string& path, std::string command = "finetune");
    /// \throws usage_error for an unknown key; suggests the nearest one. Values are checked when the run is created.
    configuration& set(const std::string& key, const std::string& value);
};

} // namespace gaisnet
