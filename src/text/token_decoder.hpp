#pragma once

#include "text/json_part.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// A stage of the way from tokens to text, at work. It keeps what it cannot hand on yet.
class decoding_step {
public:
    virtual ~decoding_step() = default;
    /// Takes a token and appends what is ready.
    virtual void push(std::string token, std::vector<std::string>& ready) = 0;
    /// Appends what was kept, as no token will follow.
    virtual void finish(std::vector<std::string>& ready) { static_cast<void>(ready); }
};

/// Tokens that are being turned into text, one by one.
class decoding {
public:
    explicit decoding(std::vector<std::unique_ptr<decoding_step>> steps): steps_(std::move(steps)) {}
    /// The text that is certain after another token: complete characters, perhaps none.
    std::string push(std::string token);
    std::string finish();

private:
    std::string pass_on(std::vector<std::string> tokens, std::size_t first, bool finish);
    std::vector<std::unique_ptr<decoding_step>> steps_;
};

/// How tokens become text: the part "decoder" of a tokenizer's file. Thread-safe.
class token_decoder {
public:
    /// Reads ByteLevel, WordPiece, Fuse, ByteFallback, Replace, Strip and Sequence. \param part where it is missing,
    /// tokens are joined by spaces. \throws usage_error.
    explicit token_decoder(const std::optional<json_part>& part);
    ~token_decoder();
    decoding start() const;

    class recipe; ///< Makes a step.

private:
    std::vector<std::unique_ptr<const recipe>> recipes_;
};

} // namespace gaisnet
