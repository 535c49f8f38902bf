#include "data/requests.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "data/domain_source.hpp"
#include "data/image_folder.hpp"
#include "data/text_folder.hpp"

#include <algorithm>

namespace gaisnet {

request_samples::request_samples(const scenario& scene, const data_shares& shares, const domain_source& source,
                                 const folder_check& check)
    : scene_(scene)
    , shares_(shares)
    , words_(source.words()) {
    if (scene.service == service_kind::inference && !scene.infer.prompts.empty()) {
        prompts_ = std::make_unique<text_folder>(scene.infer.prompts, rules_of(scene, "infer.prompts", false));
    }
    if (scene.service == service_kind::inference && !scene.infer.images.empty()) {
        auto folder = std::make_unique<image_folder>(image_folder::without_labels(scene.infer.images, "infer.images"));
        check(*folder);
        given_ = std::move(folder);
    }
}

std::size_t request_samples::given() const { return given_ ? given_->size() : prompts_ ? prompts_->size() : 0; }

std::vector<std::int64_t> request_samples::own() const {
    std::vector<std::int64_t> counts;
    const auto requesters = shares_.clusters();
    for (std::size_t cluster = 0; given() > 0 && cluster < requesters; ++cluster) {
        counts.push_back(images_of_requester(static_cast<std::int64_t>(given()), cluster, requesters));
    }
    return counts;
}

const dataset& request_samples::set_of(int cluster) const {
    return given_ ? *given_ : shares_.set(shares_.set_of_cluster(cluster));
}

std::vector<std::size_t> request_samples::of(int cluster, const std::string& name, std::int64_t requests) const {
    std::vector<std::size_t> samples;
    if (given() > 0) {
        for (std::int64_t i = 0; i < requests; ++i) { // a trace may have more requests than there are images
            const auto number = static_cast<std::size_t>(i) * shares_.clusters() + static_cast<std::size_t>(cluster);
            samples.push_back(number % given());
        }
        return samples;
    }
    const auto& known = shares_.split(shares_.set_of_cluster(cluster)).validation;
    for (std::uint32_t turn = 0; samples.size() < static_cast<std::size_t>(requests); ++turn) {
        for (const auto which : random_stream(scene_.seed, "request.sample", name, turn).permutation(known.size())) {
            samples.push_back(known[which]);
        }
    }
    samples.resize(static_cast<std::size_t>(requests));
    return samples;
}

std::vector<std::int32_t> request_samples::prompt(int cluster, std::size_t sample) const {
    if (!prompts_) {
        auto tokens = set_of(cluster).load_text(sample).tokens;
        tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(scene_.infer.prompt_tokens)));
        return tokens;
    }
    auto tokens = words_->frame().before;
    const auto own = words_->encode(prompts_->text(sample), false);
    tokens.insert(tokens.end(), own.begin(), own.end());
    return tokens;
}

std::pair<std::string, std::string> request_samples::describe(int cluster, std::size_t sample) const {
    if (prompts_) {
        return {valid_utf8(prompts_->name(sample)), ""};
    }
    const auto& set = set_of(cluster);
    const auto name = valid_utf8(set.name(sample));
    return {name, given_ ? "" : set.class_names()[static_cast<std::size_t>(set.label(sample))]};
}

std::uint64_t request_samples::hash_names(std::uint64_t hash) const {
    for (std::size_t sample = 0; sample < given(); ++sample) {
        hash = given_ ? stable_hash(given_->name(sample), hash) : stable_hash(prompts_->text(sample), hash);
    }
    return hash;
}

} // namespace gaisnet
