#include "model/smashed_codec.hpp"

#include "base/registry.hpp"
#include "scenario/scenario.hpp"

namespace gaisnet {

std::shared_ptr<const smashed_codec> make_codec(const scenario& scene) {
    return registry<codec_entry>::at(scene.smashed.codec, "smashed.codec").make(scene);
}

} // namespace gaisnet
