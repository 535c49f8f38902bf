#pragma once

#include "data/image.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gaisnet {

/// Labelled images. All members may be called from several threads.
class dataset {
public:
    virtual ~dataset() = default;
    virtual std::size_t size() const = 0;
    virtual std::int64_t label(std::size_t sample) const = 0;
    virtual const std::vector<std::string>& class_names() const = 0;
    /// A stable name of the sample; messages and random streams use it.
    virtual std::string name(std::size_t sample) const = 0;
    virtual image load(std::size_t sample) const = 0;
};

} // namespace gaisnet
