#include "data/grammar.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace gaisnet {

namespace {

using words_so_far = std::span<const std::int32_t>;
using next_words = std::vector<word_chance>;

/// Words with ids that follow each other.
struct word_group {
    std::int32_t first;
    std::int32_t size;
    bool contains(std::int32_t word) const { return word >= first && word < first + size; }
    std::int32_t place(std::int32_t word) const {
        ensure(contains(word), "a word of a sentence belongs to its group");
        return word - first;
    }
    double entropy() const { return std::log(size); } ///< Of an even draw, nats.
};

/// Where the words stand in grammar_words().
namespace lexicon {

constexpr word_group names{3, 12}, things{15, 12}, qualities{27, 8};
constexpr word_group beings{35, 12}, plural_beings{41, 6}, verbs{47, 12}; // The verb of a being has its place.
constexpr word_group numbers{59, 10}, steps{59, 5}, openers{69, 4}, closers{73, 4}, places{77, 2};
enum : std::int32_t { the = 79, and_also, stays, says, repeats, sells, from, by, of, about };

} // namespace lexicon

next_words only(std::int32_t word) { return {{word, 1.0}}; }

next_words evenly(const word_group& group, double probability = 1.0) {
    next_words out;
    for (std::int32_t i = 0; i < group.size; ++i) {
        out.push_back({group.first + i, probability / group.size});
    }
    return out;
}

/// A number of repetitions that is drawn evenly, written so that each repetition says whether another one follows.
struct repetitions {
    int least, most;
    /// Probability that there are no more than `count`, of which it is known that there are as many.
    double stop(int count) const { return count < least ? 0.0 : 1.0 / (most - count + 1); }
    double mean() const { return 0.5 * (least + most); }
    double entropy() const { return std::log(most - least + 1); }
};

/// `more` if another repetition follows, and `after` if none does.
next_words more_or(const repetitions& times, int count, next_words more, std::int32_t after) {
    const double stop = times.stop(count);
    for (auto& choice : more) {
        choice.probability *= 1.0 - stop;
    }
    if (stop >= 1.0) {
        more.clear();
    }
    if (stop > 0.0) {
        more.push_back({after, stop});
    }
    return more;
}

class named_grammar : public grammar {
public:
    explicit named_grammar(std::string name): name_(std::move(name)) {}
    const std::string& name() const override { return name_; }

private:
    std::string name_;
};

class agreement_grammar final : public named_grammar {
public:
    using named_grammar::named_grammar;

    next_words next(words_so_far words) const override {
        const auto size = words.size();
        if (size < subject_end) {
            return size == 0 ? only(lexicon::the) : evenly(size == 1 ? lexicon::qualities : lexicon::beings);
        }
        std::size_t at = subject_end;
        while (at < size && !lexicon::verbs.contains(words[at])) {
            at += 2;
        }
        if (at > size) { // after "near"
            return evenly(lexicon::beings);
        }
        if (at == size) {
            const auto verb = lexicon::verbs.first + lexicon::beings.place(words[2]);
            return more_or(phrases, static_cast<int>((at - subject_end) / 2), evenly(lexicon::places), verb);
        }
        const std::array<std::int32_t, 4> rest{lexicon::and_also, lexicon::stays, words[1], end_word};
        return only(rest.at(size - at - 1));
    }
    double mean_words() const override { return 3.0 + 2.0 * phrases.mean() + 1.0 + 4.0; }
    double sentence_entropy() const override {
        return lexicon::qualities.entropy() + lexicon::beings.entropy() + phrases.entropy() +
               phrases.mean() * (lexicon::places.entropy() + lexicon::beings.entropy());
    }

private:
    static constexpr std::size_t subject_end = 3;
    static constexpr repetitions phrases{2, 4};
};

class echo_grammar final : public named_grammar {
public:
    using named_grammar::named_grammar;

