#include "base/error.hpp"
#include "base/utf8.hpp"
#include "support/temporary_folder.hpp"
#include "text/tokenizer.hpp"
#include "text/word_tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <thread>

namespace gaisnet {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using ids = std::vector<std::int32_t>;

/// A byte-level tokenizer with the tokens a, b, c, space, ab, abc and the two bytes of e with an acute accent.
json byte_pairs() {
    return {
        {"model",
         {{"type", "BPE"},
          {"vocab", {{"a", 0}, {"b", 1}, {"c", 2}, {"\u0120", 3}, {"ab", 4}, {"abc", 5}, {"\u00c3", 6}, {"\u00a9", 7}}},
          {"merges", {"a b", "ab c"}}}},
        {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
        {"decoder", {{"type", "ByteLevel"}}}};
}

/// A WordPiece tokenizer as BERT's.
json word_pieces() {
    return {
        {"model",
         {{"type", "WordPiece"},
          {"unk_token", "[UNK]"},
          {"vocab",
           {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"un", 3}, {"##able", 4}, {"##aff", 5}, {"e", 6}, {"!", 7}}}}},
        {"normalizer", {{"type", "BertNormalizer"}}},
        {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
        {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}}},
        {"decoder", {{"type", "WordPiece"}}},
        {"added_tokens", {{{"id", 0}, {"content", "[UNK]"}, {"special", true}}}}};
}

class tokenizer_test : public in_temporary_folder {
protected:
    std::filesystem::path put(const std::string& text, const std::string& name = "tokenizer.json") {
        const auto path = temporary / name;
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }
    std::unique_ptr<const tokenizer> made(const json& file) { return read_tokenizer(put(file.dump())); }
    /// One sentence that names the file.
    std::string refusal(const std::string& text) {
        const auto path = put(text);
        try {
            read_tokenizer(path);
        } catch (const usage_error& problem) {
            const std::string message = problem.what();
            EXPECT_THAT(message, HasSubstr(path.string()));
            EXPECT_EQ(message.find('\n'), std::string::npos) << message;
            return message;
        }
        return "accepted";
    }
    std::string refusal(const json& file) { return refusal(file.dump()); }
};

TEST_F(tokenizer_test, pairs_are_merged_in_the_order_of_their_ranks) {
    const auto words = made(byte_pairs());
    EXPECT_THAT(words->encode("abc", true), ElementsAre(5));
    EXPECT_THAT(words->encode("aabcb", true), ElementsAre(0, 5, 1));
    EXPECT_THAT(words->encode(" ab", true), ElementsAre(3, 4));
    auto reversed = byte_pairs();
    reversed["model"]["vocab"].erase("abc");
    reversed["model"]["vocab"]["bc"] = 5;
    reversed["model"]["merges"] =
        json::array({json::array({"b", "c"}), json::array({"a", "b"})}); // pairs in the form of newer files
    EXPECT_THAT(made(reversed)->encode("abc", true), ElementsAre(0, 5));
}

