#include "experiment/image_check.hpp"
#include "transport/collectives.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <vector>

namespace gaisnet {

std::size_t decode_threads(const scenario& scene, const session& here) {
    const auto host = here.share();
    return scene.data.threads > 0 ? static_cast<std::size_t>(scene.data.threads)
                                  : std::max<std::size_t>(host.cores / host.ranks, 1);
}

std::unique_ptr<image_supply> make_supply(const scenario& scene, const session& here) {
    const auto memory =
        scene.data.cache ? static_cast<std::uint64_t>(*scene.data.cache) : available_memory() / 4 / here.share().ranks;
    return std::make_unique<image_supply>(decode_threads(scene, here), memory);
}

std::uint64_t check_images(image_folder& folder, const scenario& scene, session& here) {
    here.note("checking images");
    if (here.root()) {
        for (const auto& note : folder.notes()) {
            spdlog::warn("{}", note);
        }
    }
    auto& network = here.network();
    const auto mine = folder.check(static_cast<std::size_t>(here.rank()), static_cast<std::size_t>(here.ranks()),
                                   decode_threads(scene, here));
    std::vector<std::string> all;
    std::uint64_t content = 0;
    for (const auto& [damaged, its_content] : collect_everywhere(network, std::pair(mine.damaged, mine.content))) {
        all.insert(all.end(), damaged.begin(), damaged.end());
        content += its_content;
    }
    std::sort(all.begin(), all.end());
    if (all.empty()) {
        return content;
    }
    std::set<std::string> names;
    std::string text;
    constexpr std::size_t most = 5;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto tab = all[i].find('\t');
        names.insert(all[i].substr(0, tab));
        if (i < most) {
            text += "\n  " + all[i].substr(tab + 1);
        }
    }
    if (all.size() > most) {
        text += fmt::format("\n  and {} more", all.size() - most);
    }
    if (scene.data.damaged == damaged_policy::fatal) {
        throw usage_error(fmt::format("{} damaged image(s), and data.damaged = fatal:{}", all.size(), text));
    }
    if (here.root()) {
        spdlog::warn("{} damaged image(s) are left out:{}", all.size(), text);
    }
    folder.remove(names);
    return content;
}

} // namespace gaisnet
