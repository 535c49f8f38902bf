#include "emulation/distribution.hpp"

#include <algorithm>

namespace gaisnet {

double distribution::draw(random_stream& stream) const {
    switch (kind) {
    case family::constant: return parameters.at(0);
    case family::uniform: return stream.uniform(parameters.at(0), parameters.at(1));
    case family::choice: return parameters[stream.below(parameters.size())];
    }
    return parameters.at(0);
}

double distribution::lowest() const { return *std::min_element(parameters.begin(), parameters.end()); }

} // namespace gaisnet
