#include "scenario/presets.hpp"

#include "base/registry.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

const registration<device_preset> devices[] = {
    registration<device_preset>{{"custom", {}, "every figure by its own key"}},
    registration<device_preset>{
        {"jetson_nano",
         {{"rate", "472 GFLOP/s"}, {"efficiency", "0.5"}, {"power", "8 W"}, {"base_power", "2 W"}, {"memory", "4 GB"}},
         "NVIDIA: 472 GFLOP/s in fp16, 10 W, 4 GB; half of the peak, and 2 of the 10 W at rest [assumed]"}},
    registration<device_preset>{{"jetson_orin_nano",
                                 {{"rate", "1.28 TFLOP/s"},
                                  {"efficiency", "0.5"},
                                  {"power", "12 W"},
                                  {"base_power", "3 W"},
                                  {"memory", "8 GB"}},
                                 "NVIDIA's data sheet: 1,024 CUDA cores at 625 MHz (two FLOP a cycle, fp32), 7 to 15 "
                                 "W, 8 GB; half of the peak, and "
                                 "3 of the 15 W at rest [assumed]"}},
    registration<device_preset>{{"raspberry_pi_5",
                                 {{"rate", "153.6 GFLOP/s"},
                                  {"efficiency", "0.4"},
                                  {"power", "6 W"},
                                  {"base_power", "3 W"},
                                  {"memory", "8 GB"}},
                                 "four Cortex-A76 at 2.4 GHz, 16 FLOP a cycle in fp32 (Arm, software optimisation "
                                 "guide), 8 GB; 0.4 of the peak and "
                                 "the powers [assumed]"}},
    registration<device_preset>{{"phone_2024",
                                 {{"rate", "70 GFLOP/s"},
                                  {"power", "4 W"},
                                  {"tx_power", "23 dBm"},
                                  {"circuit_power", "3.2 W"},
                                  {"rx_power", "2.7 W"},
                                  {"idle_power", "0.8 W"},
                                  {"sleep_power", "30 mW"},
                                  {"memory", "8 GB"},
                                  {"battery", "19.4 Wh", "client"}},
                                 "training on phones of up to 2021 was measured at 40 to 70 GFLOP/s (arXiv "
                                 "2202.10100), of newer ones we know no "
                                 "measurement; sending over LTE 3.2 W beside the amplifier, receiving 2.7 W (data of "
                                 "doi 10.1145/3452296.3472923); "
                                 "5,000 mAh at 3.88 V; 4 W of computing, 0.8 W idle, 30 mW asleep [assumed]"}},
    registration<device_preset>{{"rtx4060",
                                 {{"rate", "15.1 TFLOP/s"},
                                  {"efficiency", "0.5"},
                                  {"power", "115 W"},
                                  {"base_power", "40 W"},
                                  {"memory", "8 GB"}},
                                 "NVIDIA: 3,072 CUDA cores at 2.46 GHz (fp32), 115 W, 8 GB; half of the peak, and 40 W "
                                 "of the computer around it "
                                 "[assumed]"}},
    registration<device_preset>{{"h100",
                                 {{"rate", "989 TFLOP/s"},
                                  {"efficiency", "0.4"},
                                  {"power", "700 W"},
                                  {"base_power", "100 W"},
                                  {"memory", "80 GB"}},
                                 "NVIDIA, SXM: 989 TFLOP/s in bf16 without sparsity, 700 W, 80 GB; large models were "
                                 "trained at 38 to 43 % of that "
                                 "(arXiv 2407.21783); 100 W of the computer around it [assumed]"}},
};

constexpr preset_value radio{"energy_per_bit", ""}; // not a cable, which a backhaul is by default

