#include "model/stage_spec.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

std::vector<tunable_spec> head_tunables(const vit_config& vit, std::int64_t classes) {
    return {{{"head.weight", {classes, vit.dim}}, {tensor_init::family::normal, 0.01}},
            {{"head.bias", {classes}}, {tensor_init::family::zeros, 0.0}}};
}

} // namespace

stage_spec::stage_spec(const vit_config& vit, std::shared_ptr<const tuning_method> method, std::int64_t classes,
                       stage_cut cut)
    : vit_(vit)
    , method_(std::move(method))
    , classes_(classes)
    , cut_(cut) {
    const auto append = [this](const std::vector<tunable_spec>& more) {
        tunables_.insert(tunables_.end(), more.begin(), more.end());
    };
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        append(method_->tunables(vit_, block));
    }
    if (cut_.head) {
        append(head_tunables(vit_, classes_));
    }
    for (const auto& tunable : tunables_) {
        tunable_elements_ += tunable.tensor.elements();
    }
}

std::vector<tensor_spec> stage_spec::frozen() const {
    std::vector<tensor_spec> all;
    const auto append = [&](const std::vector<tensor_spec>& some) { all.insert(all.end(), some.begin(), some.end()); };
    if (cut_.embedding) {
        append(embedding_tensors(vit_));
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        append(block_tensors(vit_, block));
    }
    if (cut_.head) {
        append(norm_tensors(vit_));
    }
    return all;
}

std::vector<std::int64_t> stage_spec::input_shape(std::int64_t n) const {
    if (cut_.embedding) {
        return {};
    }
    return cut_.blocks > 0 ? std::vector<std::int64_t>{n, vit_.tokens(), vit_.dim}
                           : std::vector<std::int64_t>{n, vit_.dim};
}

std::vector<std::int64_t> stage_spec::output_shape(std::int64_t n) const {
    if (cut_.head) {
        return {};
    }
    return all_tokens_out ? std::vector<std::int64_t>{n, vit_.tokens(), vit_.dim}
                          : std::vector<std::int64_t>{n, vit_.dim};
}

double stage_spec::forward_flops(std::int64_t n) const {
    const double d = static_cast<double>(vit_.dim);
    double mac = 0.0;
    if (cut_.embedding) {
        mac += static_cast<double>(vit_.patches() * 3 * vit_.patch * vit_.patch) * d;
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        const double tokens = static_cast<double>(block_tokens(block));
        mac += (4.0 + 2.0 * static_cast<double>(vit_.mlp_ratio)) * tokens * d * d + 2.0 * tokens * tokens * d;
    }
    if (cut_.head) {
        mac += d * static_cast<double>(classes_);
    }
    return 2.0 * mac * static_cast<double>(n);
}

double stage_spec::backward_flops(std::int64_t n) const {
    if (!runs_backward()) {
        return 0.0;
    }
    const double d = static_cast<double>(vit_.dim);
    double mac = 0.0;
    // Blocks before the first tunable one have no gradient to pass on; with the methods at hand a stage's first block
    // either is tunable or receives the gradient, so every block counts. A frozen linear layer gives one product in
    // the backward, each of the two products of attention gives two.
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        const double tokens = static_cast<double>(block_tokens(block));
        mac += (4.0 + 2.0 * static_cast<double>(vit_.mlp_ratio)) * tokens * d * d + 4.0 * tokens * tokens * d;
    }
    if (cut_.head) {
        const bool wants_input = input_gradient || cut_.blocks > 0;
        mac += d * static_cast<double>(classes_) * (wants_input ? 2.0 : 1.0);
    }
    return 2.0 * mac * static_cast<double>(n);
}

double stage_spec::step_flops(optimizer_kind optimizer) const {
    // Multiplications and additions a parameter: weight decay 2, momentum 2, update 2; AdamW: two moments 5, bias
    // corrections 2, root and division 3, decay and update 4.
    return static_cast<double>(tunable_elements_) * (optimizer == optimizer_kind::sgd ? 6.0 : 14.0);
}

