#pragma once

#include "base/error.hpp"

namespace gaisnet {

/// How a run came to its end.
enum class run_ending {
    none,        ///< It goes on.
    complete,    ///< By its stop rule, or nothing is left to do.
    was_there,   ///< `resume = auto` of a run that was complete already.
    requeue,     ///< Told to stop by a signal; it can go on from its checkpoint.
    interrupted, ///< Told to stop at once.
};

constexpr exit_code exit_code_of(run_ending ending) {
    return ending == run_ending::requeue       ? exit_code::requeue
           : ending == run_ending::interrupted ? exit_code::interrupted
                                               : exit_code::ok;
}

} // namespace gaisnet
