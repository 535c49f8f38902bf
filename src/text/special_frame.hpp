#pragma once

#include "text/json_part.hpp"
#include "text/tokenizer.hpp"

#include <optional>

namespace gaisnet {

/// Reads the part "post_processor" of a tokenizer's file: TemplateProcessing (for a single text), BertProcessing,
/// RobertaProcessing, ByteLevel and Sequence.
/// \param part may be missing: no tokens. \param ids how many there are. \throws usage_error.
special_frame read_special_frame(const std::optional<json_part>& part, std::size_t ids);

} // namespace gaisnet
