#pragma once

#include "base/error.hpp"

namespace gaisnet {

/// How a run ended.
enum class run_ending {
    none,        ///< It has not ended.
    complete,    ///< The stop rule was met, or nothing is left to do.
    was_there,   ///< `resume = auto`, and the run was already complete.
    requeue,     ///< A signal asked it to stop; it can resume from its checkpoint.
    interrupted, ///< A signal asked it to stop at once.
};

constexpr exit_code exit_code_of(run_ending ending) {
    return ending == run_ending::requeue       ? exit_code::requeue
           : ending == run_ending::interrupted ? exit_code::interrupted
                                               : exit_code::ok;
}

} // namespace gaisnet
