#pragma once

#include "text/json_part.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace gaisnet {

/// The special tokens around a text: the part "post_processor" of a tokenizer's file.
struct special_frame {
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> behind;
    std::optional<std::int32_t> classify; ///< Where the part names them.
    std::optional<std::int32_t> separate;
};

/// Reads TemplateProcessing (for a single text), BertProcessing, RobertaProcessing, ByteLevel and Sequence.
/// \param part may be missing: no tokens. \param ids how many there are. \throws usage_error.
special_frame read_special_frame(const std::optional<json_part>& part, std::size_t ids);

} // namespace gaisnet
