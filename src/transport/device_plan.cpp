#include "transport/device_plan.hpp"

#include "base/bytes.hpp"
#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gaisnet {

namespace {

std::string name_rank(std::size_t rank, const rank_report& report) {
    return fmt::format("rank {} on host {}", rank, report.host);
}

bool wants_cuda(device_choice choice, const std::vector<rank_report>& reports) {
    if (choice == device_choice::cpu) {
        return false;
    }
    std::string without;
    std::size_t having = reports.size(), lacking = 0, listed = 0;
    for (std::size_t rank = 0; rank < reports.size(); ++rank) {
        if (!reports[rank].gpus.empty()) {
            having = std::min(having, rank);
            continue;
        }
        ++lacking;
        if (++listed <= 3) {
            without += fmt::format("{}{} ({})", listed == 1 ? "" : ", ", name_rank(rank, reports[rank]),
                                   reports[rank].why_none);
        }
    }
    if (lacking > 3) {
        without += fmt::format(" and {} more", lacking - 3);
    }
    if (lacking == 0) {
        return true;
    }
    if (choice == device_choice::cuda) {
        throw usage_error("device = cuda: no GPU for " + without + "; device = cpu is accepted");
    }
    if (having < reports.size()) {
        throw usage_error(
            fmt::format("device = auto: {} has a GPU, but there is none for {}; all ranks must compute on "
                        "the same kind of device: device = cpu is accepted",
                        name_rank(having, reports[having]), without));
    }
    return false;
}

void check_nccl(const std::vector<rank_report>& reports) {
    for (std::size_t rank = 0; rank < reports.size(); ++rank) {
        const auto& report = reports[rank];
        if (report.nccl_loaded < report.nccl_built) {
            throw usage_error(fmt::format("{} has loaded NCCL {}, but the program was built with NCCL {}: that version "
                                          "or a newer one is accepted (LD_LIBRARY_PATH decides which is found)",
                                          name_rank(rank, report), nccl_version_text(report.nccl_loaded),
                                          nccl_version_text(report.nccl_built)));
        }
        if (report.nccl_loaded != reports.front().nccl_loaded) {
            throw usage_error(fmt::format("NCCL is {} on {}, but {} on {}: all ranks need the same version",
                                          nccl_version_text(reports.front().nccl_loaded), name_rank(0, reports.front()),
                                          nccl_version_text(report.nccl_loaded), name_rank(rank, report)));
        }
    }
}

void write(const rank_report& report, byte_writer& out) {
    out.put(report.host);
    out.put(report.cores);
    out.put(static_cast<std::uint64_t>(report.gpus.size()));
    for (const auto& gpu : report.gpus) {
        out.put(gpu.uuid);
        out.put(gpu.bus);
        out.put(gpu.name);
        out.put(gpu.memory_bytes);
    }
    out.put(report.why_none);
    out.put(report.nccl_loaded);
    out.put(report.nccl_built);
    out.put(report.mpi_takes_device);
}

rank_report read(byte_reader& in) {
    rank_report out;
    out.host = in.get<std::string>();
    out.cores = in.get<std::string>();
    for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
        gpu_info gpu;
        gpu.uuid = in.get<std::string>();
        gpu.bus = in.get<std::string>();
        gpu.name = in.get<std::string>();
        gpu.memory_bytes = in.get<std::uint64_t>();
        out.gpus.push_back(std::move(gpu));
    }
    out.why_none = in.get<std::string>();
    out.nccl_loaded = in.get<int>();
    out.nccl_built = in.get<int>();
    out.mpi_takes_device = in.get<bool>();
    return out;
}

/// Ranks by GPU. GPUs are identified by host and by UUID or bus: equal identifiers on two hosts are two GPUs.
std::map<std::pair<std::string, std::string>, std::vector<int>> ranks_by_gpu(const device_plan& plan,
                                                                             std::string gpu_info::*key) {
    std::map<std::pair<std::string, std::string>, std::vector<int>> out;
    for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
        out[{plan.ranks[rank].host, plan.ranks[rank].gpu.*key}].push_back(static_cast<int>(rank));
    }
    return out;
}

