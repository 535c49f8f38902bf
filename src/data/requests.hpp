#pragma once

#include "data/dataset.hpp"
#include "data/domain_source.hpp"
#include "data/shares.hpp"
#include "data/text_dataset.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

/// How many of a folder's images requester `number` of `requesters` classifies: they are dealt out in turn.
constexpr std::int64_t images_of_requester(std::int64_t images, std::size_t number, std::size_t requesters) {
    const auto all = static_cast<std::int64_t>(requesters);
    return (images + all - 1 - static_cast<std::int64_t>(number)) / all;
}

/// Which samples the requests of start points are for: the user's images (infer.images) or prompts (infer.prompts), dealt
/// out in turn, or else validation samples of the edge, drawn from the seed.
class request_samples {
public:
    /// Scenario and shares must outlive this object. \throws usage_error when infer.images or infer.prompts cannot be used.
    request_samples(const scenario&, const data_shares&, const domain_source&, const folder_check&);

    /// How many images or prompts of the user's each start point has, by cluster; empty: requests are for validation
    /// samples.
    std::vector<std::int64_t> own() const;
    /// The data that a cluster's samples are of. Not with prompts of the user's.
    const dataset& set_of(int cluster) const;
    /// The tokens of a prompt: a sample as of() gives them.
    std::vector<std::int32_t> prompt(int cluster, std::size_t sample) const;
    /// The samples of a start point's requests, in order of arrival. \param name of its node.
    std::vector<std::size_t> of(int cluster, const std::string& name, std::int64_t requests) const;
    /// The name of a request's sample, and its class; "" if that is unknown.
    std::pair<std::string, std::string> describe(int cluster, std::size_t sample) const;
    /// Goes on with a hash over the names of the user's images.
    std::uint64_t hash_names(std::uint64_t hash) const;

private:
    const scenario& scene_;
    const data_shares& shares_;
    std::size_t given() const;              ///< Images or prompts of the user's.
    std::unique_ptr<dataset> given_;        ///< The user's images; null: none.
    std::unique_ptr<text_dataset> prompts_; ///< The user's prompts; null: none.
    std::shared_ptr<const tokenizer> words_;
};

} // namespace gaisnet
