#include "calibrate.hpp"

#include "backbone.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "model/torch_stage.hpp"
#include "setup.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <map>

namespace gaisnet {

namespace {

/// Random images and labels of any batch.
class noise final : public sample_source {
public:
    noise(const vit_config& vit, std::int64_t classes): vit_(vit), classes_(classes) {}
    tensor_view images(const micro_batch& micro) override {
        return random_tensor({micro.count, 3, vit_.image, vit_.image});
    }
    tensor_view labels(const micro_batch& micro) override {
        auto out = tensor_view::allocate({micro.count}, element_type::int64);
        for (std::int64_t i = 0; i < micro.count; ++i) {
            out.as<std::int64_t>()[i] = i % classes_;
        }
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
    vit_config vit_;
    std::int64_t classes_;
};

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

stage_speed measure(const deployment& deploy, const stage_seat& seat, std::shared_ptr<const vit_backbone> backbone) {
    const auto& scene = *deploy.scene;
    const auto clock = scene.runtime.threads == 1 ? thread_seconds : wall_seconds;
    const auto& spec = seat.spec;
    const auto micro =
        split_batch(deploy.plans[static_cast<std::size_t>(seat.cluster)].batch_at(0), scene.train.micro_batches)
            .front();
    auto source = std::make_shared<noise>(spec.vit(), spec.classes());
    torch_stage stage(spec, std::move(backbone),
                      {scene.train.optimizer, scene.train.momentum, scene.train.weight_decay}, source);
    if (spec.trainable()) {
        stage.load(noise::random_tensor({spec.tunable_elements()}));
    }
    double forward = std::numeric_limits<double>::infinity(), backward = forward, step = forward;
    constexpr int warm_up = 2, repetitions = 8;
    for (int i = 0; i < warm_up + repetitions; ++i) {
        const auto timed = [&](double& best, stage_request request) {
            const double start = clock();
            auto out = stage.run(request);
            if (i >= warm_up) {
                best = std::min(best, clock() - start);
            }
            return out;
        };
        stage_request request{stage_operation::forward, micro, {}, {}, 0.0};
        if (!spec.cut().embedding) {
            request.input = noise::random_tensor(spec.input_shape(micro.count));
        }
        if (spec.cut().head) {
            request.labels = source->labels(micro);
        }
        timed(forward, std::move(request));
        if (spec.runs_backward()) {
            stage_request back{stage_operation::backward, micro, {}, {}, 0.0};
            if (!spec.cut().head) {
                back.input = noise::random_tensor(spec.output_shape(micro.count));
            }
            timed(backward, std::move(back));
        }
        if (spec.trainable()) {
            timed(step, {stage_operation::step, micro, {}, {}, 1e-6});
        }
    }
    const auto rate = [](double flops, double seconds) { return flops > 0.0 ? flops / seconds : 0.0; };
    return {shape_of(spec), rate(spec.forward_flops(micro.count), forward),
            spec.runs_backward() ? rate(spec.backward_flops(micro.count), backward) : 0.0,
            spec.trainable() ? rate(spec.step_flops(scene.train.optimizer), step) : 0.0};
}

/// Latency (s) and rate (bit/s) between ranks 0 and 1, at rank 0, by messages that go to and fro.
std::pair<double, double> measure_link(transport& network) {
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

} // namespace

std::vector<stage_speed> measure_stages(const deployment& deploy, std::shared_ptr<const vit_backbone> backbone) {
    std::map<std::string, const stage_seat*> shapes;
    for (const auto& chain : deploy.chains) {
        for (const auto& seat : chain) {
            shapes.try_emplace(shape_of(seat.spec), &seat);
        }
    }
    std::vector<stage_speed> speeds;
    for (const auto& [shape, seat] : shapes) {
        speeds.push_back(measure(deploy, *seat, backbone));
        const auto& one = speeds.back();
        spdlog::info("measured: {}: forward {}, backward {}, step {}", shape, quantity(one.forward_flop_s, "FLOP/s"),
                     quantity(one.backward_flop_s, "FLOP/s"), quantity(one.step_flop_s, "FLOP/s"));
    }
    return speeds;
}

exit_code calibrate(const command_line& given, session& here) {
    const auto run = prepare(given, here, false);
    const auto backbone = load_backbone(*run.scene, here);
    double flops = 0.0, seconds = 0.0;
    if (here.root()) {
        const auto speeds = measure_stages(*run.deploy, backbone.backbone);
        std::map<std::string, const stage_speed*> table;
        for (const auto& one : speeds) {
            table[one.shape] = &one;
        }
        for (const auto& seat : run.deploy->chains.front()) { // a whole chain, forward and backward
            const auto& speed = *table.at(shape_of(seat.spec));
            flops += seat.spec.forward_flops(1);
            seconds += seat.spec.forward_flops(1) / std::max(speed.forward_flop_s, 1.0);
            if (seat.spec.runs_backward()) {
                flops += seat.spec.backward_flops(1);
                seconds += seat.spec.backward_flops(1) / std::max(speed.backward_flop_s, 1.0);
            }
        }
    }
    here.network().barrier();
    const auto link = here.ranks() > 1 ? measure_link(here.network()) : std::pair{0.0, 0.0};
    if (here.root()) {
        constexpr double giga = 1e9, mega = 1e6, micro = 1e-6;
        fmt::print("# Measured on {}: a chain of this scenario, forward and backward, {} thread(s).\n", here.host(),
                   run.scene->runtime.threads);
        fmt::print("[device.client]\nrate = {:.4g} GFLOP/s\n", flops / seconds / giga);
        if (here.ranks() > 1) {
            fmt::print("\n# Between ranks 0 and 1, by messages that go to and fro.\n[link.d2d]\nrate = {:.4g} Mbit/s\n"
                       "latency = {:.4g} us\n",
                       link.second / mega, link.first / micro);
        } else {
            fmt::print("\n# Start it with jobs/mpirun.sh -n 2 to measure the link between two ranks, too.\n");
        }
        std::fflush(stdout);
    }
    return exit_code::ok;
}

} // namespace gaisnet
