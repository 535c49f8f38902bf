#include "model/torch/output_cache.hpp"

#include <ATen/ops/stack.h>

namespace gaisnet {

at::Tensor output_cache::find(const micro_batch& micro) {
    std::vector<at::Tensor> rows;
    for (const auto number : numbers_(micro)) {
        const auto found = kept_.find(number);
        if (found == kept_.end()) {
            return {};
        }
        rows.push_back(found->second);
    }
    return at::stack(rows);
}

void output_cache::keep(const micro_batch& micro, const at::Tensor& outputs) {
    const auto numbers = numbers_(micro);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        kept_[numbers[i]] = outputs[static_cast<std::int64_t>(i)].detach().clone();
    }
}

} // namespace gaisnet
