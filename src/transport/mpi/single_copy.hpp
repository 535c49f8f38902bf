#pragma once

namespace gaisnet {

/// Whether one process of this user may read the memory of another, as ranks of one host do to copy large messages once
/// (process_vm_readv). Yama and some containers forbid it. Tries it with two children of its own.
bool reads_other_processes();

} // namespace gaisnet
