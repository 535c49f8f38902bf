#pragma once

// What a program that uses GaisNet needs: its settings, its ranks, and the runs.

#include "base/error.hpp"
#include "experiment/fine_tuning.hpp"
#include "experiment/forecasting.hpp"
#include "experiment/inference.hpp"
#include "experiment/pretraining.hpp"
#include "experiment/serving.hpp"
#include "experiment/session.hpp"
#include "scenario/scenario.hpp"
#include "settings/configuration.hpp"
