#include "data/text_blocks.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

namespace gaisnet {

namespace {

struct encoded_text {
    std::size_t bytes = 0;
    std::vector<std::int32_t> tokens;
};

/// Encodes some of the texts.
std::vector<encoded_text> encode_texts(const text_dataset& texts, std::span<const std::size_t> samples,
                                       const text_encoder& encode, std::size_t threads) {
    std::vector<encoded_text> out(samples.size());
    std::atomic<std::size_t> next = 0;
    std::exception_ptr failure;
    std::mutex guard;
    const auto work = [&] {
        try {
            for (auto i = next.fetch_add(1); i < samples.size(); i = next.fetch_add(1)) {
                const auto text = texts.text(samples[i]);
                out[i] = {text.size(), encode(text)};
            }
        } catch (...) {
            const std::lock_guard lock(guard);
            failure = failure ? failure : std::current_exception();
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (std::size_t i = 1; i < std::min(threads, samples.size()); ++i) {
            helpers.emplace_back(work);
        }
        work();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
    return out;
}

std::vector<std::size_t> all_of(const text_dataset& texts) {
    std::vector<std::size_t> out(texts.size());
    std::iota(out.begin(), out.end(), std::size_t{0});
    return out;
}

} // namespace

void text_blocks::token_list::append(std::int32_t token) {
    if (short_ids_) {
        short_.push_back(static_cast<std::uint16_t>(token));
    } else {
        long_.push_back(token);
    }
}

void text_blocks::token_list::trim() {
    short_.shrink_to_fit();
    long_.shrink_to_fit();
}

std::size_t text_blocks::token_row::text_at(std::uint64_t place) const {
    const auto after = std::upper_bound(starts.begin(), starts.end(), place);
    return std::min(static_cast<std::size_t>(after - starts.begin()) - 1, texts.size() - 1);
}

std::uint64_t text_blocks::token_row::bytes_up_to(std::uint64_t place) const {
    const auto text = text_at(place);
    const auto all = starts[text + 1] - starts[text], mine = place - starts[text];
    const auto size = bytes[text + 1] - bytes[text];
    // size * mine / all, without an overflow for a text of many bytes and tokens
    return bytes[text] + size / all * mine + size % all * mine / all;
}

text_blocks::text_blocks(const text_dataset& texts, const text_encoder& encode, block_rule rule, std::size_t threads)
    : text_blocks(texts, all_of(texts), encode, rule, threads) {}

text_blocks::text_blocks(const text_dataset& texts, std::span<const std::size_t> samples, const text_encoder& encode,
                         block_rule rule, std::size_t threads)
    : texts_(texts)
    , rule_(rule) {
    if (rule_.tokens < 1) {
        throw usage_error("a block of " + std::to_string(rule_.tokens) + " tokens; 1 or more are accepted");
    }
    check_token(rule_.end_token, "the end token");
    if (rule_.padding) {
        check_token(*rule_.padding, "the token for padding");
    }
    constexpr std::int64_t most_short_ids = std::int64_t{std::numeric_limits<std::uint16_t>::max()} + 1;
    rows_.assign(texts.class_names().size(), {token_list(rule_.vocabulary <= most_short_ids), {}, {0}, {0}});
    constexpr std::size_t at_a_time = 1024; // that not all tokens are in memory twice
    for (std::size_t first = 0; first < samples.size(); first += at_a_time) {
        const auto some = samples.subspan(first, std::min(at_a_time, samples.size() - first));
        const auto encoded = encode_texts(texts, some, encode, threads);
        for (std::size_t i = 0; i < some.size(); ++i) {
            append(some[i], encoded[i].bytes, encoded[i].tokens);
        }
    }
    first_block_.push_back(0);
    const auto each = static_cast<std::uint64_t>(rule_.tokens);
    for (auto& row : rows_) {
        row.tokens.trim();
        const auto filled = row.predicted() / each;
        first_block_.push_back(first_block_.back() + filled + (rule_.padding && row.predicted() % each > 0 ? 1 : 0));
    }
    if (size() == 0) {
        throw usage_error(std::to_string(samples.size()) + " texts have " + std::to_string(unused_tokens()) +
                          " tokens in all; no class fills a block of " + std::to_string(rule_.tokens));
    }
}

void text_blocks::check_token(std::int64_t token, const std::string& what) const {
    if (token < 0 || token >= rule_.vocabulary) {
        throw usage_error(what + " is " + std::to_string(token) + "; 0 to " + std::to_string(rule_.vocabulary - 1) +
                          " are accepted by a vocabulary of " + std::to_string(rule_.vocabulary) + " tokens");
    }
}

void text_blocks::append(std::size_t sample, std::size_t bytes, const std::vector<std::int32_t>& tokens) {
    auto& row = rows_[static_cast<std::size_t>(texts_.label(sample))];
    if (row.texts.empty()) {
        row.tokens.append(rule_.end_token);
    }
    for (const auto token : tokens) {
        if (token < 0 || token >= rule_.vocabulary) {
            check_token(token, "a token of " + texts_.name(sample));
        }
        row.tokens.append(token);
    }
    row.tokens.append(rule_.end_token);
    row.texts.push_back(sample);
    row.starts.push_back(row.tokens.size() - 1);
    row.bytes.push_back(row.bytes.back() + bytes);
}

std::int64_t text_blocks::label(std::size_t block) const {
    ensure(block < size(), "there is such a block");
    return std::upper_bound(first_block_.begin(), first_block_.end(), block) - first_block_.begin() - 1;
}

std::pair<const text_blocks::token_row&, std::uint64_t> text_blocks::place_of(std::size_t block) const {
    const auto row = static_cast<std::size_t>(label(block));
    return {rows_[row], (block - first_block_[row]) * static_cast<std::uint64_t>(rule_.tokens)};
}

std::string text_blocks::name(std::size_t block) const {
    const auto [row, place] = place_of(block);
    const auto text = row.text_at(place);
    return texts_.name(row.texts[text]) + "+" + std::to_string(place - row.starts[text]);
}

token_block text_blocks::block(std::size_t number) const {
    const auto [row, place] = place_of(number);
    const auto end = std::min(place + static_cast<std::uint64_t>(rule_.tokens), row.predicted());
    token_block out;
    out.tokens.assign(static_cast<std::size_t>(rule_.tokens) + 1, rule_.padding.value_or(0));
    for (auto i = place; i <= end; ++i) {
        out.tokens[i - place] = row.tokens.at(i);
    }
    out.predicted = static_cast<std::int64_t>(end - place);
    out.bytes = static_cast<std::int64_t>(row.bytes_up_to(end) - row.bytes_up_to(place));
    return out;
}

std::int64_t text_blocks::predicted_tokens() const {
    std::uint64_t all = 0;
    for (const auto& row : rows_) {
        all += row.predicted();
    }
    return static_cast<std::int64_t>(all) - unused_tokens();
}

std::int64_t text_blocks::unused_tokens() const {
    std::uint64_t unused = 0;
    for (const auto& row : rows_) {
        unused += rule_.padding ? 0 : row.predicted() % static_cast<std::uint64_t>(rule_.tokens);
    }
    return static_cast<std::int64_t>(unused);
}

token_input fitted_input(std::span<const std::int32_t> text, const input_rule& rule) {
    const auto special = rule.before.size() + rule.behind.size();
    if (rule.tokens <= static_cast<std::int64_t>(special)) {
        throw usage_error("an input of " + std::to_string(rule.tokens) + " tokens has no room for a text beside its " +
                          std::to_string(special) + " special tokens");
    }
    const auto most = static_cast<std::size_t>(rule.tokens);
    token_input out{rule.before, 0};
    const auto kept = text.first(std::min(text.size(), most - special));
    out.tokens.insert(out.tokens.end(), kept.begin(), kept.end());
    out.tokens.insert(out.tokens.end(), rule.behind.begin(), rule.behind.end());
    out.length = static_cast<std::int64_t>(out.tokens.size());
    out.tokens.resize(most, rule.padding);
    return out;
}

} // namespace gaisnet
