#include "rounds/emulated_network.hpp"

#include "network/link_model.hpp"

#include <map>
#include <utility>

namespace gaisnet {

emulated_network::emulated_network(const scenario& scene, const topology& net)
    : scene_(scene)
    , net_(net)
    , ledger_(queue_, scene.seed)
    , interference_(scene, net) {
    for (const auto& node : net.nodes) {
        names_.push_back(node.name);
        ledger_.add_node(node.device);
    }
    add_links();
}

/// Adds the media and links of the topology; the ledger numbers links in the same order.
void emulated_network::add_links() {
    std::vector<medium*> media;
    for (const auto& one : net_.media) {
        if (one.share == share_kind::reuse) {
            media.push_back(&ledger_.add_medium(std::make_unique<radio_medium>(queue_, interference_, true)));
        } else {
            media.push_back(
                &ledger_.add_medium(std::make_unique<shared_medium>(queue_, one.share, one.capacity_bit_s)));
        }
    }
    const auto which = scene_.link.half_duplex;
    auto* d2d_radios =
        which == half_duplex_kind::d2d || which == half_duplex_kind::all ? &ledger_.add_half_duplex_radios() : nullptr;
    auto* cs_radios =
        which == half_duplex_kind::cs || which == half_duplex_kind::all ? &ledger_.add_half_duplex_radios() : nullptr;
    // A node divides its power over simultaneous transmissions, even on radio links with separate bands.
    std::map<std::pair<std::uint32_t, link_class>, int> of_sender;
    for (const auto& link : net_.links) {
        of_sender[{link.parameters.from, link.parameters.kind}] += link.by_radio && !link.medium ? 1 : 0;
    }
    std::map<std::pair<std::uint32_t, link_class>, medium*> divided;
    const auto medium_of = [&](const network_link& link) -> medium& {
        if (link.medium) {
            return *media[*link.medium];
        }
        const std::pair key{link.parameters.from, link.parameters.kind};
        if (!link.by_radio || of_sender[key] == 1) {
            return ledger_.exclusive();
        }
        auto& own = divided[key];
        own = own ? own : &ledger_.add_medium(std::make_unique<radio_medium>(queue_, own_bands_, false));
        return *own;
    };
    for (const auto& link : net_.links) {
        ledger_.add_link(link.parameters, make_rate_model({scene_, net_, link}), medium_of(link),
                         link.parameters.kind == link_class::d2d ? d2d_radios : cs_radios);
    }
}

/// Replaces the rates of fading links for a new round.
void emulated_network::draw_channels(std::uint32_t round) {
    interference_.begin_round(round);
    for (std::uint32_t index = 0; index < net_.links.size(); ++index) {
        const link_model_request request{scene_, net_, net_.links[index], round};
        if (changes_by_round(request)) {
            ledger_.set_rate(index, make_rate_model(request));
        }
    }
}

} // namespace gaisnet
