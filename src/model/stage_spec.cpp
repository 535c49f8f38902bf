#include "model/stage_spec.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>

namespace gaisnet {

stage_spec::stage_spec(std::shared_ptr<const foundation_model> model, std::shared_ptr<const tuning_method> method,
                       std::int64_t classes, stage_cut cut)
    : model_(std::move(model))
    , method_(std::move(method))
    , classes_(classes)
    , cut_(cut) {
    const auto append = [this](const std::vector<tunable_spec>& more) {
        tunables_.insert(tunables_.end(), more.begin(), more.end());
    };
    if (cut_.embedding) {
        append(method_->of_embedding(*model_));
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        append(method_->of_block(*model_, block));
    }
    if (cut_.head) {
        append(method_->of_norm(*model_));
        append(head_tunables());
    }
    for (const auto& tunable : tunables_) {
        tunable_elements_ += tunable.tensor.elements();
    }
}

std::vector<tunable_spec> stage_spec::head_tunables() const {
    if (tells_tokens()) {
        return method_->of_output(*model_);
    }
    return {{{"head.weight", {classes_, model_->dim()}}, {tensor_init::family::normal, 0.01}},
            {{"head.bias", {classes_}}, {tensor_init::family::zeros, 0.0}}};
}

std::vector<tensor_spec> stage_spec::frozen() const {
    std::vector<tensor_spec> all;
    const auto append = [&](const std::vector<tensor_spec>& some) { all.insert(all.end(), some.begin(), some.end()); };
    if (cut_.embedding) {
        append(model_->embedding_tensors());
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        append(model_->block_tensors(block));
    }
    if (cut_.head) {
        append(model_->norm_tensors());
    }
    std::erase_if(all, [&](const tensor_spec& weight) { // a tunable weight is not frozen
        return std::any_of(tunables_.begin(), tunables_.end(),
                           [&](const tunable_spec& tunable) { return tunable.tensor.name == weight.name; });
    });
    if (cut_.head && tells_tokens() && head_tunables().empty()) {
        for (auto& weight : model_->output_tensors()) { // a tied one may be there already
            if (std::none_of(all.begin(), all.end(), [&](const tensor_spec& one) { return one.name == weight.name; })) {
                all.push_back(std::move(weight));
            }
        }
    }
    return all;
}

std::int64_t stage_spec::frozen_elements() const {
    std::int64_t sum = 0;
    for (const auto& weight : frozen()) {
        sum += weight.elements();
    }
    return sum;
}

bool stage_spec::frozen_up_to_head() const {
    auto behind = method_->of_norm(*model_);
    const auto head = head_tunables();
    behind.insert(behind.end(), head.begin(), head.end());
    return !input_gradient && std::all_of(tunables_.begin(), tunables_.end(), [&](const tunable_spec& one) {
        return std::any_of(behind.begin(), behind.end(),
                           [&](const tunable_spec& other) { return other.tensor.name == one.tensor.name; });
    });
}

std::int64_t stage_spec::tokens_after(std::int64_t block) const {
    return model_->tokens() + (block >= 0 ? method_->carried_tokens() : 0);
}

tensor_shape stage_spec::pooled_shape(std::int64_t n) const {
    return tells_tokens() ? tensor_shape{n, model_->tokens(), model_->dim()} : tensor_shape{n, model_->dim()};
}

tensor_shape stage_spec::input_shape(std::int64_t n) const {
    if (cut_.embedding) {
        return {};
    }
    return cut_.blocks > 0 ? tensor_shape{n, tokens_after(cut_.first_block - 1), model_->dim()} : pooled_shape(n);
}

tensor_shape stage_spec::output_shape(std::int64_t n) const {
    if (cut_.head) {
        return {};
    }
    return all_tokens_out ? tensor_shape{n, tokens_after(cut_.first_block + cut_.blocks - 1), model_->dim()}
                          : pooled_shape(n);
}

block_cost stage_spec::blocks_cost() const {
    block_cost sum;
    sum.output_gradient = input_gradient || embedding_tunable();
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        const auto one = model_->cost_of_block(method_->change(*model_, block), sum.output_gradient);
        sum.forward_mac += one.forward_mac;
        sum.backward_mac += one.backward_mac;
        sum.retained += one.retained;
        sum.workspace = std::max(sum.workspace, one.workspace);
        sum.output_gradient = one.output_gradient;
    }
    return sum;
}

bool stage_spec::first_block_keeps_input() const {
    const auto change = method_->change(*model_, cut_.first_block);
    return !change.own_prompts && model_->cost_of_block(change, true).keeps_input;
}

double stage_spec::forward_flops(std::int64_t n) const {
    const double d = static_cast<double>(model_->dim());
    double mac = blocks_cost().forward_mac;
    if (cut_.embedding) {
        mac += model_->embedding_mac();
    }
    if (cut_.head) {
        mac += static_cast<double>(predictions()) * (model_->norm_mac() + d * static_cast<double>(logits()));
    }
    return 2.0 * mac * static_cast<double>(n) + coding_flops(input_shape(n), output_shape(n));
}

