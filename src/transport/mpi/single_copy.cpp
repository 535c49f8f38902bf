#include "transport/mpi/single_copy.hpp"

#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace gaisnet {

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
    int status = 1;
    if (reader > 0) {
        ::waitpid(reader, &status, 0);
    }
    if (owner > 0) {
        ::kill(owner, SIGKILL);
        ::waitpid(owner, nullptr, 0);
    }
    return reader > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace gaisnet