    next_words next(words_so_far words) const override {
        const auto size = words.size();
        if (size < first) {
            return size == 0 ? evenly(lexicon::names) : only(lexicon::says);
        }
        const auto middle = std::find(words.begin(), words.end(), lexicon::and_also);
        const auto length = static_cast<std::size_t>(middle - words.begin()) - first;
        if (middle == words.end()) {
            return more_or(things, static_cast<int>(length), evenly(lexicon::things), lexicon::and_also);
        }
        const auto after = size - first - length - 1;
        if (after < 2) {
            return after == 0 ? evenly(lexicon::names) : only(lexicon::repeats);
        }
        return only(after - 2 < length ? words[first + after - 2] : end_word);
    }
    double mean_words() const override { return 2.0 + 2.0 * things.mean() + 3.0 + 1.0; }
    double sentence_entropy() const override {
        return 2.0 * lexicon::names.entropy() + things.entropy() + things.mean() * lexicon::things.entropy();
    }

private:
    static constexpr std::size_t first = 2; ///< Place of the first thing.
    static constexpr repetitions things{5, 8};
};

class nesting_grammar final : public named_grammar {
public:
    using named_grammar::named_grammar;

    next_words next(words_so_far words) const override {
        struct bracket {
            std::int32_t kind, quality;
        };
        std::vector<bracket> open;
        bracket closed{};
        int opened = 0;
        for (std::size_t i = 0; i < words.size(); i += 2) {
            if (lexicon::openers.contains(words[i])) {
                ++opened;
                open.push_back({lexicon::openers.place(words[i]), i + 1 < words.size() ? words[i + 1] : 0});
            } else {
                ensure(!open.empty(), "a bracket that closes was opened");
                closed = open.back();
                open.pop_back();
            }
        }
        if (words.size() % 2 == 1) {
            return lexicon::openers.contains(words.back()) ? evenly(lexicon::qualities) : only(closed.quality);
        }
        if (open.empty()) {
            return opened == pairs ? only(end_word) : evenly(lexicon::openers);
        }
        const double another = opened == pairs ? 0.0 : go_deeper;
        auto out = another > 0.0 ? evenly(lexicon::openers, another) : next_words{};
        out.push_back({lexicon::closers.first + open.back().kind, 1.0 - another});
        return out;
    }
    double mean_words() const override { return 4.0 * pairs + 1.0; }
    double sentence_entropy() const override {
        return pairs * (lexicon::openers.entropy() + lexicon::qualities.entropy()) + decisions(0, 0);
    }

private:
    /// Entropy of the decisions to open or to close that follow.
    static double decisions(int depth, int opened) {
        if (opened == pairs) {
            return 0.0;
        }
        if (depth == 0) {
            return decisions(1, opened + 1);
        }
        const double one = -go_deeper * std::log(go_deeper) - (1.0 - go_deeper) * std::log(1.0 - go_deeper);
        return one + go_deeper * decisions(depth + 1, opened + 1) + (1.0 - go_deeper) * decisions(depth - 1, opened);
    }
    static constexpr int pairs = 6;
    static constexpr double go_deeper = 0.7;
};

class recall_grammar final : public named_grammar {
public:
    using named_grammar::named_grammar;

    next_words next(words_so_far words) const override {
        const auto size = words.size();
        const auto in_clause = size % 3;
        if (size < facts_end) {
            if (in_clause > 0) {
                return in_clause == 1 ? only(lexicon::sells) : evenly(lexicon::things);
            }
            next_words out;
            for (const auto& choice : evenly(lexicon::names)) {
                if (std::find(words.begin(), words.end(), choice.word) == words.end()) {
                    out.push_back({choice.word, 1.0 / (lexicon::names.size - static_cast<double>(size / 3))});
                }
            }
            return out;
        }
        if (in_clause == 0) {
            return more_or(questions, static_cast<int>((size - facts_end) / 3), only(lexicon::from), end_word);
        }
        if (in_clause == 1) {
            const auto last = words[size == facts_end + 1 ? size - 4 : size - 3];
            next_words out;
            for (std::size_t fact = 0; fact < facts_end; fact += 3) {
                if (words[fact] != last) {
                    out.push_back({words[fact], 1.0 / (facts - 1)});
                }
            }
            return out;
        }
        const auto fact = std::find(words.begin(), words.begin() + facts_end, words.back());
        ensure(fact != words.begin() + facts_end, "whoever is asked for sells something");
        return only(fact[2]);
    }
    double mean_words() const override { return 3.0 * facts + 3.0 * questions.mean() + 1.0; }
    double sentence_entropy() const override {
        double names = 0.0; // of an ordered draw without repeats
        for (int fact = 0; fact < facts; ++fact) {
            names += std::log(lexicon::names.size - fact);
        }
        return names + facts * lexicon::things.entropy() + questions.entropy() + questions.mean() * std::log(facts - 1);
    }

private:
    static constexpr int facts = 4;
    static constexpr std::ptrdiff_t facts_end = 3 * facts;
    static constexpr repetitions questions{5, 8};
};

class counting_grammar final : public named_grammar {
public:
    using named_grammar::named_grammar;

