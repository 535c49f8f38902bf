#include "data/token_datasets.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace gaisnet {

namespace {

class labelled_texts final : public dataset {
public:
    labelled_texts(std::unique_ptr<text_dataset> texts, const token_form& form)
        : texts_(std::move(texts))
        , words_(form.words)
        , rule_{.tokens = form.tokens,
                .padding = words_->specials().padding.value_or(words_->specials().end.value_or(0)),
                .before = words_->frame().before,
                .behind = words_->frame().behind} {
        fitted_input({}, rule_); // refuses what has no room
    }
    std::size_t size() const override { return texts_->size(); }
    std::int64_t label(std::size_t sample) const override { return texts_->label(sample); }
    const std::vector<std::string>& class_names() const override { return texts_->class_names(); }
    std::string name(std::size_t sample) const override { return texts_->name(sample); }
    token_sample load_text(std::size_t sample) const override {
        auto input = fitted_input(words_->encode(texts_->text(sample), false), rule_);
        return {std::move(input.tokens), rule_.tokens - input.length, 0, 0};
    }

private:
    std::unique_ptr<text_dataset> texts_;
    std::shared_ptr<const tokenizer> words_;
    input_rule rule_;
};

/// Blocks that train, and behind them those that validate.
class next_tokens_of_texts final : public dataset {
public:
    next_tokens_of_texts(std::unique_ptr<text_dataset> texts, const token_form& form, const data_split& split)
        : texts_(std::move(texts))
        , train_(blocks_of(split.train, form, false)) {
        if (!split.validation.empty()) {
            validation_.emplace(blocks_of(split.validation, form, true));
        }
    }
    std::size_t size() const override { return train_.size() + (validation_ ? validation_->size() : 0); }
    std::int64_t label(std::size_t sample) const override { return blocks(sample).label(within(sample)); }
    const std::vector<std::string>& class_names() const override { return texts_->class_names(); }
    std::string name(std::size_t sample) const override { return blocks(sample).name(within(sample)); }
    token_sample load_text(std::size_t sample) const override {
        auto block = blocks(sample).block(within(sample));
        return {std::move(block.tokens), 0, block.predicted, block.bytes};
    }
    std::optional<data_split> given_split() const override {
        data_split out;
        out.train.resize(train_.size());
        std::iota(out.train.begin(), out.train.end(), std::size_t{0});
        out.validation.resize(size() - train_.size());
        std::iota(out.validation.begin(), out.validation.end(), train_.size());
        return out;
    }

private:
    text_blocks blocks_of(const std::vector<std::size_t>& samples, const token_form& form, bool with_rest) const {
        const auto& specials = form.words->specials();
        const auto end = specials.end ? specials.end : specials.separate;
        if (!end) {
            throw usage_error("data.tokenizer = " + form.tokenizer_name +
                              ": it has no token that ends a text (eos_token), which stands between texts");
        }
        const block_rule rule{form.tokens, *end, form.vocabulary,
                              with_rest ? std::optional(specials.padding.value_or(*end)) : std::nullopt};
        return {*texts_, samples, [&](std::string_view text) { return form.words->encode(text, false); }, rule,
                form.threads};
    }
    const text_blocks& blocks(std::size_t sample) const { return sample < train_.size() ? train_ : *validation_; }
    std::size_t within(std::size_t sample) const { return sample < train_.size() ? sample : sample - train_.size(); }

    std::unique_ptr<text_dataset> texts_;
    text_blocks train_;
    std::optional<text_blocks> validation_;
};

void check_vocabulary(const token_form& form) {
    const auto size = static_cast<std::int64_t>(form.words->vocabulary_size());
    if (size > form.vocabulary) {
        throw usage_error("data.tokenizer = " + form.tokenizer_name + " has " + std::to_string(size) +
                          " tokens, and the model has model.vocabulary = " + std::to_string(form.vocabulary) +
                          "; the tokenizer of the model is accepted, or a larger model.vocabulary");
    }
}

} // namespace

std::unique_ptr<dataset> make_labelled_texts(std::unique_ptr<text_dataset> texts, const token_form& form) {
    check_vocabulary(form);
    return std::make_unique<labelled_texts>(std::move(texts), form);
}

std::unique_ptr<dataset> make_next_tokens(std::unique_ptr<text_dataset> texts, const token_form& form,
                                          double train_fraction, std::uint64_t seed) {
    check_vocabulary(form);
    const auto split = split_of_texts(*texts, train_fraction, seed);
    return std::make_unique<next_tokens_of_texts>(std::move(texts), form, split);
}

std::unique_ptr<dataset> make_next_tokens(std::unique_ptr<text_dataset> texts, const token_form& form) {
    check_vocabulary(form);
    data_split all;
    all.train.resize(texts->size());
    std::iota(all.train.begin(), all.train.end(), std::size_t{0});
    return std::make_unique<next_tokens_of_texts>(std::move(texts), form, all);
}

} // namespace gaisnet
