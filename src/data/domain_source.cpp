#include "data/domain_source.hpp"

#include "base/error.hpp"
#include "data/grammar.hpp"
#include "data/procedural.hpp"
#include "data/text_folder.hpp"
#include "data/token_datasets.hpp"
#include "text/word_tokenizer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <numeric>
#include <utility>

namespace gaisnet {

namespace {

class domains_of_images final : public domain_source {
public:
    domains_of_images(const scenario& scene, folder_check check): domain_source(scene), check_(std::move(check)) {}
    std::unique_ptr<dataset> draw(int domain) override {
        const auto& data = scene_.data;
        return make_procedural({domain, data.classes, scene_.model.image, data.samples, scene_.seed});
    }
    std::unique_ptr<dataset> read(const std::string& folder, const std::string& key) override {
        auto images = std::make_unique<image_folder>(folder, key);
        if (check_) {
            check_(*images);
        }
        return images;
    }
    input_form form() const override { return image_form_of(scene_); }

private:
    folder_check check_;
};

class domains_of_texts final : public domain_source {
public:
    domains_of_texts(const scenario& scene, std::size_t threads)
        : domain_source(scene)
        , form_(token_form_of(scene, scene.data.source == data_source::procedural, threads)) {}

    /// Of next tokens: the sentences of one grammar. Of classes: those of as many grammars, each a class.
    std::unique_ptr<dataset> draw(int domain) override {
        const auto& data = scene_.data;
        const auto turn = static_cast<std::uint64_t>(domain / grammar_domains);
        grammar_spec spec{{domain % grammar_domains}, data.samples, scene_.seed + turn};
        if (!next_tokens()) {
            spec.domains.resize(static_cast<std::size_t>(data.classes));
            std::iota(spec.domains.begin(), spec.domains.end(), 0);
            spec.seed = scene_.seed + static_cast<std::uint64_t>(domain);
        }
        return made_of(make_grammar_texts(spec));
    }
    std::unique_ptr<dataset> read(const std::string& folder, const std::string& key) override {
        auto texts = std::make_unique<text_folder>(folder, rules_of(scene_, key, !next_tokens()));
        notes_.insert(notes_.end(), texts->notes().begin(), texts->notes().end());
        content_ += texts->content();
        return made_of(std::move(texts));
    }
    input_form form() const override { return input_form_of(form_, next_tokens()); }
    std::shared_ptr<const tokenizer> words() const override { return form_.words; }

private:
    bool next_tokens() const { return scene_.model.tells_next_tokens(); }
    std::unique_ptr<dataset> made_of(std::unique_ptr<text_dataset> texts) const {
        return next_tokens() ? make_next_tokens(std::move(texts), form_, scene_.data.train_fraction, scene_.seed)
                             : make_labelled_texts(std::move(texts), form_);
    }

    token_form form_;
};

} // namespace

token_form token_form_of(const scenario& scene, bool drawn, std::size_t threads) {
    namespace fs = std::filesystem;
    token_form out{nullptr, scene.data.tokenizer, scene.model.tokens, scene.model.vocabulary, threads};
    std::error_code ignored;
    const auto beside = fs::path(scene.model.weights) / "tokenizer.json";
    if (scene.data.tokenizer != "auto") {
        try {
            out.words = read_tokenizer(scene.data.tokenizer);
        } catch (const usage_error& problem) {
            throw usage_error(std::string("data.tokenizer: ") + problem.what());
        }
    } else if (fs::exists(beside, ignored)) {
        out.tokenizer_name = beside.string();
        out.words = read_tokenizer(beside);
    } else if (drawn) {
        out.tokenizer_name = "auto (the words of procedural texts)";
        out.words =
            make_word_tokenizer(grammar_words(), {.unknown = unknown_word, .padding = padding_word, .end = end_word});
    } else {
        throw usage_error("data.tokenizer = auto: there is no tokenizer.json in model.weights = " +
                          scene.model.weights + "; a tokenizer.json is accepted");
    }
    return out;
}

input_form input_form_of(const token_form& form, bool next_tokens) {
    input_form out;
    out.tokens = form.tokens;
    out.next_tokens = next_tokens;
    out.noise.vocabulary = static_cast<std::int64_t>(form.words->vocabulary_size());
    const auto& special = form.words->specials();
    for (const auto& one : {special.unknown, special.padding, special.begin, special.end, special.classify,
                            special.separate, special.mask}) {
        if (one) {
            out.noise.kept.push_back(*one);
        }
    }
    return out;
}

input_form image_form_of(const scenario& scene) {
    input_form out;
    out.transform.size = static_cast<int>(scene.model.image);
    for (std::size_t c = 0; c < 3; ++c) {
        out.transform.mean[c] = static_cast<float>(scene.data.mean[c]);
        out.transform.std[c] = static_cast<float>(scene.data.std[c]);
    }
    return out;
}

text_folder_rules rules_of(const scenario& scene, const std::string& key, bool classes) {
    text_folder_rules rules;
    rules.unit = scene.data.unit;
    rules.replace_invalid = scene.data.invalid_text == invalid_text_policy::replace;
    rules.for_classification = classes;
    rules.key = key;
    return rules;
}

std::vector<std::unique_ptr<dataset>> domain_source::all() {
    std::vector<std::unique_ptr<dataset>> domains;
    const auto& data = scene_.data;
    if (data.source != data_source::procedural) {
        for (const auto& root : data.roots) {
            domains.push_back(read(root, "data.root"));
        }
        return domains;
    }
    for (int domain = 0; domain < drawn_domains(scene_); ++domain) {
        domains.push_back(draw(data.domain + domain));
    }
    return domains;
}

std::string domain_source::origin() const {
    const auto& data = scene_.data;
    return data.source != data_source::procedural ? fmt::format("{}", fmt::join(data.roots, ", "))
           : words()                              ? "procedural texts"
                                                  : "procedural images";
}

std::unique_ptr<domain_source> make_domain_source(const scenario& scene, folder_check check, std::size_t threads) {
    if (scene.model.takes_texts()) {
        return std::make_unique<domains_of_texts>(scene, threads);
    }
    return std::make_unique<domains_of_images>(scene, std::move(check));
}

} // namespace gaisnet
