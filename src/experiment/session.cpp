#include "experiment/session.hpp"

#include "base/error.hpp"
#include "base/interruption.hpp"
#include "base/text.hpp"
#include "base/time_limit.hpp"
#include "model/torch/torch_support.hpp"
#include "transport/collectives.hpp"
#include "transport/device_transport.hpp"
#include "transport/loopback.hpp"
#include "transport/mpi/mpi_transport.hpp"

#include <fmt/format.h>

#include <sched.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdlib>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

namespace gaisnet {

namespace {

volatile std::sig_atomic_t requeue_signal = 0;
volatile std::sig_atomic_t interrupt_signal = 0;
/// What a stop request means: interrupt; stop so that the run can resume later; stop after the next step.
enum class stopping { interrupts, requeues, waits_for_step };
stopping on_request = stopping::interrupts;

/// The cores that this process may use: "0-3,8".
std::string usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return "unknown";
    }
    std::string text;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (!CPU_ISSET(core, &set)) {
            continue;
        }
        int last = core;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set)) {
            ++last;
        }
        text += (text.empty() ? "" : ",") + std::to_string(core) + (last > core ? "-" + std::to_string(last) : "");
        core = last;
    }
    return text;
}

// After an interruption a second signal ends the process at once. jobs/mpirun.sh repeats SIGUSR2, so that does not
// count.
void end_if_interrupted() {
    if (interrupt_signal) {
        std::_Exit(static_cast<int>(exit_code::interrupted));
    }
}

void on_requeue(int) {
    end_if_interrupted();
    requeue_signal = 1;
}
void on_interrupt(int signal) {
    if (signal == SIGINT) {
        end_if_interrupted();
    }
    interrupt_signal = 1;
}

void on_any(int) {
    constexpr std::string_view message = "gaisnet: error: interrupted\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, message.data(), message.size());
    std::_Exit(static_cast<int>(exit_code::interrupted));
}

void listen_to_signals() {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGUSR2, on_interrupt);
    std::signal(SIGTERM, on_requeue);
    std::signal(SIGUSR1, on_requeue);
    std::signal(SIGXFSZ, SIG_IGN); // so that a file that grows too large becomes a write error
}

/// Arguments for MPI when the program passes none.
struct {
    int count = 0;
    char** words = nullptr;
} no_arguments;

} // namespace

/// Delays the timeout of this rank against rank 0's, in seconds: ranks time out together, and rank 0's exit ends them
/// all. Open MPI and PMIx set the rank's number before MPI starts.
double session::turn_to_speak() {
    const auto* text = std::getenv("PMIX_RANK");
    return 2.0 * std::clamp(text ? std::atoi(text) : 0, 0, 10);
}

/// Time limit for the start of MPI, s, before there is a heartbeat.
double session::mpi_limit() {
    const auto* text = std::getenv("GAISNET_MPI_LIMIT");
    if (!text) {
        return 120.0;
    }
    char* end = nullptr;
    const double seconds = std::strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= 1.0)) {
        throw usage_error(std::string("GAISNET_MPI_LIMIT = ") + text + ": seconds, 1 or more, are accepted");
    }
    return seconds;
}

session::session(): session(no_arguments.count, no_arguments.words) {}

session::session(int& argc, char**& argv) {
    listen_to_signals(); // before MPI, whose start takes a while
    const auto limit = mpi_limit();
    std::optional<time_limit> watch;
    if (mpi_session::started_by_launcher()) {
        watch.emplace(limit + turn_to_speak(),
                      "MPI has not started within " + quantity(limit, "s") +
                          ": a rank is stopped, or a computer does not answer. GAISNET_MPI_LIMIT=SECONDS sets "
                          "another limit");
        constexpr double most_s = 30.0; // for MPI's end
        mpi_ = std::make_unique<mpi_session>(argc, argv, std::min(limit, most_s));
    }
    const auto* tasks =
        std::getenv("SLURM_STEP_NUM_TASKS"); // mpirun's ranks have this variable as well, but MPI sees all of them
    if (tasks && std::atoi(tasks) > 1 && (!mpi_ || mpi_->ranks() == 1)) {
        throw usage_error(std::string("srun has started ") + tasks +
                          " tasks, but MPI sees one: this srun and this MPI do not understand each other. Accepted: "
                          "another --mpi of srun, or mpirun (GAISNET_LAUNCHER=mpirun for slurm/run.sbatch)");
    }
    if (mpi_ && mpi_->ranks() > 1) {
        heartbeat_ = std::make_unique<heartbeat>(*mpi_);
        auto made = std::make_unique<mpi_transport>(*mpi_);
        between_hosts_ = made.get();
        network_ = std::move(made);
    } else {
        network_ = std::move(loopback_world(1).front());
    }
    watch.reset();       // from here on the heartbeat watches
    listen_to_signals(); // again, because MPI may have changed the handlers
    set_interruption_check(check_interrupt);
    find_neighbours();
}

