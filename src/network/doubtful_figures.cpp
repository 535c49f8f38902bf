#include "network/doubtful_figures.hpp"

#include "base/text.hpp"

#include <cmath>
#include <map>

namespace gaisnet {

namespace {

std::string ends_of(const topology& net, const network_link& link) {
    return net.nodes[link.parameters.from].name + " -> " + net.nodes[link.parameters.to].name;
}

void check_efficiency(const scenario& scene, const topology& net, std::vector<std::string>& warnings) {
    struct excess {
        const network_link* worst = nullptr;
        double efficiency = 0;
        std::size_t links = 0;
    };
    std::map<link_class, excess> by_class;
    for (const auto& one : net.links) {
        const auto kind = one.parameters.kind;
        const auto& settings = settings_of(scene, kind);
        if (settings.wired_j_bit || one.by_radio) {
            continue;
        }
        const double together = settings.share == share_kind::maxmin ? net.media[*one.medium].capacity_bit_s : 0.0;
        const double efficiency = std::max(together, one.fastest_rate()) / one.parameters.bandwidth_hz;
        constexpr double rounding = 1e-9;
        if (efficiency > settings.max_efficiency * (1.0 + rounding)) {
            auto& found = by_class[kind];
            ++found.links;
            if (efficiency > found.efficiency) {
                found.worst = &one;
                found.efficiency = efficiency;
            }
        }
    }
    for (const auto& [kind, found] : by_class) {
        const auto key = std::string("link.") + name_of(kind);
        const double band = found.worst->parameters.bandwidth_hz;
        warnings.push_back(key + ": " + quantity(found.efficiency * band, "bit/s") + " in " + quantity(band, "Hz") +
                           ", " + ends_of(net, *found.worst) + ", are " + quantity(found.efficiency, "bit/s/Hz") +
                           ", more than " + key + ".max_efficiency" +
                           (found.links > 1 ? ", and so on " + std::to_string(found.links - 1) + " more links" : "") +
                           ": what is said of spectrum is too little; a larger bandwidth is accepted, or none");
    }
}

void check_distances(const scenario& scene, const topology& net, std::vector<std::string>& warnings) {
    struct outside {
        const network_link* shortest = nullptr;
        const network_link* longest = nullptr;
        std::size_t links = 0;
    };
    std::map<link_class, outside> by_class;
    for (const auto& one : net.links) {
        if (!one.by_radio) {
            continue;
        }
        const auto& model = settings_of(scene, one.parameters.kind).radio->loss;
        if (one.distance_m >= model.shortest_m && one.distance_m <= model.longest_m) {
            continue;
        }
        auto& found = by_class[one.parameters.kind];
        ++found.links;
        if (one.distance_m < model.shortest_m) {
            found.shortest = found.shortest && found.shortest->distance_m <= one.distance_m ? found.shortest : &one;
        } else {
            found.longest = found.longest && found.longest->distance_m >= one.distance_m ? found.longest : &one;
        }
    }
    for (const auto& [kind, found] : by_class) {
        const auto& model = settings_of(scene, kind).radio->loss;
        auto text = std::string("link.") + name_of(kind) + ".path_loss = " + model.name + " is for " +
                    quantity(model.shortest_m, "m") + " and more" +
                    (std::isfinite(model.longest_m) ? ", up to " + quantity(model.longest_m, "m") : "");
        if (found.shortest) {
            text += "; " + ends_of(net, *found.shortest) + " at " + quantity(found.shortest->distance_m, "m") +
                    " is computed as at " + quantity(model.shortest_m, "m");
        }
        if (found.longest) {
            text += "; " + ends_of(net, *found.longest) + " at " + quantity(found.longest->distance_m, "m") +
                    " is an extrapolation";
        }
        warnings.push_back(text + " (" + std::to_string(found.links) + " such links in all)");
    }
}

void check_carriers(const scenario& scene, std::vector<std::string>& warnings) {
    for (const auto kind : {link_class::cs_up, link_class::cs_down, link_class::d2d, link_class::backhaul}) {
        const auto& radio = settings_of(scene, kind).radio;
        if (radio && !radio->loss.of_one_frequency &&
            (radio->frequency_hz < radio->loss.lowest_hz || radio->frequency_hz > radio->loss.highest_hz)) {
            warnings.push_back(std::string("link.") + name_of(kind) + ".path_loss = " + radio->loss.name + " is for " +
                               quantity(radio->loss.lowest_hz, "Hz") + " to " + quantity(radio->loss.highest_hz, "Hz") +
                               "; " + quantity(radio->frequency_hz, "Hz") + " is an extrapolation");
        }
    }
}

} // namespace

std::vector<std::string> doubtful_figures(const scenario& scene, const topology& net) {
    std::vector<std::string> warnings;
    check_efficiency(scene, net, warnings);
    check_distances(scene, net, warnings);
    check_carriers(scene, warnings);
    return warnings;
}

} // namespace gaisnet
