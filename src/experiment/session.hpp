#pragma once

#include "base/error.hpp"
#include "runtime/pacer.hpp"
#include "transport/accelerator.hpp"
#include "transport/device_plan.hpp"
#include "transport/mpi/heartbeat.hpp"
#include "transport/mpi/mpi_session.hpp"
#include "transport/mpi/mpi_transport.hpp"
#include "transport/transport.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace gaisnet {

/// One rank of a run: its transport, log and signals. MPI is started only under a launcher (mpirun, srun).
class session {
public:
    session();
    session(int& argc, char**& argv);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    transport& network() { return *network_; }
    int rank() const { return network_->rank(); }
    int ranks() const { return network_->ranks(); }
    bool root() const { return rank() == 0; }
    std::string host() const;
    std::string mpi_version() const;

    /// Decides which devices the ranks use, from what each rank finds. Every rank has to call it. \param use_nccl
    /// false: device tensors are sent by MPI. \throws usage_error as plan_devices does.
    const device_plan& find_devices(device_choice, bool nccl_shares_gpu, bool use_nccl = true);
    /// Opens the GPU that find_devices() chose for this rank, if any; then its transport carries device tensors. Every
    /// rank has to call it; a later call, of another run of this session, does nothing.
    void open_devices();
    const device_plan& devices() const { return devices_; }
    /// Waits for all ranks at the end of a successful run: the first rank of a GPU owns its frozen weights, and others
    /// may still use them. Every rank has to call it.
    void end_together();
    /// This rank's GPU; null if there is none.
    accelerator* gpu() { return gpu_.get(); }

    /// The offset from this rank's clock to rank 0's. Every rank has to call it before anything is sent.
    pacer::clock::duration clock_offset();
    /// Whether every rank has a core for each of its threads.
    bool cores_suffice(int threads) const;
    /// The number of ranks on this rank's host, including this one, and the number of cores that they may use.
    struct share_of_host {
        std::size_t ranks = 0, cores = 0;
    };
    share_of_host share() const;

    /// Describes this rank to the others, which watch it since the start of MPI. \param nodes the nodes of this rank,
    /// for messages. \param silence_s time without a heartbeat after which a rank counts as dead.
    void watch(const std::string& nodes, double silence_s);
    /// Notes the current operation, for failure reports.
    void note(std::string_view operation);

    /// Reports an error once, ends all ranks and returns the exit code. An error that every rank finds is reported by
    /// rank 0; if rank 0 did not find it (its host has a file that another lacks, say), the next rank reports it after
    /// a delay.
    int fail(const error&);
    /// Ends all ranks because this one failed; the message has already been printed.
    [[noreturn]] void abort(int code);

    /// From now on SIGTERM and SIGUSR1 end the run with 75, so that it can resume later; without this call they
    /// interrupt it. Every rank has to call it: when all have, rank 0 creates the file that GAISNET_READY names, which
    /// tells slurm/run.sbatch that the signals are handled.
    void accept_requeue();
    /// After accept_requeue(): from now on these signals ask the run to finish a step (a round, say) and write a
    /// checkpoint first.
    static void begin_steps();
    static bool requeue_requested();
    /// From now on a stop request ends the process at once: for work that writes nothing before its end.
    static void end_at_once();
    /// Whether SIGINT was received, or SIGUSR2, which jobs/mpirun.sh sends in its place.
    static bool interrupted();
    /// \throws error with exit_code::interrupted when interrupted(); with exit_code::requeue when asked to stop before
    /// begin_steps(). Long loops of the library call it through check_interruption().
    static void check_interrupt();

private:
    static double mpi_limit();
    static double turn_to_speak();
    void find_neighbours();

    std::unique_ptr<mpi_session> mpi_;
    std::map<std::string, share_of_host> hosts_;
    device_plan devices_;
    std::unique_ptr<accelerator> gpu_;
    mpi_transport* between_hosts_ = nullptr; ///< The MPI transport, even if another transport wraps it.
    std::unique_ptr<transport> network_;
    std::unique_ptr<heartbeat> heartbeat_;
};

} // namespace gaisnet
