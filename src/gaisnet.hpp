#pragma once

// Everything that a program needs to use GaisNet: settings, ranks and runs.

#include "base/error.hpp"
#include "experiment/fine_tuning.hpp"
#include "experiment/forecasting.hpp"
#include "experiment/inference.hpp"
#include "experiment/pretraining.hpp"
#include "experiment/serving.hpp"
#include "experiment/session.hpp"
#include "experiment/tuning_trial.hpp"
#include "scenario/scenario.hpp"
#include "settings/configuration.hpp"
