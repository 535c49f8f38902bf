#include "base/error.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "text/added_tokens.hpp"
#include "text/normaliser.hpp"
#include "text/piece_cache.hpp"
#include "text/pre_tokenizer.hpp"
#include "text/special_frame.hpp"
#include "text/token_decoder.hpp"
#include "text/token_model.hpp"
#include "text/tokenizer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace gaisnet {

namespace {

/// More than ICU can count in UTF-16 is refused long before.
constexpr std::size_t longest_text = 1U << 30;

/// What encoding a text needs besides the tokenizer; kept from text to text.
struct encoding_space {
    text_pieces pieces;
    std::string normal; ///< The normalised text.
    std::vector<text_section> sections;
    std::vector<text_section> inner_sections;
    piece_cache cache;
};

/// A tokenizer of parts, as tokenizer.json describes it.
class tokenizer_of_parts final : public tokenizer {
public:
    tokenizer_of_parts(const json_part& file, const std::optional<json_part>& config)
        : normaliser_(read_if_there<normaliser>(file.find("normalizer"), read_normaliser))
        , pre_tokenizer_(read_if_there<pre_tokenizer>(file.find("pre_tokenizer"), read_pre_tokenizer))
        , model_(read_token_model(file.at("model"), pre_tokenizer_ && pre_tokenizer_->is_byte_level()))
        , added_(file.find("added_tokens"), model_->tokens(), normaliser_.get())
        , decoder_(file.find("decoder")) {
        size_ = model_->tokens().size();
        for (const auto& token : added_.list()) {
            size_ = std::max(size_, static_cast<std::size_t>(token.id) + 1);
            added_ids_.emplace(token.content, token.id);
        }
        frame_ = read_special_frame(file.find("post_processor"), size_);
        find_specials(file, config);
    }

    std::vector<std::int32_t> encode(std::string_view text, bool special_tokens) const override {
        if (const auto invalid = find_invalid_utf8(text)) {
            throw usage_error("the text is not UTF-8 at byte " + std::to_string(*invalid) + " (counted from 0)");
        }
        if (text.size() > longest_text) {
            throw usage_error("the text has " + std::to_string(text.size()) + " bytes; up to " +
                              std::to_string(longest_text) + " are accepted at once");
        }
        std::vector<std::int32_t> ids;
        if (special_tokens) {
            ids = frame_.before;
        }
        auto space = borrow_space();
        added_.split(text, false, space->sections);
        for (const auto& section : space->sections) {
            if (section.id >= 0) {
                ids.push_back(section.id);
            } else {
                append_unnormalised(section.span.of(text), *space, ids);
            }
        }
        give_back(std::move(space));
        if (special_tokens) {
            ids.insert(ids.end(), frame_.behind.begin(), frame_.behind.end());
        }
        return ids;
    }

    std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override {
        part_stream all(*this, skip_special);
        std::string text;
        for (const auto each : ids) {
            text += all.push(each);
        }
        return text += all.finish();
    }

    std::unique_ptr<token_stream> stream(bool skip_special) const override {
        return std::make_unique<part_stream>(*this, skip_special);
    }

    std::size_t vocabulary_size() const override { return size_; }

    std::optional<std::int32_t> id(std::string_view token) const override {
        const auto found = added_ids_.find(token);
        return found == added_ids_.end() ? model_->tokens().find(token) : std::optional(found->second);
    }

    const std::string& token(std::int32_t id) const override {
        if (id < 0 || static_cast<std::size_t>(id) >= size_) {
            throw std::out_of_range("token " + std::to_string(id) + " of " + std::to_string(size_));
        }
        const auto* added = added_.find(id);
        return added != nullptr ? added->content : model_->tokens().token(static_cast<std::size_t>(id));
    }

    const special_ids& specials() const override { return specials_; }
    const special_frame& frame() const override { return frame_; }

private:
    class part_stream final : public token_stream {
    public:
        part_stream(const tokenizer_of_parts& owner, bool skip_special)
            : owner_(owner)
            , skip_special_(skip_special)
            , decoding_(owner.decoder_.start()) {}
        std::string push(std::int32_t id) override {
            if (id < 0 || static_cast<std::size_t>(id) >= owner_.size_) {
                return {};
            }
            const auto* added = owner_.added_.find(id);
            if (skip_special_ && added != nullptr && added->special) {
                return {};
            }
            return decoding_.push(added != nullptr ? added->looked_for : owner_.token(id));
        }
        std::string finish() override { return decoding_.finish(); }

    private:
        const tokenizer_of_parts& owner_;
        bool skip_special_;
        decoding decoding_;
    };

