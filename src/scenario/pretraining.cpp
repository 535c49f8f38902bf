#include "scenario/pretraining.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

void check_pretraining(const scenario& scene, const value_reader& in) {
    const auto& pretrain = scene.pretrain;
    if (pretrain.objective == pretraining_kind::automatic && in.is_changed("pretrain.mask") &&
        (!scene.model.takes_texts() || scene.model.tells_next_tokens())) {
        in.reject("pretrain.mask", "it goes with pretrain.objective = masked");
    }
    if (pretrain.shards > pretrain.batch) {
        in.reject("pretrain.shards", "at most pretrain.batch = " + std::to_string(pretrain.batch) + " is accepted");
    }
}

} // namespace gaisnet