const registration<link_preset> links[] = {
    registration<link_preset>{{"custom", {}, "every figure by its own key"}},
    registration<link_preset>{
        {"wifi6",
         {{"rate", "720 Mbit/s"}, {"bandwidth", "80 MHz"}, {"share", "airtime"}, {"latency", "3 ms"}, radio},
         "IEEE 802.11ax: 1,201 Mbit/s with two streams in 80 MHz, of which 60 % carry data [assumed]; equal chances to "
         "send; "
         "3 ms [assumed]"}},
    registration<link_preset>{
        {"lte",
         {{"rate", "uniform(8.5, 18.6) Mbit/s", "cs_down"},
          {"rate", "uniform(9.4, 17.6) Mbit/s"},
          {"latency", "uniform(24, 30) ms"},
          {"spectral_efficiency", "2"},
          radio},
         "Ofcom, last quarter of 2014, by operator: down 8.5 to 18.6, up 9.4 to 17.6 Mbit/s, round "
         "trips 48 to 60 ms; a loaded cell carries 2 bit/s/Hz [assumed]"}},
    registration<link_preset>{{"nr_fr1",
                               {{"rate", "230 Mbit/s", "cs_down"},
                                {"rate", "23 Mbit/s"},
                                {"latency", "15 ms"},
                                {"spectral_efficiency", "2.3"},
                                radio},
                               "medians of Ookla, USA, last quarter of 2022: 1.6 Gbit/s down by millimetre waves, a "
                               "seventh of that in the C band; up "
                               "a tenth, 15 ms, and a channel of 100 MHz [assumed]"}},
    registration<link_preset>{{"nr_fr2",
                               {{"rate", "1.6 Gbit/s", "cs_down"},
                                {"rate", "160 Mbit/s"},
                                {"latency", "10 ms"},
                                {"spectral_efficiency", "4"},
                                radio},
                               "median of Ookla, USA, last quarter of 2022: 1.6 Gbit/s down by millimetre waves; up a "
                               "tenth, 10 ms, and 400 MHz "
                               "[assumed]"}},
    registration<link_preset>{
        {"ethernet_1g",
         {{"rate", "1 Gbit/s"}, {"latency", "0.1 ms"}, {"energy_per_bit", "1 nJ/bit"}},
         "IEEE 802.3ab: 1 Gbit/s; 0.1 ms, and 1 W of the ports at full load [assumed]; a cable uses no spectrum"}},
    registration<link_preset>{
        {"bluetooth5",
         {{"rate", "1.4 Mbit/s"}, {"bandwidth", "2 MHz"}, {"latency", "7.5 ms"}, radio},
         "Bluetooth 5, LE 2M: 2 Mbit/s on the air, of which about 1.4 carry data; connection intervals from 7.5 ms, in "
         "channels of 2 MHz"}},
};

template <typename Preset>
std::string text_of_all() {
    std::string text;
    for (const auto* one : registry<Preset>::all()) {
        text += std::string(one->name) + ":";
        for (const auto& given : one->values) {
            if (*given.value == '\0') { // only clears a default
                continue;
            }
            text += std::string(text.ends_with(":") ? " " : ", ") +
                    (*given.only_for ? std::string(given.only_for) + "." : "") + given.key + " = " + given.value;
        }
        text += std::string(one->values.empty() ? " " : ". ") + one->source + "\n";
    }
    return text;
}

/// \param prefix "device." or "link." \param unless keys of which one that is set tells rate and power by other means
template <typename Preset>
void resolve_class(settings& values, const std::string& prefix, const std::string& name,
                   const std::vector<std::string>& unless) {
    const auto all = prefix + name + ".";
    const auto& chosen = values.at(all + "preset").value;
    const auto* preset = registry<Preset>::find(chosen);
    const bool by_other_means =
        std::any_of(unless.begin(), unless.end(), [&](const auto& key) { return !values.at(all + key).is_default(); });
    for (const auto& given : preset ? preset->values : std::vector<preset_value>()) {
        const std::string key = given.key;
        const auto found = values.find(all + key);
        const bool mine = *given.only_for == '\0' || name == given.only_for;
        if (found != values.end() && mine && found->second.is_default() &&
            !(by_other_means && (key == "rate" || key == "power"))) {
            found->second = {given.value, all + "preset = " + chosen, true};
        }
    }
}

} // namespace

std::string device_presets_text() { return text_of_all<device_preset>(); }
std::string link_presets_text() { return text_of_all<link_preset>(); }

void resolve_presets(settings& values) {
    for (const char* device : {"cloud", "edge", "client"}) {
        resolve_class<device_preset>(values, "device.", device, {"frequency", "flops_per_cycle", "kappa"});
    }
    for (const char* link : {"cs_up", "cs_down", "d2d", "backhaul"}) {
        resolve_class<link_preset>(values, "link.", link, {"path_loss", "trace", "model"});
    }
}

} // namespace gaisnet
