#include "base/interruption.hpp"

#include <atomic>

namespace gaisnet {

namespace {

std::atomic<void (*)()> interruption_check = nullptr;

} // namespace

void check_interruption() {
    if (const auto check = interruption_check.load(std::memory_order_relaxed)) {
        check();
    }
}

void set_interruption_check(void (*check)()) { interruption_check = check; }

} // namespace gaisnet