const device_plan& session::find_devices(device_choice choice, bool nccl_shares_gpu, bool use_nccl) {
    note("looking for GPUs");
    rank_report mine;
    mine.host = host();
    mine.cores = usable_cores();
    if (choice == device_choice::cpu) {
        mine.why_none = "device = cpu";
    } else {
        look_for_gpus(mine);
        mine.mpi_takes_device = mpi_ && mpi_session::takes_device_memory();
        if (!mine.gpus.empty() && !torch_has_cuda()) {
            mine.gpus.clear();
            mine.why_none = "this LibTorch finds none";
        }
    }
    devices_ = plan_devices(choice, nccl_shares_gpu, exchange_reports(network(), mine));
    if (!use_nccl) {
        devices_.nccl.clear();
    }
    return devices_;
}

void session::open_devices() {
    if (!devices_.cuda || gpu_) {
        return;
    }
    note("opening the GPU");
    gpu_ = open_accelerator(devices_, rank());
    compute_in_stream(gpu_->compute_stream());
    // Linux's default timer slack of 50 us would turn a sleep of 20 us between two polls of the GPU into 70 us.
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
    if (between_hosts_) {
        between_hosts_->use_memory(gpu_->allocator());
    }
    auto fabric = devices_.nccl.empty() ? nullptr : gpu_->fabric(network());
    network_ = std::make_unique<device_transport>(std::move(network_), gpu_->staging(), std::move(fabric));
}

pacer::clock::duration session::clock_offset() {
    transport& plain = between_hosts_ ? static_cast<transport&>(*between_hosts_) : *network_;
    return gaisnet::clock_offset(plain, host());
}

namespace {

/// Adds the cores of a list such as "0-3,8".
void add_cores(const std::string& listed, std::set<int>& cores) {
    std::istringstream list(listed);
    for (std::string part; std::getline(list, part, ',');) {
        const auto dash = part.find('-');
        const int first = std::atoi(part.c_str());
        const int last = dash == std::string::npos ? first : std::atoi(part.c_str() + dash + 1);
        for (int core = first; core <= last; ++core) {
            cores.insert(core);
        }
    }
}

} // namespace

/// Finds out where all ranks run; the result is known on every rank.
void session::find_neighbours() {
    std::map<std::string, std::set<int>> cores;
    for (const auto& [name, usable] : collect_everywhere(network(), std::pair(host(), usable_cores()))) {
        ++hosts_[name].ranks;
        add_cores(usable, cores[name]);
    }
    for (auto& [name, host] : hosts_) {
        host.cores = std::max<std::size_t>(cores[name].size(), 1);
    }
}

bool session::cores_suffice(int threads) const {
    return std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& one) {
        return one.second.ranks * static_cast<std::size_t>(threads) <= one.second.cores;
    });
}

session::share_of_host session::share() const { return hosts_.at(host()); }

void session::accept_requeue() {
    on_request = stopping::requeues;
    network().barrier();
    if (const auto* path = std::getenv("GAISNET_READY"); path && root()) {
        std::ofstream(path) << "ready\n";
    }
}

session::~session() = default;

void session::end_together() {
    if (gpu_) {
        gpu_->synchronise();
        network().barrier();
    }
    if (heartbeat_) {
        note("end");
        heartbeat_->meet();
    }
}

std::string session::host() const {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

std::string session::mpi_version() const { return mpi_session::version(); }

void session::watch(const std::string& nodes, double silence_s) {
    if (heartbeat_) {
        heartbeat_->describe(nodes, silence_s);
    }
}

void session::note(std::string_view operation) {
    if (heartbeat_) {
        heartbeat_->note(operation);
    }
}

int session::fail(const error& problem) {
    if (ranks() > 1 && problem.on_all_ranks() && !root()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(std::min(8000, 1500 + 250 * rank())));
    }
    const bool alone = ranks() == 1 || (problem.on_all_ranks() && root());
    fmt::print(stderr, "gaisnet: error: {}{}\n", alone ? std::string() : fmt::format("rank {} on {}: ", rank(), host()),
               problem.what());
    std::fflush(nullptr);
    const int code = static_cast<int>(problem.code());
    if (ranks() > 1) {
        abort(code);
    }
    return code;
}

void session::abort(int code) {
    if (heartbeat_) {
        heartbeat_->leave(); // the other ranks must not take this exit for a failure
    }
    if (mpi_) {
        mpi_session::abort(code);
    }
    std::exit(code);
}

void session::end_at_once() {
    for (const int signal : {SIGINT, SIGUSR2, SIGTERM, SIGUSR1}) {
        std::signal(signal, on_any);
    }
}

void session::begin_steps() { on_request = stopping::waits_for_step; }

bool session::requeue_requested() { return requeue_signal != 0; }
bool session::interrupted() {
    return interrupt_signal != 0 || (requeue_signal != 0 && on_request == stopping::interrupts);
}

void session::check_interrupt() {
    if (interrupted()) {
        throw error(exit_code::interrupted, "interrupted", true); // the launcher passes the signal to all ranks
    }
    if (requeue_signal != 0 && on_request == stopping::requeues) {
        throw error(exit_code::requeue, "stopped by a signal before the first step; go on with --resume auto", true);
    }
}

} // namespace gaisnet
