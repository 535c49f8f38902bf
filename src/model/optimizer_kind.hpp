#pragma once

namespace gaisnet {

enum class optimizer_kind { sgd, adamw };

} // namespace gaisnet
