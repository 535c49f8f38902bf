// The yardstick of jobs/bench.sh for generation: what a plain LibTorch loop with a cache of keys and values needs to go on
// with the prompts of a session, greedily, on the unsplit model. It shares the weights with gaisnet, and nothing else: the
// forward of a Llama is written here once more, as one would write it without stages, tuning and a ledger. Takes the
// settings of `gaisnet infer`. Prints one line a request: wall time (s), then the tokens.

#include "base/error.hpp"
#include "experiment/backbone.hpp"
#include "experiment/preparation.hpp"
#include "model/llama/llama.hpp"
#include "model/torch/torch_support.hpp"
#include "settings/options.hpp"
#include "settings/sources.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

namespace {

using namespace gaisnet;

class plain_llama {
public:
    /// \param most tokens of a text
    plain_llama(const model_backbone& weights, const llama& model, std::int64_t most)
        : weights_(weights)
        , model_(model)
        , kv_heads_(model.shape().kv_heads > 0 ? model.shape().kv_heads : model.shape().heads) {
        const auto width = model.dim() / model.shape().heads;
        const auto frequency =
            at::pow(model.sizes().rope_theta, at::arange(0, width, 2, at::kFloat) / -static_cast<double>(width));
        const auto angles = at::outer(at::arange(most, at::kFloat), frequency).repeat({1, 2});
        cos_ = angles.cos();
        sin_ = angles.sin();
        for (std::size_t block = 0; block < weights.blocks.size(); ++block) {
            keys_.push_back(at::zeros({1, kv_heads_, most, width}));
            values_.push_back(at::zeros({1, kv_heads_, most, width}));
        }
    }

    /// Logits behind the last of these tokens, int64 [1, tokens]; they go on from those before.
    at::Tensor next(const at::Tensor& ids) {
        auto x = at::embedding(weights_.embedding[0], ids);
        for (std::size_t block = 0; block < weights_.blocks.size(); ++block) {
            x = run_block(block, x);
        }
        past_ += ids.size(1);
        const auto last = rms_norm(x.narrow(1, x.size(1) - 1, 1), weights_.norm[0]);
        return at::linear(last, weights_.output[0]).flatten();
    }

private:
    at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight) const {
        return x * at::rsqrt(x.pow(2).mean(-1, true) + model_.norm_epsilon()) * weight;
    }

    at::Tensor turn(const at::Tensor& x) const {
        const auto halves = x.chunk(2, -1);
        return x * cos_.narrow(0, past_, x.size(2)) +
               at::cat({-halves[1], halves[0]}, -1) * sin_.narrow(0, past_, x.size(2));
    }

    at::Tensor run_block(std::size_t block, const at::Tensor& x) {
        const auto& w = weights_.blocks[block]; // norm1, q, k, v, o, norm2, gate, up, down
        const auto tokens = x.size(1), heads = model_.shape().heads, groups = heads / kv_heads_;
        const auto normal = rms_norm(x, w[0]);
        const auto split = [&](const at::Tensor& weight, std::int64_t into) {
            return at::linear(normal, weight).view({1, tokens, into, -1}).transpose(1, 2);
        };
        const auto query = turn(split(w[1], heads));
        keys_[block].narrow(2, past_, tokens).copy_(turn(split(w[2], kv_heads_)));
        values_[block].narrow(2, past_, tokens).copy_(split(w[3], kv_heads_));
        const auto all = past_ + tokens;
        const auto keys = keys_[block].narrow(2, 0, all).repeat_interleave(groups, 1);
        const auto values = values_[block].narrow(2, 0, all).repeat_interleave(groups, 1);
        auto scores = at::matmul(query, keys.transpose(-2, -1)) / std::sqrt(static_cast<double>(query.size(3)));
        if (tokens > 1) {
            scores = scores + at::full({tokens, all}, -INFINITY).triu(past_ + 1);
        }
        const auto mixed = at::matmul(scores.softmax(-1), values).transpose(1, 2).reshape({1, tokens, -1});
        const auto attended = x + at::linear(mixed, w[4]);
        const auto second = rms_norm(attended, w[5]);
        return attended + at::linear(at::silu(at::linear(second, w[6])) * at::linear(second, w[7]), w[8]);
    }

    const model_backbone& weights_;
    const llama& model_;
    std::int64_t kv_heads_, past_ = 0;
    at::Tensor cos_, sin_;                  ///< [positions, dim / heads]
    std::vector<at::Tensor> keys_, values_; ///< By block [1, kv_heads, positions, dim / heads].
};

void run_loop(const command_line& given, session& here) {
    using clock = std::chrono::steady_clock;
    const auto run = prepare(given, here, true);
    const auto& scene = *run.scene;
    if (here.ranks() != 1 || run.deploy->chains.size() != 1 || scene.infer.temperature != 0.0 || here.gpu()) {
        throw usage_error("the loop runs in one process, without a GPU, for one cluster, and infer.temperature = 0");
    }
    const auto loaded = load_backbone(scene, here);
    const auto* model = dynamic_cast<const llama*>(loaded.backbone->model.get());
    if (model == nullptr || model->sizes().qkv_bias || scene.model.positions < 1) {
        throw usage_error("model.family = " + scene.model.family + ": the loop is for llama without biases");
    }
    const c10::NoGradGuard no_gradients;
    const auto& requests = run.data->requests();
    const auto& requester = run.deploy->net.nodes[run.deploy->chains.front().front().node].name;
    for (const auto sample : requests.of(0, requester, scene.infer.requests)) {
        const auto prompt = requests.prompt(0, sample);
        const auto start = clock::now();
        plain_llama loop(*loaded.backbone, *model, static_cast<std::int64_t>(prompt.size()) + scene.infer.generate);
        auto ids = at::tensor(std::vector<std::int64_t>(prompt.begin(), prompt.end())).unsqueeze(0);
        std::vector<std::int64_t> told;
        while (told.size() < static_cast<std::size_t>(scene.infer.generate)) {
            told.push_back(loop.next(ids).argmax().item<std::int64_t>());
            ids = at::full({1, 1}, told.back(), at::kLong);
        }
        const std::chrono::duration<double> wall = clock::now() - start;
        fmt::print("{:.4f} {}\n", wall.count(), fmt::join(told, " "));
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) {
    try {
        spdlog::set_default_logger(spdlog::stderr_color_mt("plain_llama"));
        session here(argc, argv);
        std::vector<std::string> arguments{"infer"};
        arguments.insert(arguments.end(), argv + 1, argv + argc);
        with_clear_errors([&] { run_loop(parse_command_line(arguments, process_environment()), here); });
        return 0;
    } catch (const error& problem) {
        fmt::print(stderr, "plain_llama: error: {}\n", problem.what());
        return static_cast<int>(problem.code());
    }
}
