#include "base/error.hpp"
#include "data/grammar.hpp"
#include "data/partition.hpp"
#include "data/text_blocks.hpp"
#include "data/token_noise.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace gaisnet {
namespace {

using testing::ElementsAre;

/// Texts of two classes in turns.
class few_texts final : public text_dataset {
public:
    explicit few_texts(std::vector<std::string> texts): texts_(std::move(texts)) {}
    std::size_t size() const override { return texts_.size(); }
    std::int64_t label(std::size_t sample) const override { return static_cast<std::int64_t>(sample % 2); }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override { return "text" + std::to_string(sample); }
    std::string text(std::size_t sample) const override { return texts_[sample]; }

private:
    std::vector<std::string> texts_;
    std::vector<std::string> classes_{"even", "odd"};
};

/// A token for each letter a to z, 1 to 26, and none for anything else.
std::vector<std::int32_t> letters(std::string_view text) {
    std::vector<std::int32_t> out;
    for (const char letter : text) {
        if (letter >= 'a' && letter <= 'z') {
            out.push_back(letter - 'a' + 1);
        }
    }
    return out;
}

constexpr std::int32_t end = 0, pad = 27;

block_rule rule_of(std::int64_t tokens, bool padded = false) {
    return {tokens, end, 28, padded ? std::optional(pad) : std::nullopt};
}

template <typename Work>
std::string refusal(const Work& work) {
    try {
        work();
    } catch (const usage_error& problem) {
        return problem.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return {};
}

TEST(text_blocks, neighbours_share_a_token_and_the_rest_is_left_out) {
    const few_texts texts({"abc", "xyz", "de", "", "f"});
    const text_blocks blocks(texts, letters, rule_of(4)); // 0 abc 0 de 0 f 0 and 0 xyz 0 0
    ASSERT_EQ(blocks.size(), 3U);
    EXPECT_THAT(blocks.block(0).tokens, ElementsAre(end, 1, 2, 3, end));
    EXPECT_THAT(blocks.block(1).tokens, ElementsAre(end, 4, 5, end, 6));
    EXPECT_THAT(blocks.block(2).tokens, ElementsAre(end, 24, 25, 26, end));
    EXPECT_THAT(blocks.block(0).inputs(), ElementsAre(end, 1, 2, 3));
    EXPECT_THAT(blocks.block(0).next(), ElementsAre(1, 2, 3, end));
    EXPECT_EQ(blocks.block(1).predicted, 4);
    EXPECT_EQ(blocks.label(1), 0);
    EXPECT_EQ(blocks.label(2), 1);
    EXPECT_EQ(blocks.name(0), "text0+0");
    EXPECT_EQ(blocks.name(1), "text2+0");
    EXPECT_EQ(blocks.name(2), "text1+0");
    EXPECT_EQ(blocks.unused_tokens(), 1 + 1);
    EXPECT_EQ(blocks.predicted_tokens(), 12);
}

TEST(text_blocks, a_rest_is_padded_if_there_is_a_token_for_it) {
    const few_texts texts({"abc", "xyz", "de", "", "f"});
    const text_blocks blocks(texts, letters, rule_of(4, true));
    ASSERT_EQ(blocks.size(), 5U);
    EXPECT_THAT(blocks.block(2).tokens, ElementsAre(6, end, pad, pad, pad));
    EXPECT_EQ(blocks.block(2).predicted, 1);
    EXPECT_EQ(blocks.name(2), "text4+1");
    EXPECT_THAT(blocks.block(4).tokens, ElementsAre(end, end, pad, pad, pad)); // the text without tokens
    EXPECT_EQ(blocks.name(4), "text3+0");
    EXPECT_EQ(blocks.unused_tokens(), 0);
}

// Every token but the first of a class is predicted once, and the bytes of blocks add up to those of the texts, whatever the
// length of a block. A text that gives no tokens gives its bytes to the end token behind it.
TEST(text_blocks, tokens_and_bytes_are_counted_once) {
    const few_texts texts(
        {"a rose is a rose", "\u00fc\u00fc", "it, is", "x", "7", "a longer text of more than a few words", ""});
    std::int64_t bytes[2] = {}, tokens[2] = {};
    std::vector<std::int32_t> rows[2];
    for (std::size_t i = 0; i < texts.size(); ++i) {
        bytes[i % 2] += static_cast<std::int64_t>(texts.text(i).size());
        const auto more = letters(texts.text(i));
        tokens[i % 2] += static_cast<std::int64_t>(more.size()) + 1;
        rows[i % 2].insert(rows[i % 2].end(), more.begin(), more.end());
        rows[i % 2].push_back(end);
    }
    for (const std::int64_t length : {1, 2, 3, 7, 20, 1000}) {
        const text_blocks blocks(texts, letters, rule_of(length, true));
        std::int64_t covered[2] = {}, predicted[2] = {};
        std::vector<std::int32_t> read[2];
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            const auto block = blocks.block(i);
            const auto label = static_cast<std::size_t>(blocks.label(i));
            ASSERT_EQ(block.tokens.size(), static_cast<std::size_t>(length) + 1);
            EXPECT_GE(block.bytes, 0);
            covered[label] += block.bytes;
            predicted[label] += block.predicted;
            const auto next = block.next().first(static_cast<std::size_t>(block.predicted));
            read[label].insert(read[label].end(), next.begin(), next.end());
        }
        for (std::size_t label = 0; label < 2; ++label) {
            EXPECT_EQ(covered[label], bytes[label]) << length;
            EXPECT_EQ(predicted[label], tokens[label]) << length;
            EXPECT_EQ(read[label], rows[label]) << length;
        }
        EXPECT_EQ(blocks.predicted_tokens(), tokens[0] + tokens[1]);
    }
}

TEST(text_blocks, bytes_of_a_text_are_spread_over_its_tokens_and_its_end) {
    const few_texts texts({"a-------b", "x"}); // 9 bytes for a, b and the end
    const text_blocks blocks(texts, letters, rule_of(1));
    EXPECT_EQ(blocks.block(0).bytes, 3);
    EXPECT_EQ(blocks.block(1).bytes, 3);
    EXPECT_EQ(blocks.block(2).bytes, 3);
}

TEST(text_blocks, neither_threads_nor_other_texts_change_a_block) {
    const auto texts = make_grammar_texts({{0, 3, 5}, 5000, 1});
    const auto encode = [](std::string_view text) { return std::vector<std::int32_t>(text.begin(), text.end()); };
    const block_rule rule{64, 0, 128, std::nullopt};
    const text_blocks alone(*texts, encode, rule), helped(*texts, encode, rule, 5);
    ASSERT_EQ(alone.size(), helped.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
        ASSERT_EQ(alone.block(i).tokens, helped.block(i).tokens);
        ASSERT_EQ(alone.block(i).bytes, helped.block(i).bytes);
    }
    std::vector<std::size_t> first(999);
    std::iota(first.begin(), first.end(), std::size_t{0});
    const text_blocks fewer(*texts, first, encode, rule);
    EXPECT_LT(fewer.size(), alone.size() / 4);
    EXPECT_EQ(fewer.block(7).tokens, alone.block(7).tokens);
    EXPECT_EQ(fewer.name(7), alone.name(7));
    const auto split = stratified_split(fewer, 0.9, 1);
    EXPECT_EQ(split.train.size() + split.validation.size(), fewer.size());
}

TEST(text_blocks, large_vocabularies_need_wider_ids) {
    const few_texts texts({"aa", "bb"});
    for (const std::int32_t token : {65535, 65536, 2000000000}) {
        const auto encode = [&](std::string_view) { return std::vector<std::int32_t>{token}; };
        const text_blocks blocks(texts, encode, {1, 0, std::int64_t{token} + 1, std::nullopt});
        EXPECT_EQ(blocks.block(0).tokens.back(), token);
    }
}

TEST(text_blocks, what_cannot_be_packed_is_refused) {
    const few_texts texts({"abc", "xyz", "de"});
    const auto pack = [&](const block_rule& rule) { return refusal([&] { text_blocks(texts, letters, rule); }); };
    EXPECT_THAT(pack({0, 0, 28, std::nullopt}), testing::HasSubstr("a block of 0 tokens"));
    EXPECT_THAT(pack({4, 28, 28, std::nullopt}), testing::HasSubstr("the end token is 28; 0 to 27 are accepted"));
    EXPECT_THAT(pack({4, 0, 28, -1}), testing::HasSubstr("the token for padding is -1"));
    EXPECT_THAT(pack({4, 0, 20, std::nullopt}), testing::HasSubstr("a token of text1 is 24; 0 to 19"));
    EXPECT_THAT(pack({8, 0, 28, std::nullopt}), testing::HasSubstr("3 texts have 11 tokens in all"));
    const text_encoder failing = [](std::string_view) -> std::vector<std::int32_t> { throw usage_error("no token"); };
    EXPECT_EQ(refusal([&] { text_blocks(texts, failing, rule_of(1), 3); }), "no token");
}

TEST(token_input, long_texts_are_cut_and_short_ones_padded) {
    const input_rule rule{6, pad, {100}, {101, 102}};
    const std::vector<std::int32_t> text{1, 2, 3, 4};
    const auto cut = fitted_input(text, rule);
    EXPECT_THAT(cut.tokens, ElementsAre(100, 1, 2, 3, 101, 102));
    EXPECT_EQ(cut.length, 6);
    const auto padded = fitted_input(std::span(text).first(1), rule);
    EXPECT_THAT(padded.tokens, ElementsAre(100, 1, 101, 102, pad, pad));
    EXPECT_EQ(padded.length, 4);
    EXPECT_THAT(fitted_input({}, rule).tokens, ElementsAre(100, 101, 102, pad, pad, pad));
    EXPECT_THAT(fitted_input(text, {2}).tokens, ElementsAre(1, 2));
    EXPECT_THAT(refusal([&] {
                    fitted_input(text, {3, pad, {100}, {101, 102}});
                }),
                testing::HasSubstr("3 special tokens"));
}

TEST(token_noise, replaces_a_share_of_the_tokens_evenly) {
    constexpr std::size_t many = 60000;
    const std::vector<std::int32_t> clean(many, 3);
    const auto read = misread_tokens(clean, {0.25, 10, {0, 1}}, 1, "a");
    std::vector<double> counts(10);
    for (const auto token : read) {
        ++counts.at(static_cast<std::size_t>(token));
    }
    EXPECT_EQ(counts[0] + counts[1], 0) << "special tokens are put in no place";
    EXPECT_NEAR(counts[3], 0.75 * many, 4.5 * std::sqrt(many * 0.25 * 0.75));
    for (const std::size_t other : {2U, 4U, 5U, 6U, 7U, 8U, 9U}) {
        EXPECT_NEAR(counts[other], 0.25 / 7 * many, 4.5 * std::sqrt(0.25 / 7 * many));
    }
    EXPECT_EQ(misread_tokens(std::vector<std::int32_t>(many, 1), {1.0, 10, {0, 1}}, 1, "a"),
              std::vector<std::int32_t>(many, 1))
        << "special tokens stay";
}

TEST(token_noise, depends_on_seed_name_and_place_alone) {
    const std::vector<std::int32_t> clean(200, 3);
    const token_noise noise{0.5, 50, {}};
    const auto read = misread_tokens(clean, noise, 1, "a");
    EXPECT_EQ(misread_tokens(clean, noise, 1, "a"), read);
    EXPECT_NE(misread_tokens(clean, noise, 2, "a"), read);
    EXPECT_NE(misread_tokens(clean, noise, 1, "b"), read);
    auto other = clean;
    other[0] = 7;
    other.resize(100);
    const auto reread = misread_tokens(other, noise, 1, "a");
    EXPECT_TRUE(std::equal(reread.begin() + 1, reread.end(), read.begin() + 1));
    EXPECT_EQ(misread_tokens(clean, {}, 1, "a"), clean) << "no noise needs no vocabulary";
}

TEST(token_noise, what_makes_no_sense_is_refused) {
    EXPECT_THAT(refusal([] { misread_tokens({1}, {1.5, 9, {}}, 1, "a"); }), testing::HasSubstr("token noise of 1.5"));
    EXPECT_THAT(refusal([] { misread_tokens({1}, {0.5, 3, {0, 2}}, 1, "a"); }), testing::HasSubstr("two tokens"));
}

} // namespace
} // namespace gaisnet
