#include "model/torch/members.hpp"

#include "model/torch/attention.hpp"

#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

namespace gaisnet {

at::Tensor for_samples(const at::Tensor& of_members, std::int64_t n) {
    auto shape = of_members.sizes().vec();
    shape.insert(shape.begin() + 1, n / shape.front());
    auto repeated = of_members.unsqueeze(1).expand(shape);
    shape.erase(shape.begin());
    shape.front() = n;
    return repeated.reshape(shape);
}

at::Tensor affine_of_members(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
    const auto members = weight.size(0), in = weight.size(2), out = weight.size(1);
    if (members > 1 && c10::GradMode::is_enabled()) {
        const auto rows = input.reshape({members, -1, in}), turned = weight.transpose(1, 2);
        const auto all = bias.defined() ? at::baddbmm(bias.unsqueeze(1), rows, turned) : at::bmm(rows, turned);
        auto shape = input.sizes().vec();
        shape.back() = out;
        return all.reshape(shape);
    }
    // Without gradients a sample gets the same bits in any batch, so a member gets them beside any others.
    const std::vector<at::Tensor> weights = bias.defined() ? std::vector{weight, bias} : std::vector{weight};
    return of_each_member(weights, input, [](const std::vector<at::Tensor>& own, const at::Tensor& some) {
        const auto its_bias = own.size() > 1 ? own[1] : at::Tensor();
        return some.dim() == 3 ? affine(some, own[0], its_bias) : at::linear(some, own[0], its_bias);
    });
}

at::Tensor of_each_member(weights_view weights, const at::Tensor& samples, const member_work& work) {
    const auto members = weights.front().size(0), share = samples.size(0) / members;
    std::vector<at::Tensor> results;
    for (std::int64_t member = 0; member < members; ++member) {
        std::vector<at::Tensor> own;
        for (const auto& one : weights) {
            own.push_back(one.select(0, member));
        }
        results.push_back(work(std::move(own), samples.narrow(0, member * share, share)));
    }
    return members == 1 ? results.front() : at::cat(results);
}

} // namespace gaisnet
