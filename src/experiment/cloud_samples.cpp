#include "experiment/cloud_samples.hpp"

#include "base/error.hpp"
#include "data/domain_source.hpp"
#include "data/grammar.hpp"
#include "data/image_folder.hpp"
#include "data/procedural.hpp"
#include "experiment/image_check.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace gaisnet {

pretraining_kind pretraining_of(const scenario& scene) {
    if (scene.pretrain.objective != pretraining_kind::automatic) {
        return scene.pretrain.objective;
    }
    return !scene.model.takes_texts()    ? pretraining_kind::supervised
           : make_model(scene)->causal() ? pretraining_kind::next_token
                                         : pretraining_kind::masked;
}

cloud_samples::cloud_samples(const scenario& scene, session& here, bool check)
    : seed_(scene.seed)
    , supply_(make_supply(scene, here)) {
    if (scene.model.takes_texts()) {
        make_texts(scene, here);
        return;
    }
    if (scene.pretrain.root.empty()) {
        make_procedural_domains(scene);
    } else {
        open_folder(scene, here, check);
    }
    form_ = image_form_of(scene);
}

/// Domains of procedural texts are classes of one dataset.
void cloud_samples::make_texts(const scenario& scene, session& here) {
    const auto& root = scene.pretrain.root;
    const auto objective = pretraining_of(scene);
    const auto form = token_form_of(scene, root.empty(), decode_threads(scene, here));
    words_ = form.words;
    form_ = input_form_of(form, objective == pretraining_kind::next_token);
    std::unique_ptr<text_dataset> texts;
    if (root.empty()) {
        grammar_spec spec{{}, 0, scene.seed + 1};
        const int first = scene.data.domain, end = first + drawn_domains(scene);
        const auto taken = [&](int language) {
            for (int domain = first; domain < end; ++domain) {
                if (domain % grammar_domains == language) {
                    return true;
                }
            }
            return scene.probe.unseen && *scene.probe.unseen % grammar_domains == language;
        };
        const bool classes = objective == pretraining_kind::supervised;
        for (int language = 0;
             language < grammar_domains &&
             static_cast<int>(spec.domains.size()) < (classes ? scene.data.classes : scene.pretrain.domains);
             ++language) {
            if (classes || !taken(language)) {
                spec.domains.push_back(language);
            }
        }
        if (!classes && static_cast<int>(spec.domains.size()) < scene.pretrain.domains) {
            throw usage_error(fmt::format("pretrain.domains = {}: of the {} grammars {} belong to no edge and are not "
                                          "probe.unseen; at most as many are accepted",
                                          scene.pretrain.domains, grammar_domains, spec.domains.size()));
        }
        spec.samples = scene.pretrain.samples * static_cast<std::int64_t>(spec.domains.size());
        texts = make_grammar_texts(spec);
        origin_ = fmt::format("{} grammar(s)", spec.domains.size());
    } else {
        auto folder = std::make_unique<text_folder>(
            root, rules_of(scene, "pretrain.root", objective == pretraining_kind::supervised));
        for (const auto& note : folder->notes()) {
            if (here.root()) {
                spdlog::warn("{}", note);
            }
        }
        content_ = folder->content();
        texts = std::move(folder);
        origin_ = root;
    }
    domains_.push_back(form_.next_tokens ? make_next_tokens(std::move(texts), form)
                                         : make_labelled_texts(std::move(texts), form));
}

void cloud_samples::open_folder(const scenario& scene, session& here, bool check) {
    constexpr const char* key = "pretrain.root";
    const auto& root = scene.pretrain.root;
    auto folder = scene.pretrain.objective == pretraining_kind::masked ? image_folder::without_labels(root, key)
                                                                       : image_folder(root, key);
    if (check) {
        content_ = check_images(folder, scene, here);
    }
    origin_ = root;
    augment_ = scene.data.augment;
    domains_.push_back(std::make_unique<image_folder>(std::move(folder)));
}

void cloud_samples::make_procedural_domains(const scenario& scene) {
    const int first = scene.data.domain, end = first + drawn_domains(scene);
    for (int number = 0; static_cast<int>(domains_.size()) < scene.pretrain.domains; ++number) {
        if ((number < first || number >= end) && number != scene.probe.unseen) {
            domains_.push_back(make_procedural(
                {number, scene.data.classes, scene.model.image, scene.pretrain.samples, scene.seed + 1}));
        }
    }
    origin_ = fmt::format("{} procedural domain(s)", domains_.size());
}

std::string cloud_samples::name(std::size_t index) const {
    return fmt::format("{}/{}", domain(index), data(index).name(at(index)));
}

labelled_batch cloud_samples::load(std::span<const std::size_t> indices, std::uint32_t epoch) const {
    if (words_) {
        return load_batch(data(0), {indices.begin(), indices.end()}, form_, *supply_);
    }
    const auto fill = [&](std::size_t index, const labelled_batch& batch, std::size_t place) {
        auto* image = values_at<float>(batch.inputs, place);
        const auto whole = supply_->sensed(data(index), at(index), {}, seed_);
        if (augment_) {
            transform_train(*whole, form_.transform, seed_, name(index), epoch, image);
        } else {
            transform_validation(*whole, form_.transform, image);
        }
        batch.labels.as<std::int64_t>()[place] = data(index).label(at(index));
    };
    return begin_batch({indices.begin(), indices.end()}, form_, supply_->pool, decode_pool::haste::now, fill).get();
}

} // namespace gaisnet
