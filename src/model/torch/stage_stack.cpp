#include "model/torch/stage_stack.hpp"

#include "base/error.hpp"
#include "data/batch_loader.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

namespace gaisnet {

namespace {

/// Tensors of requests, one behind the other, on a device. \param of which tensor of a request
template <typename Of>
at::Tensor all_of(std::span<const member_request> requests, at::Device device, const Of& of) {
    std::vector<tensor_view> parts;
    for (const auto& one : requests) {
        parts.push_back(of(*one.work));
    }
    return on_device(parts, device);
}

bool lie_together(const std::vector<std::size_t>& list) {
    return list.back() - list.front() + 1 == list.size(); // they ascend
}

} // namespace

stage_stack::stage_stack(const stage_spec& spec, std::shared_ptr<const model_backbone> backbone,
                         optimizer_settings optimiser, std::size_t size)
    : spec_(&spec)
    , part_(spec, std::move(backbone))
    , optimiser_(optimiser)
    , size_(size) {
    const auto members = static_cast<std::int64_t>(size);
    for (const auto& tunable : spec.tunables()) {
        auto shape = tunable.tensor.shape;
        shape.insert(shape.begin(), members);
        tunables_.push_back(at::zeros(shape, device()));
    }
    loss_sums_ = at::zeros({members}, at::TensorOptions().dtype(at::kDouble).device(device()));
    correct_ = at::zeros({members}, at::TensorOptions().dtype(at::kLong).device(device()));
    predictions_ = at::zeros_like(correct_);
}

std::size_t stage_stack::add(std::shared_ptr<sample_source> source) {
    ensure(members_.size() < size_, "a stack gets as many members as it was made for");
    members_.push_back({std::move(source), {}, {}, {}, 0});
    return members_.size() - 1;
}

void stage_stack::load(std::size_t member, const tensor_view& modules) {
    auto own = parameters(member);
    load_parameters(own, modules);
}

tensor_view stage_stack::unload(std::size_t member) const {
    std::vector<at::Tensor> parts;
    for (const auto& parameter : parameters(member)) {
        parts.push_back(parameter.reshape({-1}));
    }
    return to_view(at::cat(parts).cpu());
}

std::vector<at::Tensor> stage_stack::parameters(std::size_t member) const {
    std::vector<at::Tensor> own;
    for (const auto& stacked : tunables_) {
        own.push_back(stacked[static_cast<std::int64_t>(member)]);
    }
    return own;
}

std::vector<at::Tensor> stage_stack::gradients(std::size_t member) const {
    std::vector<at::Tensor> own;
    for (const auto& [list, batch] : batches_) {
        const auto place = std::find(list.begin(), list.end(), member);
        for (std::size_t i = 0; place != list.end() && i < batch.tunables.size(); ++i) {
            const auto gradient = batch.tunables[i].grad();
            own.push_back(gradient.defined() ? gradient[place - list.begin()] : gradient);
        }
    }
    own.resize(tunables_.size());
    return own;
}

training_totals stage_stack::take_totals(std::size_t member) {
    training_totals totals;
    if (spec_->cut().head) {
        const auto place = static_cast<std::int64_t>(member);
        totals = {loss_sums_[place].item<double>(), correct_[place].item<std::int64_t>(),
                  predictions_[place].item<std::int64_t>()};
        for (auto* sums : {&loss_sums_, &correct_, &predictions_}) {
            (*sums)[place].zero_();
        }
    }
    return totals;
}

executor_state stage_stack::save_state(std::size_t member) const {
    executor_state state;
    const auto collect = [&](const std::string& what, const std::vector<at::Tensor>& stacked) {
        for (std::size_t i = 0; i < stacked.size(); ++i) {
            state.tensors[what + spec_->tunables()[i].tensor.name] =
                to_view(stacked[i][static_cast<std::int64_t>(member)].cpu().clone());
        }
    };
    collect("moment1.", first_);
    collect("moment2.", second_);
    state.steps = members_[member].steps;
    return state;
}

void stage_stack::restore_state(std::size_t member, const executor_state& state) {
    if (first_.empty()) {
        begin_moments(optimiser_, tunables_, first_, second_);
    }
    const auto put = [&](const std::string& what, const std::vector<at::Tensor>& stacked) {
        for (std::size_t i = 0; i < stacked.size(); ++i) {
            const auto& tensor = spec_->tunables()[i].tensor;
            const auto found = state.tensors.find(what + tensor.name);
            if (found == state.tensors.end()) {
                continue;
            }
            if (found->second.shape != tensor.shape) {
                throw usage_error("checkpoint: " + found->first + " has another shape than the scenario's model");
            }
            stacked[i][static_cast<std::int64_t>(member)].copy_(to_torch(found->second));
        }
    };
    put("moment1.", first_);
    put("moment2.", second_);
    members_[member].steps = state.steps;
}

void stage_stack::run(std::span<member_request> requests) {
    member_list list;
    for (const auto& one : requests) {
        list.push_back(one.member);
    }
    switch (requests.front().work->operation) {
    case stage_operation::forward: forward(requests, list); break;
    case stage_operation::backward: backward(requests, list); break;
    case stage_operation::step: step(requests, list); break;
    case stage_operation::infer: infer(requests, list); break;
    case stage_operation::generate:
        for (auto& one : requests) {
            one.output = generate(one.member, *one.work);
        }
        break;
    }
}

at::Tensor stage_stack::rows(const at::Tensor& stacked, const member_list& list) const {
    if (lie_together(list)) {
        return stacked.narrow(0, static_cast<std::int64_t>(list.front()), static_cast<std::int64_t>(list.size()));
    }
    std::vector<at::Tensor> some;
    for (const auto member : list) {
        some.push_back(stacked.narrow(0, static_cast<std::int64_t>(member), 1));
    }
    return at::cat(some);
}

std::vector<at::Tensor> stage_stack::tunables_of(const member_list& list) const {
    std::vector<at::Tensor> some;
    for (const auto& stacked : tunables_) {
        some.push_back(rows(stacked, list));
    }
    return some;
}

stage_stack::batch_state& stage_stack::batch_of(const member_list& list) {
    auto& batch = batches_[list];
    if (batch.tunables.empty()) {
        batch.tunables = tunables_of(list);
        for (auto& leaf : batch.tunables) {
            // With a version of its own: the steps of other members change only their rows of the stacked tensor.
            leaf = leaf.variable_data().requires_grad_(true);
        }
    }
    return batch;
}

/// Smashed data as it travels. Gradients do not pass through a codec.
void stage_stack::send(std::span<member_request> requests, const at::Tensor& values) const {
    const c10::NoGradGuard no_gradients;
    const auto all = values.detach().contiguous();
    const auto share = all.size(0) / static_cast<std::int64_t>(requests.size());
    std::int64_t first = 0;
    for (auto& one : requests) {
        const auto part = all.narrow(0, first, share);
        one.output = to_view(spec_->codec ? spec_->codec->encode(part) : part);
        first += share;
    }
}

at::Tensor stage_stack::received(std::span<const member_request> requests,
                                 const std::vector<std::int64_t>& shape) const {
    const c10::NoGradGuard no_gradients;
    if (!spec_->codec) {
        return all_of(requests, device(), [](const stage_request& work) { return work.input; });
    }
    std::vector<at::Tensor> parts;
    for (const auto& one : requests) {
        parts.push_back(spec_->codec->decode(on_device(one.work->input, device()), shape));
    }
    return parts.size() == 1 ? parts.front() : at::cat(parts);
}

/// Each member's mean cross entropy, weighted n_i / n, so that the gradients of all micro-batches add up to the gradient
/// of the batch's mean.
at::Tensor stage_stack::loss_of(std::span<const member_request> requests, const member_list& list,
                                weights_view tunables, const at::Tensor& pooled) {
    const auto members = static_cast<std::int64_t>(list.size());
    const auto labels = all_of(requests, device(), [](const stage_request& work) { return work.labels; }).reshape({-1});
    const auto logits = part_.predict(tunables, pooled).reshape({-1, spec_->logits()});
    const auto losses = at::cross_entropy_loss(logits, labels, {}, at::Reduction::None); // 0 of ignored tokens
    const auto sums = losses.view({members, -1}).sum(1);
    // Summed on the device, so that the host need not wait for a GPU.
    const auto add = [&](at::Tensor& stacked, const at::Tensor& of_members) {
        if (lie_together(list)) {
            rows(stacked, list).add_(of_members);
            return;
        }
        for (std::size_t i = 0; i < list.size(); ++i) {
            stacked[static_cast<std::int64_t>(list[i])].add_(of_members[static_cast<std::int64_t>(i)]);
        }
    };
    add(loss_sums_, sums.detach().to(at::kDouble));
    add(correct_, logits.detach().argmax(1).eq(labels).view({members, -1}).sum(1));
    add(predictions_, labels.ne(ignored_token).view({members, -1}).sum(1));
    return sums.sum() / static_cast<double>(requests.front().work->micro.of * spec_->predictions());
}

at::Tensor stage_stack::embedded(std::span<const member_request> requests, weights_view tunables) const {
    std::vector<tensor_view> parts;
    for (const auto& one : requests) {
        parts.push_back(members_[one.member].source->inputs(one.work->micro));
    }
    return part_.embed(tunables, on_device(parts, device()));
}

/// Outputs of frozen parts that are known of all requests; else undefined.
at::Tensor stage_stack::kept_outputs(std::span<const member_request> requests) {
    std::vector<at::Tensor> parts;
    for (const auto& one : requests) {
        auto& cache = members_[one.member].cache;
        parts.push_back(cache ? cache->find(one.work->micro) : at::Tensor());
        if (!parts.back().defined()) {
            return {};
        }
    }
    return parts.size() == 1 ? parts.front() : at::cat(parts);
}

/// The output of its blocks: all tokens, or what is left for the head if no later stage has blocks.
at::Tensor stage_stack::run_frozen_or_not(std::span<const member_request> requests, weights_view tunables,
                                          saved_batch& saved) {
    if (auto known = kept_outputs(requests); known.defined()) {
        return known;
    }
    at::Tensor tokens;
    if (spec_->cut().embedding) {
        tokens = embedded(requests, tunables);
    } else {
        tokens = received(requests, spec_->input_shape(requests.front().work->micro.count));
        if (spec_->input_gradient) {
            tokens.requires_grad_(true);
            saved.input = tokens;
        }
    }
    tokens = run_blocks(requests, tunables, std::move(tokens));
    const auto share = tokens.size(0) / static_cast<std::int64_t>(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (auto& cache = members_[requests[i].member].cache) {
            cache->keep(requests[i].work->micro, tokens.narrow(0, static_cast<std::int64_t>(i) * share, share));
        }
    }
    return tokens;
}

at::Tensor stage_stack::run_blocks(std::span<const member_request> requests, weights_view tunables,
                                   at::Tensor tokens) const {
    at::Tensor padding;
    if (!requests.front().work->padding.empty()) {
        padding = all_of(requests, device(), [](const stage_request& work) { return work.padding; });
    }
    tokens = part_.run_blocks(tunables, std::move(tokens), padding);
    const bool is_pooled = spec_->cut().blocks == 0 && !spec_->cut().embedding;
    return !is_pooled && (spec_->cut().head || !spec_->all_tokens_out) ? part_.pool(tokens, padding) : tokens;
}

void stage_stack::forward(std::span<member_request> requests, const member_list& list) {
    const c10::AutoGradMode grad_mode(spec_->runs_backward());
    auto& batch = batch_of(list);
    saved_batch saved;
    saved.output = run_frozen_or_not(requests, batch.tunables, saved);
    if (spec_->cut().head) {
        saved.output = loss_of(requests, list, batch.tunables, saved.output);
    } else {
        send(requests, saved.output);
    }
    if (spec_->runs_backward()) {
        batch.micros[requests.front().work->micro.first] = std::move(saved);
    }
}

void stage_stack::infer(std::span<member_request> requests, const member_list& list) {
    const c10::NoGradGuard no_gradients;
    const auto tunables = tunables_of(list);
    auto tokens = spec_->cut().embedding ? embedded(requests, tunables)
                                         : received(requests, spec_->input_shape(requests.front().work->micro.count));
    tokens = run_blocks(requests, tunables, std::move(tokens));
    if (!spec_->cut().head) {
        send(requests, tokens);
        return;
    }
    const auto logits = part_.predict(tunables, tokens).cpu();
    const auto share = logits.size(0) / static_cast<std::int64_t>(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].output = to_view(logits.narrow(0, static_cast<std::int64_t>(i) * share, share));
    }
}

