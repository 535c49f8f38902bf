#include "data/image_supply.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace gaisnet {

std::shared_ptr<const image> image_supply::sensed(const dataset& data, std::size_t sample,
                                                  const sample_quality& quality, std::uint64_t seed, bool keep) {
    const key which{&data, sample, quality.blur, quality.noise};
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

std::uint64_t available_memory() {
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    std::ifstream machine("/proc/meminfo");
    for (std::string name, unit; machine >> name;) {
        std::uint64_t kilobytes = 0;
        machine >> kilobytes;
        std::getline(machine, unit);
        if (name == "MemAvailable:") {
            least = kilobytes * 1024;
        }
    }
    std::uint64_t limit = 0, used = 0;
    if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && std::ifstream("/sys/fs/cgroup/memory.current") >> used) {
        least = std::min(least, limit - std::min(limit, used));
    }
    return least == std::numeric_limits<std::uint64_t>::max() ? 0 : least;
}

} // namespace gaisnet
