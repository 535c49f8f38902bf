#pragma once

// Computing with the samples of several members at once, which have the same frozen weights and tunables of their own: see
// tuned_part. One member alone gets the same bits as without.

#include "model/torch/backbone.hpp"

#include <functional>
#include <vector>

namespace gaisnet {

/// A tunable [members, ...], such as prompts, for each of n samples: [n, ...].
at::Tensor for_samples(const at::Tensor& of_members, std::int64_t n);

/// x W' + b for x [n, ..., in] with the matrix of each sample's member.
/// \param weight [members, out, in] \param bias [members, out]; undefined: none
at::Tensor affine_of_members(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);

/// The results of each member's samples with its own weights, one behind the other. \param weights [members, ...] each
using member_work = std::function<at::Tensor(std::vector<at::Tensor> weights, const at::Tensor& samples)>;
at::Tensor of_each_member(weights_view weights, const at::Tensor& samples, const member_work&);

} // namespace gaisnet
