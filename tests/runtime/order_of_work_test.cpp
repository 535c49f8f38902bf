// Which of the computations that are possible a rank runs first.

#include "model/shape_stage.hpp"
#include "rounds/ledger_run.hpp"
#include "rounds/tensor_run.hpp"
#include "support/lab.hpp"
#include "transport/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gaisnet {
namespace {

using testing::ElementsAre;

class counting_stage final : public stage_executor {
public:
    counting_stage(const stage_seat& seat, std::vector<std::string>& log): seat_(seat), shapes_(seat.spec), log_(log) {}
    void load(const tensor_view&) override {}
    tensor_view unload() override {
        auto out = tensor_view::allocate({seat_.spec.tunable_elements()});
        std::fill_n(out.as<float>(), out.elements(), 0.0F);
        return out;
    }
    tensor_view labels(const micro_batch& micro) override { return shapes_.labels(micro); }
    tensor_view padding(const micro_batch& micro) override { return shapes_.padding(micro); }
    tensor_view run(const stage_request& request) override {
        const char* what = request.operation == stage_operation::forward ? "f" : "b";
        if (request.operation != stage_operation::step) {
            log_.push_back(what + std::to_string(request.micro.first) + " of " + std::to_string(seat_.position));
        }
        return shapes_.run(request);
    }

private:
    const stage_seat& seat_;
    shape_stage shapes_;
    std::vector<std::string>& log_;
};

/// The computations of one batch of three micro-batches, on one rank.
std::vector<std::string> order_of(schedule_kind schedule) {
    auto scene = lab::small_scenario();
    scene.network.clusters = 1;
    scene.network.clients = {2};
    scene.train.batch = 3;
    scene.train.micro_batches = 3;
    scene.train.schedule = schedule;
    const auto deploy = make_deployment(scene, make_tuning_method(scene), {{3, 10}}, {3});
    ledger_run ledger(deploy);
    auto world = loopback_world(1);
    std::vector<std::string> log;
    tensor_run run(deploy, *world.front(), std::vector<int>(deploy.net.nodes.size(), 0),
                   [&](const stage_seat& seat) { return std::make_unique<counting_stage>(seat, log); },
                   {initial_values(deploy.domains.front().tunables, 1, {})});
    run.play(1, ledger.play(1).decisions);
    return log;
}

TEST(order_of_work, a_micro_batch_goes_through_all_stages_of_a_rank_before_the_next_begins) {
    EXPECT_THAT(order_of(schedule_kind::gpipe),
                ElementsAre("f0 of 0", "f0 of 1", "f1 of 0", "f1 of 1", "f2 of 0", "f2 of 1", "b0 of 1", "b0 of 0",
                            "b1 of 1", "b1 of 0", "b2 of 1", "b2 of 0"));
    EXPECT_THAT(order_of(schedule_kind::one_f_one_b),
                ElementsAre("f0 of 0", "f0 of 1", "b0 of 1", "f1 of 0", "b0 of 0", "f1 of 1", "b1 of 1", "f2 of 0",
                            "b1 of 0", "f2 of 1", "b2 of 1", "b2 of 0"));
}

} // namespace
} // namespace gaisnet
