#include "transport/mpi/single_copy.hpp"

#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace gaisnet {

namespace {

int wait_for(pid_t child) {
    int status = 1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

} // namespace

bool reads_other_processes() {
    const pid_t parent = ::getpid();
    const pid_t owner = ::fork();
    if (owner == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (::getppid() == parent) {
            ::pause();
        }
        ::_exit(0);
    }
    const pid_t reader = owner < 0 ? -1 : ::fork();
    int read = 0;
    if (reader == 0) {
        iovec here{&read, sizeof read}, there{&read, sizeof read}; // children have the same addresses
        ::_exit(::process_vm_readv(owner, &here, 1, &there, 1, 0) == sizeof read ? 0 : 1);
    }
    const int status = reader > 0 ? wait_for(reader) : 1;
    if (owner > 0) {
        ::kill(owner, SIGKILL);
        wait_for(owner);
    }
    return reader > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace gaisnet
