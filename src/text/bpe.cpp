#include "base/text.hpp"
#include "base/utf8.hpp"
#include "text/byte_level.hpp"
#include "text/token_model.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <utility>

namespace gaisnet {

namespace {

/// What two neighbours become, and how early.
struct merge_rule {
    std::uint32_t rank = 0;
    std::int32_t id = -1;
};

/// Pairs of ids and their rules: a hash table with open addressing, because a lookup is most of the work.
class merge_table {
public:
    explicit merge_table(std::size_t pairs): slots_(std::bit_ceil(pairs * 2 + 16)) {}
    /// A pair that is there already gets the new rule.
    void put(std::int32_t left, std::int32_t right, merge_rule rule) {
        auto& entry = slots_[place_of(key_of(left, right))];
        entry = {key_of(left, right), rule};
    }
    /// Null where the two are not merged.
    const merge_rule* find(std::int32_t left, std::int32_t right) const {
        const auto& entry = slots_[place_of(key_of(left, right))];
        return entry.rule.id < 0 ? nullptr : &entry.rule;
    }

private:
    struct slot {
        std::uint64_t key = 0;
        merge_rule rule;
    };
    static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
    }
    /// Where the key is, or would be put. (Fibonacci hashing, then the next slots.)
    std::size_t place_of(std::uint64_t key) const {
        auto at = static_cast<std::size_t>((key * 0x9e3779b97f4a7c15U) >> 20) & (slots_.size() - 1);
        while (slots_[at].rule.id >= 0 && slots_[at].key != key) {
            at = (at + 1) & (slots_.size() - 1);
        }
        return at;
    }
    std::vector<slot> slots_;
};

/// A token of a piece in a linked list; one that was merged into the one before it has no id.
struct bpe_symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;
};