double stage_spec::coding_flops(const tensor_shape& in, const tensor_shape& out) const {
    if (!codec) {
        return 0.0;
    }
    return (in.empty() ? 0.0 : codec->decode_flops(in)) + (out.empty() ? 0.0 : codec->encode_flops(out));
}

double stage_spec::backward_flops(std::int64_t n) const {
    if (!runs_backward()) {
        return 0.0;
    }
    const double d = static_cast<double>(model_->dim());
    const auto blocks = blocks_cost();
    double mac = blocks.backward_mac;
    if (embedding_tunable()) { // the gradient of the kernel; samples need none
        mac += model_->embedding_mac();
    }
    if (cut_.head) {
        const bool tuned_norm = !method_->of_norm(*model_).empty();
        const bool wants_input = blocks.output_gradient || tuned_norm;
        const auto times = [](bool first, bool second) { return (first ? 1.0 : 0.0) + (second ? 1.0 : 0.0); };
        mac += static_cast<double>(predictions()) *
               (model_->norm_mac() * times(blocks.output_gradient, tuned_norm) +
                d * static_cast<double>(logits()) * times(wants_input, !head_tunables().empty()));
    }
    return 2.0 * mac * static_cast<double>(n) +
           coding_flops(output_shape(n), input_gradient ? input_shape(n) : tensor_shape());
}

double stage_spec::step_flops(optimizer_kind optimizer) const {
    // Operations per parameter: weight decay 2, momentum 2, update 2. AdamW: two moments 5, bias corrections 2, root
    // and division 3, decay and update 4.
    return static_cast<double>(tunable_elements_) * (optimizer == optimizer_kind::sgd ? 6.0 : 14.0);
}

/// Values kept behind the blocks to tell a next token: log-probabilities; what weights that are tuned multiply; what the
/// norm needs.
std::int64_t stage_spec::retained_of_a_token(bool wants_input) const {
    const auto d = model_->dim();
    const bool tuned_norm = !method_->of_norm(*model_).empty(), rms = model_->shape().rms;
    const auto of_norm = rms ? d + 1 + (tuned_norm ? d : 0) : d + 2;
    return logits() + (head_tunables().empty() ? 0 : d) + (wants_input || tuned_norm ? of_norm : 0);
}

std::uint64_t stage_spec::retained_bytes(std::int64_t n) const {
    if (!runs_backward()) {
        return 0;
    }
    const auto d = model_->dim();
    const auto blocks = blocks_cost();
    auto floats = blocks.retained;
    if (embedding_tunable()) {
        floats += model_->embedding_retained(); // for the gradient of the kernel
    }
    // The input, if its gradient is sent back. The first block may keep the same tensor: its norm does, unless prompts are
    // inserted into a copy.
    if (input_gradient && (cut_.blocks == 0 || !first_block_keeps_input())) {
        floats += tensor_spec{{}, input_shape(1)}.elements();
    }
    if ((cut_.blocks > 0 || cut_.embedding) && !cut_.head &&
        blocks.output_gradient) { // the output, kept until its gradient arrives
        floats += tensor_spec{{}, output_shape(1)}.elements();
    }
    if (cut_.head && tells_tokens()) {
        floats += predictions() * retained_of_a_token(blocks.output_gradient);
    } else if (cut_.head) { // output of the norm, log-probabilities and logits; CLS and the input of the norm
        floats += d + 2 * classes_ + (blocks.output_gradient ? 2 * d + 2 : 0);
    }
    return static_cast<std::uint64_t>(n * floats) * 4;
}

std::uint64_t stage_spec::workspace_bytes(std::int64_t n) const {
    std::int64_t floats = cut_.head ? predictions() * (2 * model_->dim() + 2 * logits()) : 0;
    if (cut_.embedding) {
        const auto image = embedding_tunable() ? 0 : model_->sample_values(); // otherwise it is retained
        floats = std::max(floats, image + 2 * model_->tokens() * model_->dim());
    }
    floats = std::max(floats, blocks_cost().workspace);
    return static_cast<std::uint64_t>(n * floats) * 4;
}

std::uint64_t stage_spec::inference_bytes(std::int64_t n) const {
    std::int64_t floats = cut_.head ? predictions() * (2 * model_->dim() + 2 * logits()) : 0;
    if (cut_.embedding) {
        floats = std::max(floats, model_->sample_values() + 2 * model_->tokens() * model_->dim());
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        floats = std::max(floats, model_->inference_workspace(method_->change(*model_, block)));
    }
    return static_cast<std::uint64_t>(n * floats) * 4;
}

tensor_shape stage_spec::step_input_shape(const token_step& step) const {
    if (cut_.embedding) {
        return {};
    }
    const auto carried = step.past == 0 && cut_.first_block > 0 ? method_->carried_tokens() : 0;
    return {1, cut_.blocks > 0 ? step.tokens + carried : 1, model_->dim()};
}

