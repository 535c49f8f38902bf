#include "experiment/measurement.hpp"

#include "model/torch/torch_stage.hpp"
#include "model/torch/torch_support.hpp"
#include "results/report.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <limits>
#include <map>
#include <set>
#include <string>

namespace gaisnet {

namespace {

/// Random samples and labels for any batch.
class noise final : public sample_source {
public:
    explicit noise(const stage_spec& spec)
        : sample_(spec.model().sample_shape())
        , vocabulary_(spec.model().vocabulary())
        , predictions_(spec.predictions())
        , logits_(spec.logits()) {}
    tensor_view inputs(const micro_batch& micro) override {
        auto shape = sample_;
        shape.insert(shape.begin(), micro.count);
        return vocabulary_ > 0 ? random_text(std::move(shape)) : random_tensor(std::move(shape));
    }
    tensor_view labels(const micro_batch& micro) override {
        auto out = tensor_view::allocate({micro.count, predictions_}, element_type::int64);
        for (std::int64_t i = 0; i < out.elements(); ++i) {
            out.as<std::int64_t>()[i] = i % logits_;
        }
        return out;
    }
    tensor_view padding(const micro_batch& micro) override {
        auto out = tensor_view::allocate({micro.count}, element_type::int64);
        std::fill_n(out.as<std::int64_t>(), micro.count, 0);
        return out;
    }
    static tensor_view random_tensor(std::vector<std::int64_t> shape) {
        auto out = tensor_view::allocate(std::move(shape));
        random_stream stream(1, "calibration", "noise");
        for (std::int64_t i = 0; i < out.elements(); ++i) {
            out.as<float>()[i] = static_cast<float>(stream.uniform(-1.0, 1.0));
        }
        return out;
    }

private:
    tensor_view random_text(std::vector<std::int64_t> shape) const {
        auto out = tensor_view::allocate(std::move(shape), element_type::int64);
        random_stream stream(1, "calibration", "noise");
        for (std::int64_t i = 0; i < out.elements(); ++i) {
            out.as<std::int64_t>()[i] =
                static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(vocabulary_)));
        }
        return out;
    }

    std::vector<std::int64_t> sample_;
    std::int64_t vocabulary_, predictions_, logits_;
};

/// Smashed data as it would arrive.
tensor_view smashed_noise(const stage_spec& spec, std::vector<std::int64_t> shape) {
    auto values = noise::random_tensor(std::move(shape));
    return spec.codec ? to_view(spec.codec->encode(to_torch(values))) : values;
}

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

torch_stage noisy_stage(const deployment& deploy, const stage_spec& spec,
                        std::shared_ptr<const model_backbone> backbone, std::shared_ptr<noise> source) {
    const auto& train = deploy.scene->train;
    torch_stage stage(spec, std::move(backbone), {train.optimizer, train.momentum, train.weight_decay},
                      std::move(source));
    if (spec.trainable()) {
        stage.load(noise::random_tensor({spec.tunable_elements()}));
    }
    return stage;
}

/// \param warm_up number of steps that are not timed. \param repetitions number of steps that are. \param batch a batch
/// of the plan; its first micro-batch is computed.
stage_speed measure(const deployment& deploy, const stage_seat& seat, std::shared_ptr<const model_backbone> backbone,
                    std::int64_t batch, int warm_up, int repetitions) {
    const auto& scene = *deploy.scene;
    const auto clock = scene.runtime.threads == 1 ? thread_seconds : wall_seconds;
    const auto& spec = seat.spec;
    const auto micro =
        split_batch(deploy.plans[static_cast<std::size_t>(seat.cluster)].batch_at(batch), scene.train.micro_batches)
            .front();
    const auto source = std::make_shared<noise>(spec);
    auto stage = noisy_stage(deploy, spec, std::move(backbone), source);
    double forward = std::numeric_limits<double>::infinity(), backward = forward, step = forward;
    for (int i = 0; i < warm_up + repetitions; ++i) {
        const auto timed = [&](double& best, stage_request request) {
            const double start = clock();
            auto out = stage.run(request);
            if (i >= warm_up) {
                best = std::min(best, clock() - start);
            }
            return out;
        };
        stage_request request{.operation = stage_operation::forward, .micro = micro};
        if (spec.pads()) {
            request.padding = source->padding(micro);
        }
        if (!spec.cut().embedding) {
            request.input = smashed_noise(spec, spec.input_shape(micro.count));
        }
        if (spec.cut().head) {
            request.labels = source->labels(micro);
        }
        timed(forward, std::move(request));
        if (spec.runs_backward()) {
            stage_request back{.operation = stage_operation::backward, .micro = micro};
            if (!spec.cut().head) {
                back.input = smashed_noise(spec, spec.output_shape(micro.count));
            }
            timed(backward, std::move(back));
        }
        if (spec.trainable()) {
            timed(step, {.operation = stage_operation::step, .micro = micro, .learning_rate = 1e-6});
        }
    }
    const auto rate = [](double flops, double seconds) { return flops > 0.0 ? flops / seconds : 0.0; };
    return {shape_of(spec), rate(spec.forward_flops(micro.count), forward),
            spec.runs_backward() ? rate(spec.backward_flops(micro.count), backward) : 0.0,
            spec.trainable() ? rate(spec.step_flops(scene.train.optimizer), step) : 0.0};
}