tensor_view stage_stack::generate(std::size_t member, const stage_request& request) {
    const c10::NoGradGuard no_gradients;
    auto& own = members_[member];
    const member_request alone{member, &request, {}};
    const auto tunables = tunables_of({member});
    const auto& cut = spec_->cut();
    const auto& step = request.text;
    auto& caches = own.texts[request.micro.first];
    caches.resize(static_cast<std::size_t>(cut.blocks));
    at::Tensor tokens;
    if (cut.embedding) {
        const auto numbers = step.past == 0 ? own.source->prompt(request.micro) : request.input;
        // Prompts of the method are among those before.
        const auto past = step.past == 0 ? 0 : step.past + spec_->method().change(spec_->model(), 0).prompts;
        tokens = part_.embed(tunables, on_device(numbers, device()).reshape({1, step.tokens}), past);
    } else {
        tokens = received({&alone, 1}, spec_->step_input_shape(step));
    }
    if (cut.blocks > 0) {
        tokens = part_.run_blocks(tunables, tokens, {}, caches);
    }
    if (step.last) {
        own.texts.erase(request.micro.first);
    }
    if (cut.head || !spec_->all_tokens_out) {
        tokens = tokens.narrow(1, tokens.size(1) - 1, 1).contiguous();
    }
    if (!cut.head) {
        member_request sent = alone;
        send({&sent, 1}, tokens);
        return std::move(sent.output);
    }
    const auto logits = part_.predict(tunables, tokens).to(at::kFloat).cpu().contiguous();
    auto told = tensor_view::allocate({1}, element_type::int64);
    *told.as<std::int64_t>() = own.chooser({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())},
                                           request.micro.first, request.micro.token);
    return told;
}

