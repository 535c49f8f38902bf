#include "model/vit.hpp"

#include <cmath>

namespace gaisnet {

namespace {

constexpr double norm_epsilon = 1e-6;

at::Tensor attention(const block_weights& w, std::int64_t heads, const at::Tensor& tokens) {
    const auto n = tokens.size(0), length = tokens.size(1), dim = tokens.size(2);
    const auto head_dim = dim / heads;
    const auto qkv =
        at::linear(tokens, w.qkv_weight, w.qkv_bias).reshape({n, length, 3, heads, head_dim}).permute({2, 0, 3, 1, 4});
    const auto query = qkv[0] * (1.0 / std::sqrt(static_cast<double>(head_dim)));
    const auto probabilities = at::softmax(at::matmul(query, qkv[1].transpose(-2, -1)), -1);
    const auto mixed = at::matmul(probabilities, qkv[2]).transpose(1, 2).reshape({n, length, dim});
    return at::linear(mixed, w.proj_weight, w.proj_bias);
}

} // namespace

at::Tensor vit_backbone::embed(const at::Tensor& images) const {
    const auto n = images.size(0);
    const auto patches = at::conv2d(images.to(device(), type()), patch_weight, patch_bias, /*stride=*/config.patch);
    const auto tokens = patches.flatten(2).transpose(1, 2);
    return at::cat({cls_token.expand({n, 1, config.dim}), tokens}, 1) + pos_embed;
}

at::Tensor vit_backbone::block(std::int64_t index, const at::Tensor& tokens) const {
    const auto& w = blocks[static_cast<std::size_t>(index)];
    const auto normal = at::layer_norm(tokens, {config.dim}, w.norm1_weight, w.norm1_bias, norm_epsilon);
    const auto attended = tokens + attention(w, config.heads, normal);
    const auto second = at::layer_norm(attended, {config.dim}, w.norm2_weight, w.norm2_bias, norm_epsilon);
    const auto hidden = at::gelu(at::linear(second, w.fc1_weight, w.fc1_bias));
    return attended + at::linear(hidden, w.fc2_weight, w.fc2_bias);
}

at::Tensor vit_backbone::normalise(const at::Tensor& cls) const {
    return at::layer_norm(cls.to(at::kFloat), {config.dim}, norm_weight, norm_bias, norm_epsilon);
}

// A copy, because autograd would keep all tokens alive for a view of one.
at::Tensor cls_of(const at::Tensor& tokens) { return tokens.select(1, 0).clone(); }

vit_backbone make_backbone(const vit_config& vit, const std::function<at::Tensor(const tensor_spec&)>& tensor) {
    vit_backbone out;
    out.config = vit;
    const auto embedding = embedding_tensors(vit);
    out.cls_token = tensor(embedding[0]);
    out.pos_embed = tensor(embedding[1]);
    out.patch_weight = tensor(embedding[2]);
    out.patch_bias = tensor(embedding[3]);
    for (std::int64_t block = 0; block < vit.depth; ++block) {
        const auto specs = block_tensors(vit, block);
        block_weights w;
        at::Tensor* const fields[] = {&w.norm1_weight, &w.norm1_bias, &w.qkv_weight,   &w.qkv_bias,
                                      &w.proj_weight,  &w.proj_bias,  &w.norm2_weight, &w.norm2_bias,
                                      &w.fc1_weight,   &w.fc1_bias,   &w.fc2_weight,   &w.fc2_bias};
        for (std::size_t i = 0; i < specs.size(); ++i) {
            *fields[i] = tensor(specs[i]);
        }
        out.blocks.push_back(std::move(w));
    }
    const auto norm = norm_tensors(vit);
    out.norm_weight = tensor(norm[0]);
    out.norm_bias = tensor(norm[1]);
    return out;
}

} // namespace gaisnet
