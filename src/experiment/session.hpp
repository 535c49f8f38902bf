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

/// One rank of a run: its transport, its log, its signals. MPI is started only under a launcher (mpirun, srun).
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

    /// Decides what the ranks compute on, from what each of them finds. Every rank has to call it.
    /// \param use_nccl false: device tensors go over MPI. \throws usage_error as plan_devices does.
    const device_plan& find_devices(device_choice, bool nccl_shares_gpu, bool use_nccl = true);
    /// Gives this rank the GPU that find_devices() chose, if it did: its transport then carries device tensors. Every
    /// rank has to call it.
    void open_devices();
    const device_plan& devices() const { return devices_; }
    /// The end of a run that went well: frozen weights belong to the first rank of a GPU, and others may still compute
    /// with them. Every rank has to call it.
    void end_together();
    /// This rank's GPU; null without.
    accelerator* gpu() { return gpu_.get(); }

    /// What has to be added to this rank's clock to get rank 0's. Every rank has to call it, before anything is sent.
    pacer::clock::duration clock_offset();
    /// Whether every rank has a core for each of its threads.
    bool cores_suffice(int threads) const;
    /// Ranks on this rank's host, this one included, and the cores that they may run on.
    struct share_of_host {
        std::size_t ranks = 0, cores = 0;
    };
    share_of_host share() const;

    /// The ranks watch over each other from the start of MPI on. \param nodes what this rank plays, for messages.
    /// \param silence_s without a sign of life counts as dead.
    void watch(const std::string& nodes, double silence_s);
    /// What this rank does now, for failure reports.
    void note(std::string_view operation);

    /// Tells an error once, ends all ranks and gives the exit code. An error that every rank finds is told by rank 0;
    /// where it did not, because its host has the file that another's lacks, say, the next rank tells it after a while.
    int fail(const error&);
    /// Ends all ranks because this one failed, after the message was printed.
    [[noreturn]] void abort(int code);

    /// SIGTERM and SIGUSR1 end the run with 75: it can go on later. Without this call they interrupt. Every rank has to
    /// call it: when all have, rank 0 makes the file that GAISNET_READY names, by which slurm/run.sbatch knows that
    /// signals are heard.
    void accept_requeue();
    /// After accept_requeue(): from now on they ask to finish a step (a round, say) and write a checkpoint first.
    static void begin_steps();
    static bool requeue_requested();
    /// From here on a request to stop ends the process at once: for work that leaves nothing before its end.
    static void end_at_once();
    /// SIGINT, or SIGUSR2, in whose guise jobs/mpirun.sh hands it on.
    static bool interrupted();
    /// \throws error with exit_code::interrupted when interrupted(), with exit_code::requeue before begin_steps(). Long
    /// loops of the library call it as check_interruption().
    static void check_interrupt();

private:
    static double mpi_limit();
    static double turn_to_speak();
    void find_neighbours();

    std::unique_ptr<mpi_session> mpi_;
    std::map<std::string, share_of_host> hosts_;
    device_plan devices_;
    std::unique_ptr<accelerator> gpu_;
    mpi_transport* between_hosts_ = nullptr; ///< The MPI transport, also when another is built on it.
    std::unique_ptr<transport> network_;
    std::unique_ptr<heartbeat> heartbeat_;
};

} // namespace gaisnet
