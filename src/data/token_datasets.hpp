#pragma once

#include "data/dataset.hpp"
#include "data/text_blocks.hpp"
#include "text/tokenizer.hpp"

#include <memory>

namespace gaisnet {

/// How texts become samples of a model.
struct token_form {
    std::shared_ptr<const tokenizer> words;
    std::string tokenizer_name;  ///< For messages.
    std::int64_t tokens = 0;     ///< T of a sample.
    std::int64_t vocabulary = 0; ///< Of the model: ids are below it.
    std::size_t threads = 1;     ///< That tokenize.
};

/// Texts of a class each, cut off or filled up to T tokens, with the special tokens of the tokenizer around them.
/// \throws usage_error when the special tokens leave no room for a text.
std::unique_ptr<dataset> make_labelled_texts(std::unique_ptr<text_dataset>, const token_form&);

/// Texts whose next tokens are to be told, packed into blocks (see text_blocks). Texts are split, not blocks, so no text
/// trains and validates. Of those that train, what does not fill a block is left out; of those that validate, it is filled
/// up, so that every token of theirs is told once. \throws usage_error when the tokenizer has no token that ends a text, or
/// the texts that train fill no block.
std::unique_ptr<dataset> make_next_tokens(std::unique_ptr<text_dataset>, const token_form&, double train_fraction,
                                          std::uint64_t seed);
/// The same of texts that all train.
std::unique_ptr<dataset> make_next_tokens(std::unique_ptr<text_dataset>, const token_form&);

} // namespace gaisnet