/// One seat for each shape of stage.
std::map<std::string, const stage_seat*> shapes_of(const deployment& deploy) {
    std::map<std::string, const stage_seat*> shapes;
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            shapes.try_emplace(shape_of(seat.spec), &seat);
        }
    }
    return shapes;
}

} // namespace

std::vector<stage_speed> measure_stages(const deployment& deploy, std::shared_ptr<const model_backbone> backbone) {
    std::vector<stage_speed> speeds;
    for (const auto& [shape, seat] : shapes_of(deploy)) {
        speeds.push_back(measure(deploy, *seat, backbone, 0, 2, 8));
        const auto& one = speeds.back();
        spdlog::info("measured: {}: forward {}, backward {}, step {}", shape, quantity(one.forward_flop_s, "FLOP/s"),
                     quantity(one.backward_flop_s, "FLOP/s"), quantity(one.step_flop_s, "FLOP/s"));
    }
    return speeds;
}

std::vector<stage_speed> measure_as_wanted(const prepared_run& run, session& here, const loaded_backbone& backbone,
                                           const real_clock* clock, const std::optional<checkpoint>& from) {
    const bool wanted = run.scene->computing == compute_model::measured;
    if (wanted && here.devices().cuda) {
        throw usage_error("compute = measured is not built yet for GPUs; device = cpu or compute = model is accepted");
    }
    std::vector<stage_speed> speeds;
    if ((!wanted && !clock) || here.devices().cuda) {
        return speeds;
    }
    here.note("measuring stages");
    if (here.root()) { // the other ranks wait, so that they do not disturb the measurement
        speeds =
            from && !from->speeds.empty() ? read_speeds(from->speeds) : measure_stages(*run.deploy, backbone.backbone);
        if (wanted) {
            use_speeds(*run.deploy, speeds);
        }
    }
    here.network().barrier();
    return speeds;
}

void warm_up(const deployment& deploy, std::shared_ptr<const model_backbone> backbone) {
    with_clear_errors([&] {
        for (const auto& [shape, seat] : shapes_of(deploy)) {
            const auto last = deploy.plans[static_cast<std::size_t>(seat->cluster)].batches_a_round - 1;
            for (const auto batch : {std::int64_t{0}, last}) { // the last batch may be smaller and need other kernels
                measure(deploy, *seat, backbone, batch, 1, 0);
            }
        }
    });
}

void warm_up(const deployment& deploy, std::shared_ptr<const model_backbone> backbone,
             const std::set<std::int64_t>& batches) {
    with_clear_errors([&] {
        for (const auto& [shape, seat] : shapes_of(deploy)) {
            const auto& spec = seat->spec;
            auto stage = noisy_stage(deploy, spec, backbone, std::make_shared<noise>(spec));
            for (const auto batch : batches) {
                stage_request request{.operation = stage_operation::infer, .micro = {0, 0, 0, batch, batch}};
                if (!spec.cut().embedding) {
                    request.input = smashed_noise(spec, spec.input_shape(batch));
                }
                stage.run(request);
            }
        }
    });
}

double measure_chain(const deployment& deploy, std::shared_ptr<const model_backbone> backbone) {
    std::map<std::string, stage_speed> speed_of;
    for (auto& speed : measure_stages(deploy, std::move(backbone))) {
        speed_of[speed.shape] = speed;
    }
    double flops = 0.0, seconds = 0.0;
    for (const auto& seat : deploy.chains.front()) {
        const auto& speed = speed_of.at(shape_of(seat.spec));
        flops += seat.spec.forward_flops(1);
        seconds += seat.spec.forward_flops(1) / std::max(speed.forward_flop_s, 1.0);
        if (seat.spec.runs_backward()) {
            flops += seat.spec.backward_flops(1);
            seconds += seat.spec.backward_flops(1) / std::max(speed.backward_flop_s, 1.0);
        }
    }
    return flops / seconds;
}

measured_link measure_link(transport& network) {
    constexpr std::int64_t large = 1 << 20; // float32
    constexpr int trips = 20;
    const channel there{0, 1, message_kind::forward}, back{1, 0, message_kind::forward};
    const auto receive = [&] {
        for (;;) {
            if (auto arrived = network.poll()) {
                return std::move(arrived->tensor);
            }
        }
    };
    const auto round_trip = [&](std::int64_t elements) {
        double best = std::numeric_limits<double>::infinity();
        for (int i = 0; i < trips; ++i) {
            if (network.rank() == 0) {
                const double start = wall_seconds();
                network.send(1, {there, tensor_view::allocate({elements})});
                receive();
                best = std::min(best, wall_seconds() - start);
            } else if (network.rank() == 1) {
                network.send(0, {back, receive()});
            }
            while (!network.idle()) {}
        }
        network.barrier();
        return best;
    };
    const double small = round_trip(1), big = round_trip(large);
    constexpr double bits = 32.0;
    return {small / 2.0, static_cast<double>(large) * bits / std::max((big - small) / 2.0, 1e-12)};
}

} // namespace gaisnet