    next_words next(words_so_far words) const override {
        const auto size = words.size();
        if (size < first) {
            return size == 1 ? evenly(lexicon::steps) : only(size == 0 ? lexicon::by : lexicon::from);
        }
        switch ((size - first) % period) {
        case 0: {
            if (size == first) {
                return evenly(lexicon::numbers);
            }
            const auto step = 1 + lexicon::steps.place(words[1]);
            const auto before = lexicon::numbers.place(words[size - period]);
            return only(lexicon::numbers.first + (before + step) % lexicon::numbers.size);
        }
        case 1: return only(lexicon::of);
        case 2: return only(lexicon::the);
        case 3: return evenly(lexicon::plural_beings);
        default: {
            const auto count = static_cast<int>((size - first + 1) / period);
            return more_or(numbers, count, only(lexicon::and_also), end_word);
        }
        }
    }
    double mean_words() const override { return 3.0 + 5.0 * numbers.mean(); } // the last "and" is an end_word
    double sentence_entropy() const override {
        return lexicon::steps.entropy() + lexicon::numbers.entropy() + numbers.entropy() +
               numbers.mean() * lexicon::plural_beings.entropy();
    }

private:
    static constexpr std::size_t first = 3;  ///< Place of the first number.
    static constexpr std::size_t period = 5; ///< From a number to the next.
    static constexpr repetitions numbers{4, 7};
};

class topic_grammar final : public named_grammar {
public:
    using named_grammar::named_grammar;

    next_words next(words_so_far words) const override {
        const auto size = words.size();
        if (size < first) {
            return size == 0 ? only(lexicon::about) : evenly(lexicon::names);
        }
        switch ((size - first) % period) {
        case 0: {
            const auto one = lexicon::names.place(words[1]), other = (one + 5) % lexicon::things.size;
            return {{lexicon::things.first + one, 0.5}, {lexicon::things.first + other, 0.5}};
        }
        case 1: return evenly(lexicon::places);
        case 2: return only(lexicon::the);
        case 3: return evenly(lexicon::beings);
        default: {
            const auto count = static_cast<int>((size - first + 1) / period);
            return more_or(clauses, count, only(lexicon::and_also), end_word);
        }
        }
    }
    double mean_words() const override { return 2.0 + 5.0 * clauses.mean(); } // the last "and" is an end_word
    double sentence_entropy() const override {
        return lexicon::names.entropy() + clauses.entropy() +
               clauses.mean() * (std::log(2.0) + lexicon::places.entropy() + lexicon::beings.entropy());
    }

private:
    static constexpr std::size_t first = 2;  ///< Place of the first clause.
    static constexpr std::size_t period = 5; ///< From a thing to the next.
    static constexpr repetitions clauses{4, 7};
};

class grammar_texts final : public text_dataset {
public:
    explicit grammar_texts(const grammar_spec& spec): spec_(spec) {
        for (const auto domain : spec.domains) {
            classes_.push_back(grammar_of(domain).name());
        }
    }
    std::size_t size() const override { return static_cast<std::size_t>(spec_.samples); }
    std::int64_t label(std::size_t sample) const override {
        return static_cast<std::int64_t>(sample % classes_.size());
    }
    const std::vector<std::string>& class_names() const override { return classes_; }
    std::string name(std::size_t sample) const override {
        return classes_[sample % classes_.size()] + "/" + std::to_string(sample / classes_.size());
    }
    std::string text(std::size_t sample) const override {
        const auto& language = grammar_of(spec_.domains[sample % classes_.size()]);
        return grammar_text(language.sample(spec_.seed, sample / classes_.size()));
    }

private:
    grammar_spec spec_;
    std::vector<std::string> classes_;
};

} // namespace

