#include "model/torch/torch_stage.hpp"

#include "base/error.hpp"
#include "data/batch_loader.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

namespace gaisnet {

torch_stage::torch_stage(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone,
                         optimizer_settings optimiser, std::shared_ptr<sample_source> source)
    : spec_(&spec)
    , part_(spec, std::move(backbone))
    , optimizer_(optimiser)
    , source_(std::move(source)) {
    start_totals();
}

void torch_stage::load(const tensor_view& modules) { part_.load(modules); }

tensor_view torch_stage::unload() { return part_.unload(); }

tensor_view torch_stage::labels(const micro_batch& micro) { return source_->labels(micro); }

tensor_view torch_stage::padding(const micro_batch& micro) { return source_->padding(micro); }

tensor_view torch_stage::run(const stage_request& request) {
    tensor_view output;
    with_clear_errors([&] {
        switch (request.operation) {
        case stage_operation::forward: output = forward(request); break;
        case stage_operation::backward: output = backward(request); break;
        case stage_operation::infer: output = infer(request); break;
        case stage_operation::generate: output = generate(request); break;
        case stage_operation::step: optimizer_.step(part_.parameters(), request.learning_rate); break;
        }
    });
    return output;
}

/// Smashed data as it travels. Gradients do not pass through a codec.
tensor_view torch_stage::sent(const at::Tensor& values) const {
    const c10::NoGradGuard no_gradients;
    return to_view(spec_->codec ? spec_->codec->encode(values.detach()) : values);
}

at::Tensor torch_stage::received(const tensor_view& message, const std::vector<std::int64_t>& shape) const {
    const c10::NoGradGuard no_gradients;
    auto values = on_device(message, device());
    return spec_->codec ? spec_->codec->decode(values, shape) : values;
}

/// The micro-batch's mean cross entropy, weighted n_i / n, so that the gradients of all micro-batches add up to the
/// gradient of the batch's mean.
at::Tensor torch_stage::loss_of(const at::Tensor& pooled, const stage_request& request) {
    const auto labels = on_device(request.labels, device()).reshape({-1});
    const auto logits = part_.predict(pooled).reshape({-1, spec_->logits()});
    const auto loss = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum); // not of ignored tokens
    // Summed on the device, so that the host need not wait for a GPU.
    loss_sum_ = loss_sum_ + loss.detach().to(at::kDouble);
    correct_ = correct_ + logits.argmax(1).eq(labels).sum();
    predictions_ = predictions_ + labels.ne(ignored_token).sum();
    return loss / static_cast<double>(request.micro.of * spec_->predictions());
}

at::Tensor torch_stage::padding_of(const stage_request& request) const {
    return request.padding.empty() ? at::Tensor() : on_device(request.padding, device());
}

/// The output of its blocks: all tokens, or what is left for the head if no later stage has blocks.
at::Tensor torch_stage::run_frozen_or_not(const stage_request& request, saved_batch& saved) {
    if (cache_) {
        if (auto known = cache_->find(request.micro); known.defined()) {
            return known;
        }
    }
    const auto& cut = spec_->cut();
    at::Tensor tokens;
    if (cut.embedding) {
        tokens = part_.embed(on_device(source_->inputs(request.micro), device()));
    } else {
        tokens = received(request.input, spec_->input_shape(request.micro.count));
        if (spec_->input_gradient) {
            tokens.requires_grad_(true);
            saved.input = tokens;
        }
    }
    tokens = run_blocks(std::move(tokens), request);
    if (cache_) {
        cache_->keep(request.micro, tokens);
    }
    return tokens;
}

at::Tensor torch_stage::run_blocks(at::Tensor tokens, const stage_request& request) const {
    const auto padding = padding_of(request);
    tokens = part_.run_blocks(std::move(tokens), padding);
    const bool is_pooled = spec_->cut().blocks == 0 && !spec_->cut().embedding;
    return !is_pooled && (spec_->cut().head || !spec_->all_tokens_out) ? part_.pool(tokens, padding) : tokens;
}

tensor_view torch_stage::forward(const stage_request& request) {
    const c10::AutoGradMode grad_mode(spec_->runs_backward());
    saved_batch saved;
    saved.output = run_frozen_or_not(request, saved);
    const bool head = spec_->cut().head;
    if (head) {
        saved.output = loss_of(saved.output, request);
    }
    auto output = head ? tensor_view{} : sent(saved.output);
    if (spec_->runs_backward()) {
        saved_[request.micro.first] = std::move(saved);
    }
    return output;
}

