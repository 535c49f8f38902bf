#pragma once

#include "scenario/data.hpp"
#include "scenario/devices.hpp"
#include "scenario/inference.hpp"
#include "scenario/links.hpp"
#include "scenario/model.hpp"
#include "scenario/network.hpp"
#include "scenario/planning.hpp"
#include "scenario/pretraining.hpp"
#include "scenario/rounds.hpp"
#include "scenario/run.hpp"
#include "scenario/services.hpp"
#include "scenario/smashed.hpp"
#include "scenario/training.hpp"
#include "scenario/tuning.hpp"
#include "settings/configuration.hpp"
#include "settings/extra_sections.hpp"
#include "settings/values.hpp"

namespace gaisnet {

/// Everything that a run depends on, typed and checked, in SI units. A default-constructed scenario has the defaults of
/// all keys.
struct scenario : scheme_settings, run_settings {
    network_settings network;
    mobility_settings mobility;
    round_settings round;
    dropout_settings dropout;
    split_settings split;
    planning_settings plan;
    cloud_settings cloud;
    probe_settings probe;
    cluster_settings cluster;
    model_settings model;
    tuning_settings tuning;
    training_settings train;
    smashed_settings smashed;
    data_settings data;
    sensing_settings sense;
    all_link_settings link;
    all_device_settings device;
    inference_settings infer;
    service_settings serve;
    pretraining_settings pretrain;
    compute_settings compute;
    job_settings job;
    runtime_settings runtime;
    checkpoint_settings checkpoint;
    extra_sections extra;
};

/// What the chains of a command are for: of `plan`, as the key service says.
service_kind service_of(const configuration&);

/// Converts and checks all settings. \throws usage_error with source, key, value and what is accepted.
scenario read_scenario(const settings&, service_kind = service_kind::fine_tuning);

} // namespace gaisnet