    template <typename Part, typename Read>
    static std::unique_ptr<const Part> read_if_there(const std::optional<json_part>& part, const Read& read) {
        return part ? read(*part) : nullptr;
    }

    /// A text in which no token was found that is looked for before normalising.
    void append_unnormalised(std::string_view text, encoding_space& space, std::vector<std::int32_t>& ids) const {
        if (normaliser_) {
            space.normal = text;
            normaliser_->apply(space.normal);
            text = space.normal;
        }
        added_.split(text, true, space.inner_sections);
        for (const auto& section : space.inner_sections) {
            if (section.id >= 0) {
                ids.push_back(section.id);
            } else {
                append_pieces(section.span.of(text), space, ids);
            }
        }
    }

    void append_pieces(std::string_view text, encoding_space& space, std::vector<std::int32_t>& ids) const {
        auto& pieces = space.pieces;
        pieces.text = text;
        pieces.spans.assign(1, {0, text.size()});
        if (pre_tokenizer_) {
            pre_tokenizer_->split(pieces);
        }
        for (const auto& piece : pieces.spans) {
            space.cache.append_ids(piece.of(pieces.text), ids,
                                   [&](std::string_view part, auto& list) { model_->append_ids(part, list); });
        }
    }

    std::unique_ptr<encoding_space> borrow_space() const {
        const std::lock_guard lock(guard_);
        if (spaces_.empty()) {
            return std::make_unique<encoding_space>();
        }
        auto space = std::move(spaces_.back());
        spaces_.pop_back();
        return space;
    }
    void give_back(std::unique_ptr<encoding_space> space) const {
        const std::lock_guard lock(guard_);
        spaces_.push_back(std::move(space));
    }

    /// What a special token is: by tokenizer_config.json, else by the parts that name it, else by usual names.
    void find_specials(const json_part& file, const std::optional<json_part>& config) {
        const auto find = [&](const char* key, std::optional<std::int32_t> by_part,
                              std::initializer_list<const char*> usual) -> std::optional<std::int32_t> {
            if (config) {
                const auto part = config->find(key);
                if (!part) {
                    return by_part;
                }
                return id(part->is_object() ? part->at("content").text() : part->text());
            }
            for (auto name = usual.begin(); !by_part && name != usual.end(); ++name) {
                const auto known = added_ids_.find(std::string_view(*name));
                by_part = known == added_ids_.end() ? std::nullopt : std::optional(known->second);
            }
            return by_part;
        };
        std::optional<std::int32_t> padding;
        if (const auto part = file.find("padding"); part && part->is_object()) {
            padding = id(part->text_or("pad_token", ""));
        }
        specials_.unknown = find("unk_token", model_->unknown(), {"<unk>", "[UNK]"});
        specials_.padding = find("pad_token", padding, {"<pad>", "[PAD]", "<|pad|>"});
        specials_.begin = find("bos_token", {}, {"<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>"});
        specials_.end = find("eos_token", {}, {"</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"});
        specials_.classify = find("cls_token", frame_.classify, {"[CLS]", "<s>"});
        specials_.separate = find("sep_token", frame_.separate, {"[SEP]", "</s>"});
        specials_.mask = find("mask_token", {}, {"[MASK]", "<mask>"});
    }

    std::unique_ptr<const normaliser> normaliser_;       ///< May be null.
    std::unique_ptr<const pre_tokenizer> pre_tokenizer_; ///< May be null.
    std::unique_ptr<const token_model> model_;
    added_tokens added_;
    token_decoder decoder_;
    text_map<std::int32_t> added_ids_;
    std::size_t size_ = 0;
    special_frame frame_;
    special_ids specials_;

    mutable std::mutex guard_;
    mutable std::vector<std::unique_ptr<encoding_space>> spaces_; ///< Not in use; guarded.
};

} // namespace

std::unique_ptr<const tokenizer> read_tokenizer(const std::filesystem::path& path) {
    std::error_code ignored;
    const auto file = std::filesystem::is_directory(path, ignored) ? path / "tokenizer.json" : path;
    const auto json = read_json_file(file);
    const json_part whole(json, file.string(), "");
    if (!whole.is_object() || !whole.find("model")) {
        whole.refuse("is no tokenizer of Hugging Face's library: it has no 'model'");
    }
    const auto beside = file.parent_path() / "tokenizer_config.json";
    std::optional<nlohmann::json> config;
    std::optional<json_part> config_part;
    if (std::filesystem::exists(beside, ignored)) {
        config = read_json_file(beside);
        config_part.emplace(*config, beside.string(), "");
    }
    return std::make_unique<tokenizer_of_parts>(whole, config_part);
}

} // namespace gaisnet