void stage_stack::backward(std::span<member_request> requests, const member_list& list) {
    auto node = batch_of(list).micros.extract(requests.front().work->micro.first);
    ensure(!node.empty(), "a backward follows its forward");
    auto& saved = node.mapped();
    const auto gradient =
        spec_->cut().head ? at::Tensor() : received(requests, spec_->output_shape(requests.front().work->micro.count));
    run_backward(saved.output, gradient);
    if (spec_->input_gradient) {
        send(requests, saved.input.grad());
    }
}

/// Members that lie together, with the same learning rate and as many steps behind them, take their step together.
void stage_stack::step(std::span<const member_request> requests, const member_list& list) {
    const auto batch = batches_.extract(list);
    ensure(!batch.empty(), "a step follows the forwards of its batch");
    const auto& leaves = batch.mapped().tunables;
    if (first_.empty()) {
        begin_moments(optimiser_, tunables_, first_, second_);
    }
    for (std::size_t first = 0, end = 0; first < list.size(); first = end) {
        const auto alike = [&](std::size_t i) {
            return list[i] - list[first] == i - first &&
                   requests[i].work->learning_rate == requests[first].work->learning_rate &&
                   members_[list[i]].steps == members_[list[first]].steps;
        };
        for (end = first + 1; end < list.size() && alike(end);) {
            ++end;
        }
        const auto count = static_cast<std::int64_t>(end - first);
        const auto part = [&](const at::Tensor& stacked, std::size_t from) {
            return stacked.defined() ? stacked.narrow(0, static_cast<std::int64_t>(from), count) : stacked;
        };
        optimizer_tensors some;
        for (std::size_t i = 0; i < tunables_.size(); ++i) {
            some.parameters.push_back(part(tunables_[i], list[first]));
            some.gradients.push_back(part(leaves[i].grad(), first));
            some.first.push_back(part(first_[i], list[first]));
            if (!second_.empty()) {
                some.second.push_back(part(second_[i], list[first]));
            }
        }
        update(optimiser_, some, requests[first].work->learning_rate, members_[list[first]].steps + 1);
        for (auto i = first; i < end; ++i) {
            ++members_[list[i]].steps;
        }
    }
}

} // namespace gaisnet