tensor_view torch_stage::infer(const stage_request& request) {
    const c10::NoGradGuard no_gradients;
    const auto& cut = spec_->cut();
    auto tokens = cut.embedding ? part_.embed(on_device(source_->inputs(request.micro), device()))
                                : received(request.input, spec_->input_shape(request.micro.count));
    tokens = run_blocks(std::move(tokens), request);
    return cut.head ? to_view(part_.predict(tokens).cpu()) : sent(tokens);
}

tensor_view torch_stage::generate(const stage_request& request) {
    const c10::NoGradGuard no_gradients;
    const auto& cut = spec_->cut();
    const auto& step = request.text;
    auto& caches = texts_[request.micro.first];
    caches.resize(static_cast<std::size_t>(cut.blocks));
    at::Tensor tokens;
    if (cut.embedding) {
        const auto numbers = step.past == 0 ? source_->prompt(request.micro) : request.input;
        // Prompts of the method are among those before.
        const auto past = step.past == 0 ? 0 : step.past + spec_->method().change(spec_->model(), 0).prompts;
        tokens = part_.embed(on_device(numbers, device()).reshape({1, step.tokens}), past);
    } else {
        tokens = received(request.input, spec_->step_input_shape(step));
    }
    if (cut.blocks > 0) {
        tokens = part_.run_blocks(std::move(tokens), {}, caches);
    }
    if (step.last) {
        texts_.erase(request.micro.first);
    }
    if (cut.head || !spec_->all_tokens_out) {
        tokens = tokens.narrow(1, tokens.size(1) - 1, 1).contiguous();
    }
    if (!cut.head) {
        return sent(tokens);
    }
    const auto logits = part_.predict(tokens).to(at::kFloat).cpu().contiguous();
    auto told = tensor_view::allocate({1}, element_type::int64);
    *told.as<std::int64_t>() = chooser_({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())},
                                        request.micro.first, request.micro.token);
    return told;
}

tensor_view torch_stage::backward(const stage_request& request) {
    auto node = saved_.extract(request.micro.first);
    ensure(!node.empty(), "a backward follows its forward");
    auto& saved = node.mapped();
    const auto gradient =
        spec_->cut().head ? at::Tensor() : received(request.input, spec_->output_shape(request.micro.count));
    run_backward(saved.output, gradient);
    return spec_->input_gradient ? sent(saved.input.grad()) : tensor_view{};
}

training_totals torch_stage::take_totals() {
    training_totals totals;
    if (spec_->cut().head) {
        totals = {loss_sum_.item<double>(), correct_.item<std::int64_t>(), predictions_.item<std::int64_t>()};
    }
    start_totals();
    return totals;
}

void torch_stage::start_totals() {
    loss_sum_ = at::zeros({}, at::TensorOptions().dtype(at::kDouble).device(device()));
    correct_ = at::zeros({}, at::TensorOptions().dtype(at::kLong).device(device()));
    predictions_ = at::zeros_like(correct_);
}

executor_state torch_stage::save_state() {
    executor_state state;
    const auto collect = [&](const std::string& what, const std::vector<at::Tensor>& tensors) {
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            state.tensors[what + spec_->tunables()[i].tensor.name] = to_view(tensors[i].cpu());
        }
    };
    collect("moment1.", optimizer_.first_moments());
    collect("moment2.", optimizer_.second_moments());
    state.steps = optimizer_.steps();
    return state;
}

void torch_stage::restore_state(const executor_state& state) {
    const auto collect = [&](const std::string& what) {
        std::vector<at::Tensor> list;
        for (const auto& tunable : spec_->tunables()) {
            const auto found = state.tensors.find(what + tunable.tensor.name);
            if (found == state.tensors.end()) {
                return std::vector<at::Tensor>{};
            }
            if (found->second.shape != tunable.tensor.shape) {
                throw usage_error("checkpoint: " + found->first + " has another shape than the scenario's model");
            }
            list.push_back(to_torch(found->second).to(device(), at::kFloat, false, /*copy=*/true));
        }
        return list;
    };
    optimizer_.restore(collect("moment1."), collect("moment2."), state.steps);
}

} // namespace gaisnet
