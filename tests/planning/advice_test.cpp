// What a run's last lines say decided its latency, and on which assumptions it rests.

#include "planning/advice.hpp"

#include "rounds/inference_ledger.hpp"
#include "rounds/ledger_run.hpp"
#include "settings/sources.hpp"
#include "support/lab.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gaisnet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string advice_for(const scenario& scene, const settings& values) {
    const auto deployed = lab::deploy(scene);
    ledger_run ledger(deployed);
    advisor out(deployed);
    for (int round = 1; round <= 3; ++round) {
        out.add(ledger.play(round));
    }
    return out.text(values);
}

TEST(advice, names_the_bottleneck_and_the_assumption_behind_it) {
    auto scene = lab::small_scenario();
    scene.link.d2d.rate = distribution::of(1e5);
    const auto text = advice_for(scene, default_settings());
    EXPECT_THAT(text, HasSubstr("d2d c"));
    EXPECT_THAT(text, HasSubstr("to try: other cuts or micro-batches"));
    const auto half = text.find("link.d2d.rate = ");
    ASSERT_NE(half, std::string::npos);
    EXPECT_LT(text.find("half of a value would change"), half);
    // Nearly all of the time is on these links, and half of the rate takes twice as long.
    const double percent = std::stod(text.substr(text.find('+', half)));
    EXPECT_GT(percent, 90.0);
    EXPECT_LE(percent, 100.0);
}

TEST(advice, is_silent_about_values_that_were_given) {
    auto scene = lab::small_scenario();
    scene.link.d2d.rate = distribution::of(1e5);
    auto values = default_settings();
    for (auto& [key, value] : values) {
        value.source = "command line";
    }
    const auto text = advice_for(scene, values);
    EXPECT_THAT(text, HasSubstr("d2d c"));
    EXPECT_THAT(text, Not(HasSubstr("assumptions")));
}

TEST(advice, follows_the_part_that_takes_longest) {
    auto scene = lab::small_scenario();
    scene.device.client.rate = distribution::of(1e6);
    EXPECT_THAT(advice_for(scene, default_settings()), HasSubstr("shares that fit the devices"));
    scene = lab::small_scenario();
    scene.sense.time = 100.0;
    EXPECT_THAT(advice_for(scene, default_settings()), HasSubstr("fewer samples"));
}

TEST(advice, tells_what_decided_the_latency_of_requests) {
    auto scene = lab::small_scenario();
    scene.service = service_kind::inference;
    scene.infer.requests = 8;
    scene.infer.delivery = delivery_kind::none;
    scene.link.d2d.rate = distribution::of(1e5);
    const auto told = [&] {
        const auto deployed = lab::deploy(scene);
        const auto played = inference_ledger(deployed).play(make_inference_plan(deployed));
        return request_advice(deployed, played, {}, default_settings());
    };
    const auto slow_link = told();
    EXPECT_THAT(slow_link, HasSubstr("of a request's latency"));
    EXPECT_THAT(slow_link, HasSubstr("link.d2d.rate = "));
    scene.link.d2d.rate = distribution::of(1e12);
    scene.device.client.rate = distribution::of(1e6);
    const auto slow_device = told();
    EXPECT_THAT(slow_device, HasSubstr("device.client.rate = "));
    EXPECT_THAT(slow_device, Not(HasSubstr("link.d2d.rate = ")));
}

TEST(advice, is_empty_before_the_first_round) {
    const auto deployed = lab::deploy(lab::small_scenario());
    EXPECT_THAT(advisor(deployed).text(default_settings()), IsEmpty());
}

} // namespace
} // namespace gaisnet
