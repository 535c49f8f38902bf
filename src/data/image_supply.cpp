#include "data/image_supply.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace gaisnet {

std::shared_ptr<const image> image_supply::sensed(const dataset& data, std::size_t sample,
                                                  const sample_quality& quality, std::uint64_t seed, bool keep) {
    const sensed_image which{&data, sample, quality.blur, quality.noise};
    {
        const std::lock_guard lock(guard_);
        if (const auto found = kept_.find(which); found != kept_.end()) {
            return found->second;
        }
    }
    auto made = std::make_shared<const image>(degrade(data.load(sample), quality, seed, data.name(sample)));
    if (!keep) {
        return made;
    }
    const std::lock_guard lock(guard_);
    if (const auto bytes = made->rgb.size(); bytes <= room_ - used_ && kept_.emplace(which, made).second) {
        used_ += bytes;
    }
    return made;
}

std::uint64_t image_supply::kept_bytes() const {
    const std::lock_guard lock(guard_);
    return used_;
}

namespace {

std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
    std::uint64_t value = 0;
    std::ifstream in(file);
    return in >> value ? std::optional(value) : std::nullopt; // "max" is not a number
}

/// Memory that the control groups of this process leave to it; a batch job is in one, and that may be in others.
std::optional<std::uint64_t> left_in_groups() {
    std::optional<std::uint64_t> least;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) { // "0::/system.slice/job", or "4:memory:/job"
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const auto controllers = line.substr(first + 1, second - first - 1);
        const bool unified = controllers.empty();
        if (!unified && controllers.find("memory") == std::string::npos) {
            continue;
        }
        const std::filesystem::path root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        std::filesystem::path group = line.substr(second + 1);
        for (bool more = true; more; group = group.parent_path()) {
            more = group.has_relative_path();
            const auto folder = root / group.relative_path();
            const auto limit = number_in(folder / (unified ? "memory.max" : "memory.limit_in_bytes"));
            const auto used = number_in(folder / (unified ? "memory.current" : "memory.usage_in_bytes"));
            if (limit && used) {
                const auto left = *limit - std::min(*limit, *used);
                least = std::min(least.value_or(left), left);
            }
        }
    }
    return least;
}

} // namespace

std::uint64_t available_memory() {
    std::uint64_t free = 0;
    std::ifstream machine("/proc/meminfo");
    for (std::string name, rest; machine >> name;) {
        std::uint64_t kilobytes = 0;
        machine >> kilobytes;
        std::getline(machine, rest);
        if (name == "MemAvailable:") {
            free = kilobytes * 1024;
        }
    }
    return std::min(free, left_in_groups().value_or(free));
}

} // namespace gaisnet
