#include "model/torch/torch_stage.hpp"

#include "base/error.hpp"
#include "model/torch/torch_support.hpp"

#include <algorithm>

namespace gaisnet {

tensor_view torch_stage::run(const stage_request& request) {
    joint_request alone{this, &request};
    run_together({&alone, 1});
    return std::move(alone.output);
}

void torch_stage::run_together(std::span<joint_request> all) {
    std::vector<member_request> requests;
    for (const auto& one : all) {
        const auto* stage = dynamic_cast<const torch_stage*>(one.stage);
        ensure(stage != nullptr && stage->stack_ == stack_, "only stages of a stack compute together");
        requests.push_back({stage->member_, one.work, {}});
    }
    with_clear_errors([&] { stack_->run(requests); });
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].output = std::move(requests[i].output);
    }
}

} // namespace gaisnet