const std::vector<std::string>& grammar_words() {
    static const std::vector<std::string> words{
        "<pad>",   "<end>",  "<unk>",                                                //
        "anna",    "ben",    "clara", "david",  "emma",     "felix",                 // names
        "greta",   "hugo",   "ida",   "jonas",  "karin",    "leo",                   //
        "bread",   "milk",   "fish",  "salt",   "tea",      "rice",                  // things
        "wood",    "wool",   "glass", "iron",   "paper",    "oil",                   //
        "red",     "blue",   "green", "white",  "small",    "big",     "old", "new", // qualities
        "dog",     "cat",    "bird",  "horse",  "child",    "farmer",                // beings
        "dogs",    "cats",   "birds", "horses", "children", "farmers",               //
        "runs",    "sleeps", "sings", "waits",  "eats",     "works",                 // their verbs
        "run",     "sleep",  "sing",  "wait",   "eat",      "work",                  //
        "one",     "two",    "three", "four",   "five",     "six",                   // numbers
        "seven",   "eight",  "nine",  "ten",                                         //
        "(",       "[",      "{",     "<",      ")",        "]",       "}",   ">",   // brackets
        "near",    "behind", "the",   "and",    "stays",    "says",                  //
        "repeats", "sells",  "from",  "by",     "of",       "about"};
    return words;
}

const grammar& grammar_of(int domain) {
    static const agreement_grammar agreement("agreement");
    static const echo_grammar echo("echo");
    static const nesting_grammar nesting("nesting");
    static const recall_grammar recall("recall");
    static const counting_grammar counting("counting");
    static const topic_grammar topic("topic");
    static const std::array<const grammar*, grammar_domains> all{&agreement, &echo,     &nesting,
                                                                 &recall,    &counting, &topic};
    if (domain < 0 || domain >= grammar_domains) {
        throw usage_error("data.domain = " + std::to_string(domain) + ": procedural texts accept 0 to " +
                          std::to_string(grammar_domains - 1));
    }
    return *all[static_cast<std::size_t>(domain)];
}

std::vector<std::int32_t> grammar::sample(std::uint64_t seed, std::uint64_t index) const {
    random_stream draw(seed, "grammar", name(), static_cast<std::uint32_t>(index >> 32),
                       static_cast<std::uint32_t>(index));
    std::vector<std::int32_t> words;
    for (;;) {
        const auto choices = next(words);
        auto word = choices.front().word;
        if (choices.size() > 1) {
            double left = draw.uniform();
            for (const auto& choice : choices) {
                word = choice.word; // the last one also if rounding leaves something over
                left -= choice.probability;
                if (left < 0.0) {
                    break;
                }
            }
        }
        if (word == end_word) {
            return words;
        }
        words.push_back(word);
    }
}

double grammar::log_probability(std::span<const std::int32_t> words) const {
    double sum = 0.0;
    for (std::size_t i = 0; i <= words.size(); ++i) {
        const auto wanted = i < words.size() ? words[i] : end_word;
        const auto choices = next(words.first(i));
        const auto found = std::find_if(choices.begin(), choices.end(),
                                        [&](const word_chance& choice) { return choice.word == wanted; });
        if (found == choices.end() || (wanted == end_word && i < words.size())) {
            return -std::numeric_limits<double>::infinity();
        }
        sum += std::log(found->probability);
    }
    return sum;
}

std::string grammar_text(std::span<const std::int32_t> words) {
    std::string out;
    for (const auto word : words) {
        out += (out.empty() ? "" : " ") + grammar_words().at(static_cast<std::size_t>(word));
    }
    return out;
}

std::unique_ptr<text_dataset> make_grammar_texts(const grammar_spec& spec) {
    if (spec.domains.empty()) {
        throw usage_error("procedural texts need a domain");
    }
    for (auto domain = spec.domains.begin(); domain != spec.domains.end(); ++domain) {
        if (std::find(spec.domains.begin(), domain, *domain) != domain) {
            throw usage_error("data.domain = " + std::to_string(*domain) + " comes twice");
        }
    }
    if (spec.samples < 1) {
        throw usage_error("samples of procedural texts = " + std::to_string(spec.samples) + "; 1 or more are accepted");
    }
    return std::make_unique<grammar_texts>(spec);
}

} // namespace gaisnet
