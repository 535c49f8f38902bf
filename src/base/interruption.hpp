#pragma once

namespace gaisnet {

/// Long loops call this; it throws when the process was told to stop. It does nothing until a check is set.
void check_interruption();

/// \param check called by check_interruption(), on whatever thread runs the loop.
void set_interruption_check(void (*check)());

} // namespace gaisnet
