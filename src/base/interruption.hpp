#pragma once

namespace gaisnet {

/// What long loops call: it throws when the process was told to stop. Nothing unless somebody has set it.
void check_interruption();

/// \param check is called by check_interruption() from any thread that runs such a loop.
void set_interruption_check(void (*check)());

} // namespace gaisnet