void connect(device_plan& plan, bool share) {
    for (const auto& [gpu, ranks] : ranks_by_gpu(plan, &gpu_info::uuid)) {
        int slot = 0;
        for (const auto rank : ranks) {
            plan.ranks[static_cast<std::size_t>(rank)].gpu_first = ranks.front();
            plan.ranks[static_cast<std::size_t>(rank)].gpu_slot = slot++;
        }
    }
    std::vector<int> sharing;
    for (const auto& [gpu, ranks] : ranks_by_gpu(plan, &gpu_info::bus)) {
        if (ranks.size() == 1 || share) {
            plan.nccl.insert(plan.nccl.end(), ranks.begin(), ranks.end());
            plan.nccl_shares_gpu = plan.nccl_shares_gpu || ranks.size() > 1;
        } else {
            sharing.insert(sharing.end(), ranks.begin(), ranks.end());
        }
    }
    std::sort(plan.nccl.begin(), plan.nccl.end());
    if (plan.nccl.size() == 1) {
        plan.nccl.clear();
    }
    if (!sharing.empty()) {
        plan.warnings.push_back(fmt::format(
            "{} of {} ranks share a GPU with another: NCCL refuses that, so their smashed data goes through {} over "
            "MPI; as many ranks as GPUs, or nccl_share_gpu = on, avoids it",
            sharing.size(), plan.ranks.size(), plan.mpi_takes_device ? "device memory" : "host memory"));
    }
}

} // namespace

std::vector<rank_report> exchange_reports(transport& network, const rank_report& mine) {
    byte_writer out;
    write(mine, out);
    std::vector<std::byte> all;
    for (const auto& part : network.gather(out.take(), 0)) {
        all.insert(all.end(), part.begin(), part.end());
    }
    network.broadcast(all, 0);
    byte_reader in(all);
    std::vector<rank_report> reports;
    for (int rank = 0; rank < network.ranks(); ++rank) {
        reports.push_back(read(in));
    }
    return reports;
}

device_plan plan_devices(device_choice choice, bool nccl_shares_gpu, const std::vector<rank_report>& reports) {
    device_plan plan;
    plan.cuda = wants_cuda(choice, reports);
    plan.mpi_takes_device = plan.cuda && std::all_of(reports.begin(), reports.end(),
                                                     [](const auto& report) { return report.mpi_takes_device; });
    std::map<std::string, int> on_host;
    for (const auto& report : reports) {
        rank_device device{report.host, report.cores, -1, {}, on_host[report.host]++, 0, 0};
        if (plan.cuda) {
            device.index = device.local % static_cast<int>(report.gpus.size());
            device.gpu = report.gpus[static_cast<std::size_t>(device.index)];
        }
        plan.ranks.push_back(std::move(device));
    }
    if (!plan.cuda) {
        return plan;
    }
    check_nccl(reports);
    connect(plan, nccl_shares_gpu);
    std::set<std::string> models;
    for (const auto& device : plan.ranks) {
        models.insert(device.gpu.name);
    }
    if (models.size() > 1) {
        plan.warnings.push_back(fmt::format("the ranks compute on different GPUs ({}): results depend on which rank "
                                            "plays which node, in their last bits",
                                            fmt::join(models, ", ")));
    }
    return plan;
}

std::map<std::string, std::string> nccl_settings(const device_plan& plan, int rank) {
    std::map<std::string, std::string> all;
    // All connections must exist before a sum, whatever algorithm it uses.
    all["NCCL_RUNTIME_CONNECT"] = "0";
    if (!plan.nccl_shares_gpu) {
        return all;
    }
    // NCCL refuses two ranks of one host on one GPU. So the first ranks of all GPUs of a host are presented as one
    // host, which keeps NVLink between them; the second ones as another, and so on.
    const auto& mine = plan.ranks[static_cast<std::size_t>(rank)];
    all["NCCL_HOSTID"] = fmt::format("{}-{}", mine.host, mine.gpu_slot);
    // Between such hosts NCCL must use the network, not shared memory.
    all["NCCL_CUMEM_HOST_ENABLE"] = "0";
    const bool one_host = std::all_of(plan.nccl.begin(), plan.nccl.end(), [&](int other) {
        return plan.ranks[static_cast<std::size_t>(other)].host == mine.host;
    });
    if (one_host) {
        all["NCCL_SOCKET_IFNAME"] = "lo";
        all["NCCL_IB_DISABLE"] = "1";
    }
    return all;
}

std::string nccl_version_text(int version) {
    // Since 2.9 NCCL encodes the major version as 10000 x major; before, 1000 x major.
    const int major = version >= 10000 ? version / 10000 : version / 1000;
    const int minor = version >= 10000 ? version / 100 % 100 : version / 100 % 10;
    return fmt::format("{}.{}.{}", major, minor, version % 100);
}

std::string describe_devices(const device_plan& plan) {
    std::string text;
    for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
        const auto& device = plan.ranks[rank];
        const bool nccl = std::binary_search(plan.nccl.begin(), plan.nccl.end(), static_cast<int>(rank));
        text += fmt::format("rank {:<4} host {}, cores {}, {}\n", rank, device.host, device.cores,
                            device.index < 0 ? "CPU"
                                             : fmt::format("GPU {} {} ({}), {}", device.index, device.gpu.name,
                                                           device.gpu.uuid, nccl ? "NCCL" : "MPI"));
    }
    return text;
}

} // namespace gaisnet
