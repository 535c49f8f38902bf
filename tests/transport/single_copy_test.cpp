// Whether processes may read each other's memory is found by trying, as those who may and those who may not.

#include "transport/mpi/single_copy.hpp"

#include <gtest/gtest.h>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace gaisnet {
namespace {

constexpr int it_may = 0, it_may_not = 1, could_not_become_another = 2;

/// What a child says that is no user with special rights.
int said_by_a_child(bool readable) {
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0) {
            ::_exit(could_not_become_another);
        }
        ::prctl(PR_SET_DUMPABLE, readable ? 1 : 0);
        ::_exit(reads_other_processes() ? it_may : it_may_not);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(single_copy, processes_that_nobody_may_read_are_not_read) {
    const int said = said_by_a_child(false);
    if (said == could_not_become_another) {
        GTEST_SKIP() << "root may not become another user here";
    }
    EXPECT_EQ(said, it_may_not);
}

TEST(single_copy, a_second_try_says_the_same_and_none_leaves_children) {
    const int first = said_by_a_child(true);
    EXPECT_EQ(said_by_a_child(true), first);
    EXPECT_EQ(reads_other_processes(), reads_other_processes());
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "it leaves no children behind";
}

} // namespace
} // namespace gaisnet
