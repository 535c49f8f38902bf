// What a run's last lines say decided its latency, and on which assumptions it rests.

#include "planning/advice.hpp"

#include "rounds/inference_ledger.hpp"
#include "rounds/ledger_run.hpp"
#include "settings/key.hpp"
#include "settings/sources.hpp"
#include "support/lab.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
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

std::string advice_for_requests(const scenario& scene, std::size_t requests = 8) {
    const auto deployed = lab::deploy(scene);
    auto session = make_inference_plan(deployed);
    for (auto& line : session.lines) {
        line.arrivals_s.resize(requests);
    }
    return request_advice(deployed, session, inference_ledger(deployed).play(session), default_settings());
}

scenario with_requests() {
    auto scene = lab::small_scenario();
    scene.service = service_kind::inference;
    scene.infer.requests = 8;
    scene.infer.delivery = delivery_kind::none;
    return scene;
}

TEST(advice, tells_what_decided_the_latency_of_requests) {
    auto scene = with_requests();
    scene.link.d2d.rate = distribution::of(1e5);
    const auto slow_link = advice_for_requests(scene);
    EXPECT_THAT(slow_link, HasSubstr("of a request's latency"));
    EXPECT_THAT(slow_link, HasSubstr("link.d2d.rate = "));
    scene.link.d2d.rate = distribution::of(1e12);
    scene.device.client.rate = distribution::of(1e6);
    const auto slow_device = advice_for_requests(scene);
    EXPECT_THAT(slow_device, HasSubstr("device.client.rate = "));
    EXPECT_THAT(slow_device, Not(HasSubstr("link.d2d.rate = ")));
}

TEST(advice, what_to_try_belongs_to_what_was_named) {
    auto scene = with_requests();
    scene.sense.time = 10.0;
    EXPECT_THAT(advice_for_requests(scene, 1),
                HasSubstr("sensing of the sample takes 100 % of a request's latency\n  to try: a shorter sense.time"));
    scene = with_requests();
    scene.infer.delivery = delivery_kind::full;
    scene.link.cs_down.rate = distribution::of(1e3);
    EXPECT_THAT(advice_for_requests(scene, 1), HasSubstr("waiting for modules takes"));
    scene = with_requests();
    scene.infer.requests = 40;
    scene.infer.in_flight = 1;
    scene.sense.time = 0.0;
    scene.infer.arrivals = arrival_kind::burst;
    const auto burst = advice_for_requests(scene, 40);
    EXPECT_THAT(burst, HasSubstr("waiting for its turn"));
    EXPECT_THAT(burst, HasSubstr("infer.in_flight"));
    EXPECT_THAT(burst, Not(HasSubstr("infer.rate)"))) << "they do not come by a rate";
    scene.infer.arrivals = arrival_kind::poisson;
    scene.infer.rate = 1e4;
    EXPECT_THAT(advice_for_requests(scene, 40), HasSubstr("fewer requests (infer.rate)"));
}

// The same requests are played with each quantity halved, also where they are fewer than the scenario says.
TEST(advice, of_requests_lists_nothing_that_has_no_effect) {
    const auto told = advice_for_requests(with_requests(), 3);
    EXPECT_THAT(told, HasSubstr("link.d2d."));
    EXPECT_THAT(told, Not(HasSubstr("device.edge.rate = "))) << "the edge computes nothing";
}

TEST(advice, names_keys_that_exist) {
    std::set<std::string> known;
    for (const auto& key : all_keys()) {
        known.insert(key.name);
    }
    const std::regex key("(train|tuning|split|infer|cluster|data|round|cloud|sense)\\.[a-z_]+");
    int found = 0;
    for (const auto& text : all_remedies()) {
        for (std::sregex_iterator one(text.begin(), text.end(), key), end; one != end; ++one, ++found) {
            EXPECT_TRUE(known.contains(one->str())) << one->str() << " in: " << text;
        }
    }
    EXPECT_GT(found, 10);
    EXPECT_TRUE(known.contains("delivery"));
}

TEST(advice, is_empty_before_the_first_round) {
    const auto deployed = lab::deploy(lab::small_scenario());
    EXPECT_THAT(advisor(deployed).text(default_settings()), IsEmpty());
}

} // namespace
} // namespace gaisnet