/// A merge that is possible, unless one of its two symbols has changed meanwhile.
struct possible_merge {
    std::uint32_t rank;
    std::int32_t at;
    std::int32_t id;
    /// For a heap with the earliest rule, then the leftmost place, on top.
    bool operator<(const possible_merge& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

class byte_pair_encoding final : public token_model {
public:
    byte_pair_encoding(const json_part& part, bool byte_level)
        : tokens_(part.at("vocab"))
        , byte_level_(byte_level)
        , prefix_(part.text_or("continuing_subword_prefix", ""))
        , suffix_(part.text_or("end_of_word_suffix", ""))
        , whole_pieces_first_(part.flag_or("ignore_merges", false))
        , bytes_for_unknown_(part.flag_or("byte_fallback", false))
        , one_unknown_for_many_(part.flag_or("fuse_unk", false))
        , merges_(part.at("merges").value().size()) {
        if (const auto dropout = part.find("dropout"); dropout && dropout->value() != 0) {
            dropout->refuse("is set; tokens that do not depend on chance (null) are accepted");
        }
        if (const auto name = part.find("unk_token")) {
            unknown_ = tokens_.find(name->text());
            if (!unknown_) {
                name->refuse("is " + printable(name->text()) + ", which is not in the vocabulary");
            }
        }
        read_merges(part.at("merges"));
        for (std::size_t byte = 0; byte < 256; ++byte) {
            byte_ids_[byte] = id_of(byte_level_character(static_cast<unsigned char>(byte)));
            std::array<char, 8> name{};
            std::snprintf(name.data(), name.size(), "<0x%02zX>", byte);
            fallback_ids_[byte] = id_of(name.data());
        }
    }

    void append_ids(std::string_view piece, std::vector<std::int32_t>& ids) const override {
        std::string mapped; // the piece as the vocabulary would have it
        if (byte_level_ && (whole_pieces_first_ || !each_byte_is_a_symbol())) {
            mapped = to_byte_level(piece);
            piece = mapped;
        }
        if (whole_pieces_first_) {
            if (const auto id = tokens_.find(piece)) {
                ids.push_back(*id);
                return;
            }
        }
        std::vector<bpe_symbol> symbols;
        symbols.reserve(piece.size());
        if (each_byte_is_a_symbol() && mapped.empty()) {
            for (const char byte : piece) {
                append_symbol(symbols, byte_ids_[static_cast<unsigned char>(byte)]);
            }
        } else {
            append_characters(symbols, piece);
        }
        merge(symbols);
        for (const auto& symbol : symbols) {
            if (symbol.id >= 0) {
                ids.push_back(symbol.id);
            }
        }
    }
    const vocabulary& tokens() const override { return tokens_; }
    std::optional<std::int32_t> unknown() const override { return unknown_; }

private:
    std::int32_t id_of(std::string_view token) const { return tokens_.find(token).value_or(-1); }
    bool each_byte_is_a_symbol() const {
        return byte_level_ && prefix_.empty() && suffix_.empty() && !unknown_ && !bytes_for_unknown_;
    }

    void read_merges(const json_part& list) {
        if (!list.is_list()) {
            list.refuse(std::string("is of the kind ") + list.value().type_name() + "; a list of pairs is accepted");
        }
        const auto& rules = list.value();
        std::uint32_t rank = 0;
        for (std::size_t i = 0; i < rules.size(); ++i) {
            const auto refuse = [&](const std::string& problem) {
                json_part(rules[i], list.file(), list.place() + "[" + std::to_string(i) + "]").refuse(problem);
            };
            std::string_view left;
            std::string_view right;
            if (rules[i].is_string()) {
                const std::string_view both = rules[i].get_ref<const std::string&>();
                if (both.starts_with("#version")) { // the first line of a merges.txt
                    continue;
                }
                const auto space = both.find(' ');
                if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
                    refuse("is " + printable(both) + "; two tokens with a space between them are accepted");
                }
                left = both.substr(0, space);
                right = both.substr(space + 1);
            } else if (rules[i].is_array() && rules[i].size() == 2 && rules[i][0].is_string() &&
                       rules[i][1].is_string()) {
                left = rules[i][0].get_ref<const std::string&>();
                right = rules[i][1].get_ref<const std::string&>();
            } else {
                refuse("is no pair; \"a b\" and [\"a\", \"b\"] are accepted");
            }
            const auto whole = std::string(left) + std::string(right.substr(std::min(prefix_.size(), right.size())));
            for (const auto& token : {left, right, std::string_view(whole)}) {
                if (!tokens_.find(token)) {
                    refuse("names the token " + printable(token) + ", which is not in the vocabulary");
                }
            }
            merges_.put(id_of(left), id_of(right), {rank++, id_of(whole)});
        }
    }

    static void append_symbol(std::vector<bpe_symbol>& symbols, std::int32_t id) {
        if (id < 0) {
            return; // what the vocabulary has no name for is lost, unless there is an unknown token
        }
        const auto at = static_cast<std::int32_t>(symbols.size());
        if (at > 0) {
            symbols.back().next = at;
        }
        symbols.push_back({id, at - 1, -1});
    }

    /// A symbol for each character, with what is to be done about unknown ones.
    void append_characters(std::vector<bpe_symbol>& symbols, std::string_view text) const {
        int unknown = 0; // how many unknown tokens are to come before the next symbol
        const auto flush = [&] {
            for (; unknown > 0; --unknown) {
                append_symbol(symbols, *unknown_);
            }
        };
        for (std::size_t at = 0; at < text.size();) {
            const auto length = utf8_length(text[at]);
            std::string name = at == 0 ? "" : prefix_;
            name += text.substr(at, length);
            at += length;
            name += at == text.size() ? suffix_ : "";
            if (const auto id = tokens_.find(name)) {
                flush();
                append_symbol(symbols, *id);
                continue;
            }
            const auto is_named = [&](char byte) { return fallback_ids_[static_cast<unsigned char>(byte)] >= 0; };
            if (bytes_for_unknown_ && std::all_of(name.begin(), name.end(), is_named)) {
                // As the library has it: unknown tokens that are still to come stay behind these.
                for (const char byte : name) {
                    append_symbol(symbols, fallback_ids_[static_cast<unsigned char>(byte)]);
                }
            } else if (unknown_) {
                if (!one_unknown_for_many_) {
                    flush();
                }
                unknown = 1;
            }
        }
        flush();
    }

    void merge(std::vector<bpe_symbol>& symbols) const {
        std::vector<possible_merge> heap;
        const auto find = [&](std::int32_t at) -> const merge_rule* {
            const auto& left = symbols[static_cast<std::size_t>(at)];
            return left.next < 0 ? nullptr : merges_.find(left.id, symbols[static_cast<std::size_t>(left.next)].id);
        };
        const auto offer = [&](std::int32_t at) {
            if (const auto* rule = find(at)) {
                heap.push_back({rule->rank, at, rule->id});
                std::push_heap(heap.begin(), heap.end());
            }
        };
        heap.reserve(symbols.size());
        for (std::size_t at = 0; at < symbols.size(); ++at) {
            offer(static_cast<std::int32_t>(at));
        }
        while (!heap.empty()) {
            std::pop_heap(heap.begin(), heap.end());
            const auto best = heap.back();
            heap.pop_back();
            auto& left = symbols[static_cast<std::size_t>(best.at)];
            const auto* rule = left.id < 0 ? nullptr : find(best.at);
            if (rule == nullptr || rule->id != best.id) {
                continue; // one of the two is another by now
            }
            auto& right = symbols[static_cast<std::size_t>(left.next)];
            left.id = best.id;
            left.next = right.next;
            right.id = -1;
            if (left.next >= 0) {
                symbols[static_cast<std::size_t>(left.next)].previous = best.at;
            }
            if (left.previous >= 0) {
                offer(left.previous);
            }
            offer(best.at);
        }
    }

    vocabulary tokens_;
    bool byte_level_;
    std::string prefix_;
    std::string suffix_;
    bool whole_pieces_first_;
    bool bytes_for_unknown_;
    bool one_unknown_for_many_;
    merge_table merges_;
    std::optional<std::int32_t> unknown_;
    std::array<std::int32_t, 256> byte_ids_{};     ///< Of the byte-level alphabet; -1: not in the vocabulary.
    std::array<std::int32_t, 256> fallback_ids_{}; ///< Of the tokens <0x00> to <0xFF>.
};

} // namespace

std::unique_ptr<const token_model> read_bpe(const json_part& part, bool byte_level) {
    return std::make_unique<byte_pair_encoding>(part, byte_level);
}

} // namespace gaisnet
