#include "text/token_model.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace gaisnet {

vocabulary::vocabulary(const json_part& part) {
    if (!part.is_object()) {
        part.refuse(std::string("is of the kind ") + part.value().type_name() + "; an object of tokens is accepted");
    }
    const auto& table = part.value();
    // Ids have no holes, so a large one is a mistake; a file of a few bytes must not ask for gigabytes.
    const std::uint64_t limit = table.size() * 4 + 1024;
    ids_.reserve(table.size());
    for (const auto& [token, value] : table.items()) {
        const auto id = value.is_number_unsigned() ? value.get<std::uint64_t>() : limit;
        if (id >= limit) {
            part.refuse("gives " + printable(token) + " an id that is not accepted; " + std::to_string(table.size()) +
                        " tokens have the ids from 0 to " + std::to_string(table.size() - 1));
        }
        const auto& key = ids_.emplace(token, static_cast<std::int32_t>(id)).first->first;
        tokens_.resize(std::max(tokens_.size(), id + 1));
        if (tokens_[id] != nullptr) {
            part.refuse("has the id " + std::to_string(id) + " twice: for " + printable(*tokens_[id]) + " and " +
                        printable(token));
        }
        tokens_[id] = &key;
        longest_ = std::max(longest_, token.size());
    }
    const auto hole = std::find(tokens_.begin(), tokens_.end(), nullptr);
    if (hole != tokens_.end()) {
        part.refuse("has no token with the id " + std::to_string(hole - tokens_.begin()) + ", but one with the id " +
                    std::to_string(tokens_.size() - 1) + "; ids without holes are accepted");
    }
    if (tokens_.empty()) {
        part.refuse("is empty");
    }
}

std::optional<std::int32_t> vocabulary::find(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::unique_ptr<const token_model> read_token_model(const json_part& part, bool byte_level) {
    auto type = part.text_or("type", "");
    if (type.empty()) { // files of old
        type = part.find("merges") ? "BPE" : part.find("max_input_chars_per_word") ? "WordPiece" : "";
    }
    if (type == "BPE") {
        return read_bpe(part, byte_level);
    }
    if (type == "WordPiece") {
        if (byte_level) {
            part.refuse("WordPiece has the pre_tokenizer ByteLevel; BertPreTokenizer and others are accepted");
        }
        return read_word_piece(part);
    }
    part.refuse_type("model", "BPE, WordPiece");
}

} // namespace gaisnet