std::uint64_t stage_spec::retained_bytes(std::int64_t n) const {
    if (!runs_backward()) {
        return 0;
    }
    const auto d = vit_.dim;
    std::int64_t floats = 0;
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        const auto tokens = block_tokens(block);
        // Saved by autograd for one block with frozen weights: the input of each layer norm (2 d, the second being the
        // residual sum) with mean and reciprocal deviation (2 x 2), q, k, v after the head split (3 d), the attention
        // probabilities (heads x tokens), the input of GELU (mlp_ratio d). Frozen linear layers save no input.
        floats += tokens * (2 * d + 4 + 3 * d + vit_.heads * tokens + vit_.mlp_ratio * d);
    }
    if (input_gradient) { // the input, whose gradient is sent back
        floats += cut_.blocks > 0 ? vit_.tokens() * d : d;
    }
    if (cut_.blocks > 0 && !cut_.head) { // the output, kept until its gradient comes
        floats += all_tokens_out ? vit_.tokens() * d : d;
    }
    if (cut_.head) {
        floats += 3 * d + 2 + 2 * classes_; // norm's input and output, CLS, log-probabilities and logits
    }
    return static_cast<std::uint64_t>(n * floats) * 4;
}

std::uint64_t stage_spec::workspace_bytes(std::int64_t n) const {
    std::int64_t floats = cut_.head ? 2 * vit_.dim + 2 * classes_ : 0;
    if (cut_.embedding) {
        floats = std::max(floats, 3 * vit_.image * vit_.image + 2 * vit_.tokens() * vit_.dim);
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        // The widest moment of a block: input and output of GELU beside the residual stream, or scores and
        // probabilities of attention beside q, k and v.
        const auto tokens = block_tokens(block);
        const auto mlp = tokens * vit_.dim * (2 * vit_.mlp_ratio + 2);
        const auto attention = tokens * (2 * vit_.heads * tokens + 4 * vit_.dim);
        floats = std::max({floats, mlp, attention});
    }
    return static_cast<std::uint64_t>(n * floats) * 4;
}

std::vector<stage_spec> make_stages(const vit_config& vit, std::shared_ptr<const tuning_method> method,
                                    std::int64_t classes, const std::vector<stage_cut>& cuts) {
    ensure(!cuts.empty() && cuts.front().embedding && cuts.back().head,
           "a chain begins with the embedding and ends with the head");
    std::vector<stage_spec> stages;
    bool trainable_before = false;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        stage_spec stage(vit, method, classes, cuts[i]);
        stage.input_gradient = trainable_before;
        stage.all_tokens_out = std::any_of(cuts.begin() + static_cast<std::ptrdiff_t>(i) + 1, cuts.end(),
                                           [](const stage_cut& later) { return later.blocks > 0; });
        trainable_before = trainable_before || stage.trainable();
        stages.push_back(std::move(stage));
    }
    return stages;
}

std::vector<tunable_spec> model_tunables(const vit_config& vit, const tuning_method& method, std::int64_t classes) {
    std::vector<tunable_spec> all;
    for (std::int64_t block = 0; block < vit.depth; ++block) {
        for (auto& tunable : method.tunables(vit, block)) {
            all.push_back(std::move(tunable));
        }
    }
    for (auto& tunable : head_tunables(vit, classes)) {
        all.push_back(std::move(tunable));
    }
    return all;
}

std::vector<float> initial_values(const std::vector<tunable_spec>& tunables, std::uint64_t seed) {
    std::vector<float> values;
    for (const auto& tunable : tunables) {
        random_stream stream(seed, "tunable", tunable.tensor.name);
        for (std::int64_t i = 0; i < tunable.tensor.elements(); ++i) {
            switch (tunable.init.kind) {
            case tensor_init::family::zeros: values.push_back(0.0F); break;
            case tensor_init::family::uniform:
                values.push_back(static_cast<float>(stream.uniform(-tunable.init.scale, tunable.init.scale)));
                break;
            case tensor_init::family::normal:
                values.push_back(static_cast<float>(stream.normal() * tunable.init.scale));
                break;
            }
        }
    }
    return values;
}

} // namespace gaisnet
