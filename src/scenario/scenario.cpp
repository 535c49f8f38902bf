#include "scenario/scenario.hpp"

#include "scenario/presets.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

namespace {

/// Sets keys that depend on other sections, apart from those that a network file determines.
void resolve_sections(settings& values) {
    resolve_model(values);
    resolve_presets(values);
    resolve_links(values);
    resolve_devices(values);
    resolve_planning(values);
}

} // namespace

void make_all_sections() { const scenario all; }

settings resolve(settings values) {
    resolve_sections(values);
    resolve_network(values);
    return values;
}

service_kind service_of(const configuration& given) {
    const bool by_key = given.command == "plan" && given.values.at("service").value == "infer";
    return by_key || given.command == "infer" ? service_kind::inference : service_kind::fine_tuning;
}

scenario read_scenario(const settings& given, service_kind service) {
    auto values = given;
    resolve_sections(values);
    const reading from(values);
    const value_reader in(values);
    scenario scene;
    scene.service = service;
    check_network(scene, in);
    check_model(scene, in);
    check_split(scene, in);
    check_planning(scene, in);
    check_training(scene, in);
    check_data(scene, in);
    check_pretraining(scene, in);
    check_links(scene, in);
    check_places(scene, in);
    check_rounds(scene, in);
    check_devices(scene, in);
    check_inference(scene, in);
    check_services(scene, in);
    check_run(scene, in);
    return scene;
}

} // namespace gaisnet
