#include "text/normaliser.hpp"

#include "base/utf8.hpp"
#include "text/text_pattern.hpp"
#include "text/unicode.hpp"

#include <utility>
#include <vector>

namespace gaisnet {

namespace {

class form_normaliser final : public normaliser {
public:
    explicit form_normaliser(normal_form form): form_(form) {}
    void apply(std::string& text) const override { text = normalised(text, form_); }

private:
    normal_form form_;
};

class lower_case_normaliser final : public normaliser {
public:
    void apply(std::string& text) const override { text = lower_case(text); }
};

/// Copies a text character by character. \param put appends what stands for a character.
template <typename Put>
void rewrite(std::string& text, const Put& put) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto begin = at;
        const auto code = next_utf8(text, at);
        put(out, code, std::string_view(text).substr(begin, at - begin));
    }
    text = std::move(out);
}

class accent_normaliser final : public normaliser {
public:
    void apply(std::string& text) const override {
        rewrite(text, [](std::string& out, char32_t code, std::string_view character) {
            if (!is_combining_mark(code)) {
                out += character;
            }
        });
    }
};

class prepending_normaliser final : public normaliser {
public:
    explicit prepending_normaliser(std::string content): content_(std::move(content)) {}
    void apply(std::string& text) const override {
        if (!text.empty()) {
            text.insert(0, content_);
        }
    }

private:
    std::string content_;
};

class replacing_normaliser final : public normaliser {
public:
    explicit replacing_normaliser(const json_part& part)
        : pattern_(part.at("pattern"))
        , content_(part.at("content").text()) {}
    void apply(std::string& text) const override { text = pattern_.replaced(text, content_); }

private:
    text_pattern pattern_;
    std::string content_;
};

/// BERT's own (Devlin et al. 2019, the published code's BasicTokenizer), as Hugging Face's library has it.
class bert_normaliser final : public normaliser {
public:
    explicit bert_normaliser(const json_part& part)
        : clean_(part.flag_or("clean_text", true))
        , chinese_(part.flag_or("handle_chinese_chars", true))
        , lower_(part.flag_or("lowercase", true))
        , strip_(part.flag_or("strip_accents", lower_)) {}

    void apply(std::string& text) const override {
        if (clean_) {
            clean(text);
        }
        if (chinese_ && !is_ascii(text)) {
            rewrite(text, [](std::string& out, char32_t code, std::string_view character) {
                const bool chinese = is_ideograph(code);
                out += chinese ? " " : "";
                out += character;
                out += chinese ? " " : "";
            });
        }
        if (strip_ && !is_ascii(text)) {
            text = normalised(text, normal_form::nfd);
            rewrite(text, [](std::string& out, char32_t code, std::string_view character) {
                if (!is_nonspacing_mark(code)) {
                    out += character;
                }
            });
        }
        if (lower_) {
            text = lower_case(text);
        }
    }

private:
    static void clean(std::string& text) {
        rewrite(text, [](std::string& out, char32_t code, std::string_view character) {
            if (code == U'\t' || code == U'\n' || code == U'\r') {
                out += ' ';
            } else if (code >= 0x20 && code < 0x7f) {
                out += character;
            } else if (code != 0 && code != 0xfffd && !is_control(code)) {
                out += is_white_space(code) ? std::string_view(" ") : character;
            }
        });
    }
    /// The blocks that the library names. One of its bounds is 0x2b920 where the block begins at 0x2b820.
    static bool is_ideograph(char32_t code) {
        constexpr std::pair<char32_t, char32_t> blocks[] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df},
                                                            {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf},
                                                            {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
        for (const auto& [first, last] : blocks) {
            if (code >= first && code <= last) {
                return true;
            }
        }
        return false;
    }

    bool clean_;
    bool chinese_;
    bool lower_;
    bool strip_;
};

class normaliser_sequence final : public normaliser {
public:
    explicit normaliser_sequence(const json_part& list) {
        for (const auto& part : list.elements()) {
            steps_.push_back(read_normaliser(part));
        }
    }
    void apply(std::string& text) const override {
        for (const auto& step : steps_) {
            step->apply(text);
        }
    }

private:
    std::vector<std::unique_ptr<const normaliser>> steps_;
};

} // namespace

std::unique_ptr<const normaliser> read_normaliser(const json_part& part) {
    const auto type = part.text_or("type", "");
    if (type == "Sequence") {
        return std::make_unique<normaliser_sequence>(part.at("normalizers"));
    }
    if (type == "NFC") {
        return std::make_unique<form_normaliser>(normal_form::nfc);
    }
    if (type == "NFD") {
        return std::make_unique<form_normaliser>(normal_form::nfd);
    }
    if (type == "NFKC") {
        return std::make_unique<form_normaliser>(normal_form::nfkc);
    }
    if (type == "NFKD") {
        return std::make_unique<form_normaliser>(normal_form::nfkd);
    }
    if (type == "Lowercase") {
        return std::make_unique<lower_case_normaliser>();
    }
    if (type == "StripAccents") {
        return std::make_unique<accent_normaliser>();
    }
    if (type == "Prepend") {
        return std::make_unique<prepending_normaliser>(part.at("prepend").text());
    }
    if (type == "Replace") {
        return std::make_unique<replacing_normaliser>(part);
    }
    if (type == "BertNormalizer") {
        return std::make_unique<bert_normaliser>(part);
    }
    part.refuse_type("normalizer", "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Prepend, Replace, BertNormalizer, "
                                   "Sequence, null");
}

} // namespace gaisnet
