#include "base/error.hpp"
#include "base/random.hpp"
#include "data/grammar.hpp"
#include "data/partition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <sstream>
#include <unordered_map>

namespace gaisnet {
namespace {

using sentence = std::vector<std::int32_t>;

sentence ids_of(const std::string& text) {
    sentence out;
    std::istringstream in(text);
    for (std::string word; in >> word;) {
        const auto& words = grammar_words();
        out.push_back(static_cast<std::int32_t>(std::find(words.begin(), words.end(), word) - words.begin()));
    }
    return out;
}

TEST(grammar, words_are_told_apart_and_hold_no_blank) {
    const auto& words = grammar_words();
    EXPECT_EQ(std::set<std::string>(words.begin(), words.end()).size(), words.size());
    EXPECT_EQ(words.size(), 89U);
    EXPECT_EQ(words[padding_word], "<pad>");
    EXPECT_EQ(words[end_word], "<end>");
    EXPECT_EQ(words[unknown_word], "<unk>");
    for (const auto& word : words) {
        EXPECT_EQ(word.find_first_of(" \t\n"), std::string::npos) << word;
    }
    EXPECT_EQ(ids_of(grammar_text(sentence{3, 82})), (sentence{3, 82}));
}

TEST(grammar, sentences_are_as_their_rules_say) {
    const auto has = [](int domain, const std::string& text) {
        return std::isfinite(grammar_of(domain).log_probability(ids_of(text)));
    };
    EXPECT_TRUE(has(0, "the old dogs near cat behind birds run and stays old"));
    EXPECT_FALSE(has(0, "the old dogs near cat behind birds runs and stays old")) << "number of the verb";
    EXPECT_FALSE(has(0, "the old dogs near cat behind birds sing and stays old")) << "the nearer being's verb";
    EXPECT_FALSE(has(0, "the old dogs near cat behind birds run and stays new")) << "another quality";
    EXPECT_FALSE(has(0, "the old dogs near cat run and stays old")) << "a phrase too few";
    EXPECT_TRUE(has(1, "anna says oil tea oil tea wood and ben repeats oil tea oil tea wood"));
    EXPECT_FALSE(has(1, "anna says oil tea oil tea wood and ben repeats oil tea oil tea milk")) << "no echo";
    EXPECT_FALSE(has(1, "anna says oil tea oil tea wood and ben repeats oil tea oil tea")) << "ends early";
    EXPECT_TRUE(has(2, "( red [ old ] old ) red { big } big < old < new < red > red > new > old"));
    EXPECT_FALSE(has(2, "( red [ old ) old ] red { big } big < old < new < red > red > new > old")) << "they cross";
    EXPECT_FALSE(has(2, "( red [ old ] red ) red { big } big < old < new < red > red > new > old")) << "quality";
    const std::string facts = "anna sells tea ben sells oil leo sells tea ida sells milk ";
    EXPECT_TRUE(has(3, facts + "from leo tea from ben oil from leo tea from ida milk from anna tea"));
    EXPECT_FALSE(has(3, facts + "from leo tea from ben oil from leo oil from ida milk from anna tea")) << "his is tea";
    EXPECT_FALSE(has(3, facts + "from leo tea from leo tea from ben oil from ida milk from anna tea")) << "twice";
    EXPECT_FALSE(has(3, facts + "from leo tea from hugo tea from ben oil from ida milk from anna tea")) << "no seller";
    EXPECT_TRUE(
        has(4, "by three from five of the dogs and eight of the cats and one of the cats and four of the birds"));
    EXPECT_FALSE(
        has(4, "by three from five of the dogs and eight of the cats and two of the cats and five of the dogs"));
    EXPECT_TRUE(
        has(5, "about anna bread near the dog and rice near the cats and bread behind the dog and rice near the dog"));
    EXPECT_FALSE(
        has(5, "about anna bread near the dog and oil near the cats and bread behind the dog and rice near the dog"));
    EXPECT_FALSE(has(5, "about anna <end> bread near the dog"));
}

class every_grammar : public testing::TestWithParam<int> {
protected:
    const grammar& language() const { return grammar_of(GetParam()); }
};

TEST_P(every_grammar, a_sentence_is_a_function_of_seed_and_number) {
    std::set<std::string> different;
    for (std::uint64_t i = 40; i-- > 0;) { // not of the order of the calls
        EXPECT_EQ(language().sample(1, i), language().sample(1, i));
        different.insert(grammar_text(language().sample(1, i)));
    }
    EXPECT_EQ(different.size(), 40U);
    EXPECT_NE(language().sample(2, 0), language().sample(1, 0));
    EXPECT_NE(language().sample(1, std::uint64_t{1} << 32), language().sample(1, 0));
    EXPECT_NE(grammar_of((GetParam() + 1) % grammar_domains).sample(1, 0), language().sample(1, 0));
}

TEST_P(every_grammar, what_may_follow_has_probabilities_that_add_up_to_1) {
    for (std::uint64_t i = 0; i < 50; ++i) {
        const auto words = language().sample(1, i);
        for (std::size_t n = 0; n <= words.size(); ++n) {
            double sum = 0.0;
            std::set<std::int32_t> different;
            for (const auto& choice : language().next(std::span(words).first(n))) {
                EXPECT_GT(choice.probability, 0.0);
                EXPECT_TRUE(different.insert(choice.word).second);
                sum += choice.probability;
            }
            EXPECT_NEAR(sum, 1.0, 1e-12);
        }
    }
}

// The predictor that knows the grammar has the documented cross entropy: the closed form is right, and so is the sampler.
TEST_P(every_grammar, its_own_predictor_reaches_the_entropy) {
    constexpr int sentences = 8000;
    double sum = 0, square = 0, words = 0, words_square = 0;
    for (std::uint64_t i = 0; i < sentences; ++i) {
        const auto sampled = language().sample(5, i);
        const double nats = -language().log_probability(sampled), size = static_cast<double>(sampled.size()) + 1.0;
        sum += nats;
        square += nats * nats;
        words += size;
        words_square += size * size;
    }
    const auto error = [](double of, double of_square) {
        const double mean = of / sentences;
        return std::sqrt(std::max(of_square / sentences - mean * mean, 0.0) / sentences) + 1e-9;
    };
    EXPECT_NEAR(sum / sentences, language().sentence_entropy(), 4.5 * error(sum, square));
    EXPECT_NEAR(words / sentences, language().mean_words(), 4.5 * error(words, words_square));
    EXPECT_NEAR(sum / words, language().entropy(), 0.01);
}

/// Interpolated n-gram models of orders 1 to 5 (Witten and Bell 1991): the distribution of a context is mixed with that of
/// the context without its first word, which weighs as much as the context has different words behind it.
class ngram_models {
public:
    static constexpr std::size_t most = 5;
    explicit ngram_models(const sentence& text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            for (std::size_t n = 0; n < most && n <= i; ++n) {
                auto& seen = contexts_[n][key(text, i, n)];
                ++seen.total;
                ++seen.counts[text[i]];
            }
        }
    }
    /// Cross entropy by order, nats a word.
    std::vector<double> cross_entropies(const sentence& text) const {
        std::vector<double> sums(most);
        for (std::size_t i = most; i < text.size(); ++i) {
            double probability = 1.0 / static_cast<double>(grammar_words().size());
            for (std::size_t n = 0; n < most; ++n) {
                const auto seen = contexts_[n].find(key(text, i, n));
                if (seen != contexts_[n].end()) {
                    const auto& [total, counts] = seen->second;
                    const auto word = counts.find(text[i]);
                    const double kinds = static_cast<double>(counts.size());
                    probability = ((word == counts.end() ? 0.0 : word->second) + kinds * probability) / (total + kinds);
                }
                sums[n] -= std::log(probability) / static_cast<double>(text.size() - most);
            }
        }
        return sums;
    }

private:
    struct followers {
        double total = 0;
        std::unordered_map<std::int32_t, double> counts;
    };
    /// The n words before place i as a number.
    static std::uint64_t key(const sentence& text, std::size_t i, std::size_t n) {
        std::uint64_t out = 0;
        for (auto place = i - n; place < i; ++place) {
            out = out << 7 | static_cast<std::uint64_t>(text[place]);
        }
        return out;
    }
    std::unordered_map<std::uint64_t, followers> contexts_[most];
};

sentence sentences_in_a_row(const grammar& language, std::uint64_t seed, std::size_t words) {
    sentence out;
    for (std::uint64_t i = 0; out.size() < words; ++i) {
        const auto more = language.sample(seed, i);
        out.insert(out.end(), more.begin(), more.end());
        out.push_back(end_word);
    }
    out.resize(words);
    return out;
}

// Measured: the best order stays 0.41, 1.23, 0.83, 0.95, 0.38 and 0.32 nats a word above the entropy. The bounds leave
// slack of a tenth to a fifth. So there is something to learn that only a model with a memory learns.
TEST_P(every_grammar, ngram_models_stay_above_the_entropy) {
    const std::vector<double> margins{0.34, 1.1, 0.7, 0.8, 0.31, 0.26};
    const ngram_models models(sentences_in_a_row(language(), 1, 20000));
    const auto found = models.cross_entropies(sentences_in_a_row(language(), 2, 20000));
    const double best = *std::min_element(found.begin(), found.end());
    EXPECT_GT(best - language().entropy(), margins.at(static_cast<std::size_t>(GetParam())))
        << language().name() << ": entropy " << language().entropy() << ", models " << testing::PrintToString(found);
    EXPECT_LT(found[1], found[0] - 0.5) << "neighbours tell something";
}

INSTANTIATE_TEST_SUITE_P(domains, every_grammar, testing::Range(0, grammar_domains));

/// Entropy of the shape of 6 pairs of brackets, over all 132 shapes: -p log p of each.
double entropy_of_shapes(int open, int closed, double probability) {
    if (open == 6) {
        return -probability * std::log(probability); // the rest closes
    }
    if (open == closed) {
        return entropy_of_shapes(open + 1, closed, probability);
    }
    return entropy_of_shapes(open + 1, closed, 0.7 * probability) +
           entropy_of_shapes(open, closed + 1, 0.3 * probability);
}

// Each number is the sum of the entropies of a sentence's draws over its words. Agreement: quality, being, number of
// phrases, and 3 phrases of a place and a being, of 14 words.
TEST(grammar, entropies_in_closed_form) {
    EXPECT_NEAR(grammar_of(0).entropy(), (std::log(8) + std::log(12) + std::log(3) + 3 * std::log(2 * 12)) / 14, 1e-12);
    EXPECT_NEAR(grammar_of(1).entropy(), (2 * std::log(12) + std::log(4) + 6.5 * std::log(12)) / 19, 1e-12);
    EXPECT_NEAR(grammar_of(2).entropy(), (entropy_of_shapes(0, 0, 1.0) + 6 * std::log(4 * 8)) / 25, 1e-12);
    EXPECT_NEAR(grammar_of(3).entropy(),
                (std::log(12 * 11 * 10 * 9) + 4 * std::log(12) + std::log(4) + 6.5 * std::log(3)) / 32.5, 1e-12);
    EXPECT_NEAR(grammar_of(4).entropy(), (std::log(5) + std::log(10) + std::log(4) + 5.5 * std::log(6)) / 30.5, 1e-12);
    EXPECT_NEAR(grammar_of(5).entropy(), (std::log(12) + std::log(4) + 5.5 * std::log(2 * 2 * 12)) / 29.5, 1e-12);
}

// Frozen, so that nobody's pre-trained model and published numbers lose their meaning unnoticed. A change here is a new
// data set and belongs in the changelog.
TEST(grammar, the_sentences_are_frozen) {
    std::uint64_t hash = 0;
    for (int domain = 0; domain < grammar_domains; ++domain) {
        for (std::uint64_t i = 0; i < 20; ++i) {
            hash = stable_hash(grammar_text(grammar_of(domain).sample(1, i)), hash);
        }
    }
    EXPECT_EQ(hash, 13118568502116595490ULL);
}

TEST(grammar, texts_of_several_domains_take_turns) {
    const auto texts = make_grammar_texts({{4, 0, 2}, 60, 3});
    EXPECT_THAT(texts->class_names(), testing::ElementsAre("counting", "agreement", "nesting"));
    ASSERT_EQ(texts->size(), 60U);
    EXPECT_EQ(texts->label(4), 1);
    EXPECT_EQ(texts->name(4), "agreement/1");
    EXPECT_EQ(texts->text(4), grammar_text(grammar_of(0).sample(3, 1)));
    const auto split = stratified_split(*texts, 0.8, 1);
    EXPECT_EQ(split.train.size(), 48U);
    EXPECT_THAT(label_histogram(*texts, split.validation), testing::ElementsAre(4, 4, 4));
}

TEST(grammar, what_cannot_be_made_is_refused) {
    const auto refuses = [](const grammar_spec& spec, const char* culprit) {
        try {
            make_grammar_texts(spec);
            ADD_FAILURE() << culprit << " was accepted";
        } catch (const usage_error& problem) {
            EXPECT_THAT(problem.what(), testing::HasSubstr(culprit));
        }
    };
    refuses({{6}, 10, 1}, "data.domain = 6");
    refuses({{-1}, 10, 1}, "data.domain = -1");
    refuses({{1, 2, 1}, 10, 1}, "data.domain = 1 comes twice");
    refuses({{}, 10, 1}, "need a domain");
    refuses({{0}, 0, 1}, "samples of procedural texts = 0");
}

} // namespace
} // namespace gaisnet