tensor_shape stage_spec::step_output_shape(const token_step& step) const {
    if (cut_.head) {
        return {};
    }
    const auto carried = step.past == 0 && cut_.first_block + cut_.blocks > 0 ? method_->carried_tokens() : 0;
    return {1, all_tokens_out ? step.tokens + carried : 1, model_->dim()};
}

double stage_spec::step_flops(const token_step& step) const {
    double mac = 0.0;
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        mac += model_->step_mac(method_->change(*model_, block), step);
    }
    if (cut_.embedding) {
        mac += model_->embedding_mac() * static_cast<double>(step.tokens) / static_cast<double>(model_->tokens());
    }
    if (cut_.head) {
        mac += model_->norm_mac() + static_cast<double>(model_->dim() * logits());
    }
    return 2.0 * mac + coding_flops(step_input_shape(step), step_output_shape(step));
}

std::uint64_t stage_spec::step_bytes(const token_step& step) const {
    std::int64_t floats = cut_.head ? 2 * model_->dim() + 2 * logits() : 0;
    if (cut_.embedding) {
        floats = std::max(floats, 2 * step.tokens * (1 + model_->dim()));
    }
    for (auto block = cut_.first_block; block < cut_.first_block + cut_.blocks; ++block) {
        floats = std::max(floats, model_->step_workspace(method_->change(*model_, block), step));
    }
    return static_cast<std::uint64_t>(floats) * 4;
}

std::uint64_t stage_spec::cache_of(std::int64_t tokens, bool prompts) const {
    std::int64_t all = cut_.blocks * tokens;
    for (auto block = cut_.first_block; prompts && block < cut_.first_block + cut_.blocks; ++block) {
        all += method_->change(*model_, block).prompts;
    }
    return static_cast<std::uint64_t>(2 * all * model_->shape().kv_dim()) * 4;
}

std::uint64_t stage_spec::cached_bytes(const token_step& step) const { return cache_of(step.tokens, step.past == 0); }

std::uint64_t stage_spec::cached_so_far(const token_step& step) const {
    return cache_of(step.past + step.tokens, true);
}

std::vector<stage_spec> make_stages(std::shared_ptr<const foundation_model> model,
                                    std::shared_ptr<const tuning_method> method, std::int64_t classes,
                                    const std::vector<stage_cut>& cuts, std::shared_ptr<const smashed_codec> codec) {
    return make_stages(std::move(model), std::vector(cuts.size(), std::move(method)), classes, cuts, std::move(codec));
}

std::vector<stage_spec> make_stages(std::shared_ptr<const foundation_model> model,
                                    const std::vector<std::shared_ptr<const tuning_method>>& methods,
                                    std::int64_t classes, const std::vector<stage_cut>& cuts,
                                    std::shared_ptr<const smashed_codec> codec) {
    ensure(!cuts.empty() && cuts.front().embedding && cuts.back().head,
           "a chain begins with the embedding and ends with the head");
    std::vector<stage_spec> stages;
    bool trainable_before = false;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        stage_spec stage(model, methods.at(i), classes, cuts[i]);
        stage.input_gradient = trainable_before;
        stage.codec = codec;
        stage.all_tokens_out = std::any_of(cuts.begin() + static_cast<std::ptrdiff_t>(i) + 1, cuts.end(),
                                           [](const stage_cut& later) { return later.blocks > 0; });
        trainable_before = trainable_before || stage.trainable();
        stages.push_back(std::move(stage));
    }
    return stages;
}

stage_spec whole_model(std::shared_ptr<const foundation_model> model, std::shared_ptr<const tuning_method> method,
                       std::int64_t classes) {
    const auto depth = model->depth();
    return make_stages(std::move(model), std::move(method), classes, {{true, 0, depth, true}}).front();
}

tensor_view initial_values(const std::vector<tunable_spec>& tunables, std::uint64_t seed,
                           const weight_values& pretrained) {
    std::int64_t elements = 0;
    for (const auto& tunable : tunables) {
        elements += tunable.tensor.elements();
    }
    auto values = tensor_view::allocate({elements});
    auto* out = values.as<float>();
    for (const auto& tunable : tunables) {
        random_stream stream(seed, "tunable", tunable.tensor.name);
        const auto count = tunable.tensor.elements();
        const double scale = tunable.init.scale;
        switch (tunable.init.kind) {
        case tensor_init::family::zeros: std::fill_n(out, count, 0.0F); break;
        case tensor_init::family::uniform:
            std::generate_n(out, count, [&] { return static_cast<float>(stream.uniform(-scale, scale)); });
            break;
        case tensor_init::family::normal:
            std::generate_n(out, count, [&] { return static_cast<float>(stream.normal() * scale); });
            break;
        case tensor_init::family::pretrained: {
            auto weight = tunable.tensor;
            if (!tunable.init.weight.empty()) {
                weight.name = tunable.init.weight;
            }
            const auto known = pretrained(weight);
            std::copy(known.begin(), known.end(), out);
            break;
        }
        }
        out += count;
    }
    return values;
}

} // namespace gaisnet
