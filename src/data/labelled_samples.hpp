#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// Samples of whatever kind, each of one class: all that a split or a partition has to know. All members may be called
/// from several threads.
class labelled_samples {
public:
    virtual ~labelled_samples() = default;
    virtual std::size_t size() const = 0;
    virtual std::int64_t label(std::size_t sample) const = 0;
    virtual const std::vector<std::string>& class_names() const = 0;
    /// A stable name of the sample; messages and random streams use it.
    virtual std::string name(std::size_t sample) const = 0;
};

} // namespace gaisnet