TEST_F(tokenizer_test, a_long_piece_takes_no_quadratic_time) {
    std::string text;
    for (int i = 0; i < 200'000; ++i) {
        text += "abc";
    }
    EXPECT_EQ(made(byte_pairs())->encode(text, true), ids(200'000, 5)); // a quadratic search takes hours
}

TEST_F(tokenizer_test, a_piece_in_the_vocabulary_is_a_token_where_merges_are_ignored) {
    auto file = byte_pairs();
    file["model"]["vocab"]["cab"] = 8; // no merge leads here
    EXPECT_THAT(made(file)->encode("cab", true), ElementsAre(2, 4));
    file["model"]["ignore_merges"] = true;
    EXPECT_THAT(made(file)->encode("cab", true), ElementsAre(8));
}

TEST_F(tokenizer_test, characters_that_the_vocabulary_lacks_are_lost_or_unknown) {
    auto file = byte_pairs();
    EXPECT_THAT(made(file)->encode("axb", true), ElementsAre(4)); // as the library has it
    file["model"]["vocab"]["?"] = 8;
    file["model"]["unk_token"] = "?";
    EXPECT_THAT(made(file)->encode("axyb", true), ElementsAre(0, 8, 8, 1));
    file["model"]["fuse_unk"] = true;
    EXPECT_THAT(made(file)->encode("axyb", true), ElementsAre(0, 8, 1));
}

TEST_F(tokenizer_test, words_are_cut_into_the_longest_pieces) {
    const auto words = made(word_pieces());
    EXPECT_THAT(words->encode("Unaffable\u00c9!", false), ElementsAre(0, 7));
    EXPECT_THAT(words->encode("UNAFFABLE!", true), ElementsAre(1, 3, 5, 4, 7, 2));
    EXPECT_THAT(words->encode("\u00e9 e\u0301", false), ElementsAre(6, 6)); // accents go
    EXPECT_THAT(words->encode(std::string(101, 'e'), false), ElementsAre(0));
    EXPECT_EQ(words->decode(ids{1, 3, 5, 4, 7, 2}, false), "[CLS] unaffable! [SEP]");
}

TEST_F(tokenizer_test, accents_go_as_the_file_says) {
    auto file = word_pieces();
    file["model"]["vocab"]["\u00e9"] = 8;
    file["normalizer"]["strip_accents"] = false;
    EXPECT_THAT(made(file)->encode("\u00c9", false), ElementsAre(8));
    file["normalizer"]["lowercase"] = false;
    file["normalizer"]["strip_accents"] = nullptr; // as lowercase
    EXPECT_THAT(made(file)->encode("\u00e9", false), ElementsAre(8));
}

TEST_F(tokenizer_test, added_tokens_are_found_first) {
    auto file = byte_pairs();
    file["added_tokens"] = {{{"id", 8}, {"content", "<x>"}, {"special", true}},
                            {{"id", 9}, {"content", "<x><y>"}, {"normalized", false}},
                            {{"id", 1}, {"content", "b"}, {"single_word", true}}, // the vocabulary has it
                            {{"id", 10}, {"content", "<l>"}, {"lstrip", true}},
                            {{"id", 11}, {"content", "<r>"}, {"rstrip", true}}};
    const auto words = made(file);
    EXPECT_EQ(words->vocabulary_size(), 12U);
    EXPECT_THAT(words->encode("a<x>a<x><y>", true), ElementsAre(0, 8, 0, 9)); // the longest
    EXPECT_THAT(words->encode("a  <l> a", true), ElementsAre(0, 10, 3, 0));
    EXPECT_THAT(words->encode("a <r>  a", true), ElementsAre(0, 3, 11, 0));
    EXPECT_THAT(words->encode("ab b", true), ElementsAre(4, 3, 1));
    EXPECT_EQ(words->decode(ids{0, 8, 4}, false), "a<x>ab");
    EXPECT_EQ(words->decode(ids{0, 8, 4, 99, -1}, true), "aab"); // ids without a token, too
    EXPECT_EQ(words->id("<l>"), 10);
    EXPECT_EQ(words->token(10), "<l>");
    EXPECT_EQ(words->id("nothing"), std::nullopt);
    EXPECT_THROW(words->token(12), std::out_of_range);
}

TEST_F(tokenizer_test, a_stream_gives_complete_characters) {
    const auto words = made(byte_pairs());
    const auto stream = words->stream(false);
    EXPECT_EQ(stream->push(0), "a");
    EXPECT_EQ(stream->push(6), ""); // the first byte of two
    EXPECT_EQ(stream->push(7), "\u00e9");
    EXPECT_EQ(stream->push(6), "");
    EXPECT_EQ(stream->push(1), "\ufffdb");
    EXPECT_EQ(stream->push(6), "");
    EXPECT_EQ(stream->finish(), "\ufffd");
    EXPECT_EQ(words->decode(ids{0, 6, 7, 6, 1, 6}, false), "a\u00e9\ufffdb\ufffd");
}

TEST_F(tokenizer_test, a_file_of_config_names_the_special_tokens) {
    auto file = byte_pairs();
    file["added_tokens"] = {{{"id", 8}, {"content", "<|endoftext|>"}, {"special", true}},
                            {{"id", 9}, {"content", "<end>"}, {"special", true}}};
    EXPECT_EQ(made(file)->specials().end, 8); // a usual name
    put(R"({"eos_token": {"content": "<end>"}, "bos_token": null})", "tokenizer_config.json");
    const auto words = read_tokenizer(temporary); // the folder
    EXPECT_EQ(words->specials().end, 9);
    EXPECT_EQ(words->specials().begin, std::nullopt);
}

TEST_F(tokenizer_test, threads_share_a_tokenizer) {
    const auto words = made(byte_pairs());
    std::vector<ids> found(4);
    {
        std::vector<std::jthread> threads;
        for (auto& each : found) {
            threads.emplace_back([&] {
                for (int i = 0; i < 500; ++i) {
                    each = words->encode("abc ab a\u00e9 " + std::string(static_cast<std::size_t>(i % 7), 'c'), false);
                }
            });
        }
    }
    for (const auto& each : found) {
        EXPECT_EQ(each, found.front());
    }
}

TEST_F(tokenizer_test, invalid_utf8_is_refused_with_its_place) {
    const auto words = made(byte_pairs());
    try {
        words->encode("ab\xc3(", false);
        ADD_FAILURE() << "accepted";
    } catch (const usage_error& problem) {
        EXPECT_THAT(problem.what(), HasSubstr("byte 2"));
    }
    EXPECT_THAT(words->encode("", true), IsEmpty());
}

TEST(utf8, the_first_invalid_byte_is_found) {
    EXPECT_EQ(find_invalid_utf8("plain and \u00e9\u4e16\U0001f600"), std::nullopt);
    const std::pair<std::string, std::size_t> cases[] = {
        {"\x80", 0},                     // a byte that goes on
        {"ab\xc0\xaf", 2},               // overlong
        {"a\xed\xa0\x80", 1},            // a surrogate
        {"abcdefgh\xf4\x90\x80\x80", 8}, // above U+10FFFF
        {"\u00e9\xe4\xb8", 2},           // cut
    };
    for (const auto& [text, place] : cases) {
        EXPECT_EQ(find_invalid_utf8(text), place) << text;
    }
    EXPECT_EQ(valid_utf8("a\xe4\xb8z\xff"), "a\ufffdz\ufffd");
    EXPECT_EQ(unfinished_utf8("a\xf0\x9f\x98"), 3U);
    EXPECT_EQ(unfinished_utf8("\xe4\xb8\xe4"), 1U);
    EXPECT_EQ(unfinished_utf8("\x80\x80"), 0U);
}

TEST_F(tokenizer_test, each_kind_of_bad_file_is_refused) {
    struct bad_file {
        const char* pointer; ///< What of the file is replaced.
        json value;
        std::string words;
    };
    const json a_token = {{{"id", 8}, {"content", "<x>"}}};
    const bad_file cases[] = {
        {"/model/type", "Unigram", "model 'Unigram' is not supported; accepted: BPE, WordPiece"},
        {"/normalizer", {{"type", "Nmt"}}, "normalizer 'Nmt' is not supported; accepted: NFC"},
        {"/pre_tokenizer", {{"type", "Metaspace"}}, "pre_tokenizer 'Metaspace' is not supported; accepted: ByteLevel"},
        {"/decoder", {{"type", "CTC"}}, "decoder 'CTC' is not supported; accepted: ByteLevel"},
        {"/post_processor", {{"type", "X"}}, "post_processor 'X' is not supported; accepted: TemplateProcessing"},
        {"/model/merges/0", "a x", "model.merges[0] names the token 'x', which is not in the vocabulary"},
        {"/model/merges/1", "c c", "names the token 'cc', which is not in the vocabulary"},
        {"/model/merges/1", "abc", "two tokens with a space between them"},
        {"/model/merges/1", {"a", "b", "c"}, "is no pair"},
        {"/model/merges", 7, "a list of pairs is accepted"},
        {"/model/vocab/a", 1, "model.vocab has the id 1 twice: for 'a' and 'b'"},
        {"/model/vocab/abc", 9, "has no token with the id 5, but one with the id 9"},
        {"/model/vocab/abc", 2'000'000'000,
         "gives 'abc' an id that is not accepted; 8 tokens have the ids from 0 to 7"},
        {"/model/vocab/abc", -1, "gives 'abc' an id that is not accepted"},
        {"/model/vocab", json::object(), "model.vocab is empty"},
        {"/model/vocab", json::array(), "an object of tokens is accepted"},
        {"/model/dropout", 0.1, "model.dropout is set"},
        {"/model/unk_token", "?", "model.unk_token is '?', which is not in the vocabulary"},
        {"/model/ignore_merges", "yes", "model.ignore_merges is of the kind string; true or false is accepted"},
        {"/added_tokens",
         {{{"id", 9}, {"content", "<x>"}}},
         "gives '<x>' the id 9, but 8 is the next one that is free"},
        {"/added_tokens", {{{"id", 3}, {"content", "a"}}}, "the model's vocabulary has it with the id 0"},
        {"/added_tokens", {{{"id", 8}, {"content", ""}}}, "added_tokens[0] has no content"},
        {"/added_tokens", {a_token[0], a_token[0]}, "added_tokens[1] names '<x>' a second time"},
        {"/post_processor",
         {{"type", "BertProcessing"}, {"cls", {"a", 0}}, {"sep", {"x", 8}}},
         "is 8, but there are 8"},
        {"/post_processor",
         {{"type", "TemplateProcessing"}, {"single", json::array()}, {"special_tokens", json::object()}},
         "post_processor.single has the text 0 times; once is accepted"},
        {"/pre_tokenizer",
         {{"type", "Split"}, {"pattern", {{"Regex", "a(b"}}}, {"behavior", "Isolated"}},
         "cannot be compiled by ICU"},
        {"/pre_tokenizer",
         {{"type", "Split"}, {"pattern", {{"Regex", R"(\h)"}}}, {"behavior", "Isolated"}},
         "has the escape \\h; accepted"},
        {"/pre_tokenizer",
         {{"type", "Split"}, {"pattern", {{"Regex", "a{1,2}+"}}}, {"behavior", "Isolated"}},
         "repeats an interval"},
        {"/pre_tokenizer",
         {{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Cut"}},
         "pre_tokenizer.behavior is \"Cut\"; accepted: Removed, Isolated"},
        {"/pre_tokenizer",
         {{"type", "Sequence"}, {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}},
         "pre_tokenizer.pretokenizers[1] comes behind a ByteLevel"},
    };
    for (const auto& each : cases) {
        auto file = byte_pairs();
        file[json::json_pointer(each.pointer)] = each.value;
        EXPECT_THAT(refusal(file), HasSubstr(each.words)) << each.pointer;
    }
    auto without = word_pieces();
    without["model"]["unk_token"] = "?";
    EXPECT_THAT(refusal(without), HasSubstr("unk_token '?', which is not in its vocabulary"));
    EXPECT_THAT(refusal(std::string("{\"model\": ")), HasSubstr("not valid JSON (at byte"));
    EXPECT_THAT(refusal(std::string("[1]")), HasSubstr("is no tokenizer"));
    EXPECT_THAT(refusal(std::string("{}")), HasSubstr("is no tokenizer"));
    EXPECT_THAT(refusal(std::string("")), HasSubstr("is empty"));
    EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested more than 64 deep"));
    EXPECT_THROW(read_tokenizer(temporary / "nowhere.json"), usage_error);
}

/// What the Python library made of texts (tests/golden/make_tokenizer_golden.py).
TEST_F(tokenizer_test, golden_files_of_the_library) {
    const auto golden = json::parse(std::ifstream(std::string(GAISNET_TEST_DATA) + "/tokenizers.json"));
    ASSERT_GE(golden.at("tokenizers").size(), 6U);
    std::size_t compared = 0;
    for (const auto& [name, each] : golden.at("tokenizers").items()) {
        const auto words = made(each.at("file"));
        ASSERT_EQ(each.at("ids").size(), golden.at("texts").size());
        for (std::size_t i = 0; i < each.at("ids").size(); ++i) {
            const auto text = golden.at("texts")[i].get<std::string>();
            const auto expected = each.at("ids")[i].get<ids>();
            EXPECT_EQ(words->encode(text, true), expected) << name << ": " << text;
            EXPECT_EQ(words->decode(expected, false), each.at("decoded")[i].get<std::string>()) << name << ": " << text;
            ++compared;
        }
    }
    EXPECT_GE(compared, 300U);
}

TEST(word_tokenizer, words_are_their_places_in_the_list) {
    special_ids specials;
    specials.begin = 0;
    specials.end = 1;
    const auto words = make_word_tokenizer({"<begin>", "<end>", "red", "square"}, specials);
    EXPECT_THAT(words->encode("  red square\tred\n", false), ElementsAre(2, 3, 2));
    EXPECT_THAT(words->encode("red", true), ElementsAre(0, 2, 1));
    EXPECT_EQ(words->decode(ids{0, 2, 3, 1}, true), "red square");
    EXPECT_EQ(words->decode(ids{0, 2, 3, 1}, false), "<begin> red square <end>");
    EXPECT_EQ(words->vocabulary_size(), 4U);
    EXPECT_EQ(words->token(3), "square");
    try {
        words->encode("red circle", false);
        ADD_FAILURE() << "accepted";
    } catch (const usage_error& problem) {
        EXPECT_THAT(problem.what(), HasSubstr("'circle' at byte 4 is not in the vocabulary of 4 words"));
    }
    specials.unknown = 3;
    EXPECT_THAT(make_word_tokenizer({"a", "b", "c", "?"}, specials)->encode("c d", false), ElementsAre(2, 3));
    EXPECT_THROW(make_word_tokenizer({"a", "a"}), usage_error);
    EXPECT_THROW(make_word_tokenizer({"a b"}), usage_error);
    EXPECT_THROW(make_word_tokenizer({"\xff"}), usage_error);
    EXPECT_THROW(make_word_tokenizer({"a"}, specials), usage_error);
}

} // namespace
} // namespace gaisnet
