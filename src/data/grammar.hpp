#pragma once

#include "data/text_dataset.hpp"
#include "scenario/data.hpp"

#include <memory>
#include <span>

namespace gaisnet {

constexpr int grammar_domains = drawn_languages;
constexpr std::int32_t padding_word = 0, end_word = 1, unknown_word = 2; ///< Ids of <pad>, <end> and <unk>.

/// The 89 words of all grammars; a word's place is its id.
const std::vector<std::string>& grammar_words();

struct word_chance {
    std::int32_t word;
    double probability;
};

/// A small language whose sentences are written word by word. A word that is determined depends on one that stands
/// further back than an n-gram model of order 5 sees, and mostly at a distance that varies. Below, a capital is a word of
/// a group (names 12, THINGS 12, QUALITIES 8, BEINGS 6 and 6 plurals, VERBS 12, NUMBERS 10), drawn evenly and
/// independently unless something is said of it, and *words* are determined. A range is drawn evenly.
///
///     0 agreement  the QUALITY1 BEING1, 2 to 4 times (near|behind BEING), then *verb of BEING1* and stays *QUALITY1*.
///                  A verb goes with each of the 12 singulars and plurals.
///     1 echo       NAME says 5 to 8 THINGS and NAME repeats *the same things*.
///     2 nesting    6 pairs of brackets of 4 kinds, each with a quality at both ends: ( red [ old *] old* *) red*.
///                  Within a bracket another one opens with probability 0.7 while there are any left; else it closes.
///     3 recall     4 times NAME sells THING, of different names, then 5 to 8 times: from NAME *her thing*. NAME is one of
///                  the four, and not the one that stands last before it.
///     4 counting   by STEP from NUMBER of the BEINGS, 3 to 6 times more: and *number before + STEP* of the BEINGS.
///                  Steps are 1 to 5; after ten comes one. Beings are plural.
///     5 topic      about NAME, then 4 to 7 clauses: THING near|behind the BEING, with "and" between two of them. THING is
///                  one of two that belong to NAME.
///
/// Each draw shows at once in a word, so the entropy of a sentence is the sum of the entropies of its draws: a closed form,
/// but for nesting, where it is a recursion over its 40 or so states. Languages do not depend on a seed.
class grammar {
public:
    virtual ~grammar() = default;
    virtual const std::string& name() const = 0;
    /// What may follow the words that begin a sentence, with probabilities that add up to 1; end_word after the last.
    /// \param words the beginning of a sentence of this grammar.
    virtual std::vector<word_chance> next(std::span<const std::int32_t> words) const = 0;
    /// Words of a sentence on average, with its end_word.
    virtual double mean_words() const = 0;
    /// Entropy of a sentence, nats.
    virtual double sentence_entropy() const = 0;

    /// True conditional entropy of sentences that follow each other, nats a word (end_word is one): no model's cross entropy
    /// falls below. By domain 1.086, 1.185, 0.984, 0.857, 0.497, 0.853. The best of interpolated n-gram models (n = 1 to 5,
    /// Witten and Bell) stays 0.41, 1.23, 0.83, 0.95, 0.38 and 0.32 above after 20,000 words, and after 800,000 words 0.36,
    /// 1.12, 0.71, 0.89, 0.38 and 0.32. Decoders of 2 blocks of width 64 came to within 0.03, 0.11, 0.26, 0.39, 0.03 and
    /// 0.03 in 700 steps of 32 times 96 words.
    double entropy() const { return sentence_entropy() / mean_words(); }
    /// A sentence without its end_word: a pure function of the arguments and of the grammar.
    std::vector<std::int32_t> sample(std::uint64_t seed, std::uint64_t index) const;
    /// Natural logarithm of a whole sentence's probability, its end_word included; minus infinity where the grammar does
    /// not have it. \param words without end_word.
    double log_probability(std::span<const std::int32_t> words) const;
};

/// \throws usage_error when there is no such domain.
const grammar& grammar_of(int domain);

/// The words of a sentence with a space between two.
std::string grammar_text(std::span<const std::int32_t> words);

struct grammar_spec {
    std::vector<int> domains{0}; ///< In turns; each is a class.
    std::int64_t samples = 1200; ///< Sentences of all domains together.
    std::uint64_t seed = 1;
};

/// Sentences of grammars, the embedded default of texts. \throws usage_error when domains or samples are out of range or a
/// domain comes twice.
std::unique_ptr<text_dataset> make_grammar_texts(const grammar_spec&);

} // namespace gaisnet
