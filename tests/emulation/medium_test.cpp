// Media, rates and half duplex against closed forms and against tables that SimGrid made (tests/oracle).

#include "emulation/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace gaisnet {
namespace {

/// A transfer that a test wants, and when it happened.
struct wanted {
    std::uint32_t link = 0;
    double ready = 0;
    std::uint64_t bytes = 0;
    std::int64_t event = -1;
};

/// A ledger with links from node i to node `links` + i, and transfers at given times.
class bench {
public:
    explicit bench(std::size_t links): links_(links) {
        for (std::size_t i = 0; i < 2 * links; ++i) {
            device_model device;
            device.rate_flop_s = 1e9;
            device.radio.receive_w = 0.5;
            accounts.add_node(device);
        }
    }
    link_parameters between(std::uint32_t number, double latency = 0.0) const {
        link_parameters one;
        one.from = number;
        one.to = static_cast<std::uint32_t>(links_) + number;
        one.kind = link_class::cs_up;
        one.name = "link" + std::to_string(number);
        one.latency_s = latency;
        one.bandwidth_hz = 1e6;
        one.radiated_w = 2.0;
        return one;
    }
    void add(double rate, medium& shared, double latency = 0.0) {
        accounts.add_link(between(next_++, latency), std::make_unique<constant_rate>(rate), shared);
    }
    /// Plays transfers, which must be ordered by time.
    void play(std::vector<wanted>& all, std::uint32_t round = 1) {
        accounts.begin_round(round, 0.0);
        for (auto& one : all) {
            jobs_.push_back({this, &one});
        }
        for (auto& job : jobs_) {
            queue.schedule(job.what->ready, job.what->link,
                           {[](void* self, std::uint64_t) {
                                auto& here = *static_cast<bench_job*>(self);
                                here.owner->send(*here.what);
                            },
                            &job, 0});
        }
        while (!queue.empty()) {
            queue.fire_next();
        }
        jobs_.clear();
        for (std::uint32_t node = 0; node < 2 * links_; ++node) {
            accounts.close_round(std::span(&node, 1), 0.0, queue.now());
        }
    }
    const ledger_event& event(const wanted& one) const {
        return accounts.events()[static_cast<std::size_t>(one.event)];
    }

    event_queue queue;
    ledger accounts{queue, 7};

private:
    struct bench_job {
        bench* owner;
        wanted* what;
    };
    void send(wanted& what) {
        const auto to = static_cast<std::uint32_t>(links_) + what.link;
        what.event = accounts.transfer(what.link, std::span(&to, 1), event_kind::send_forward, what.bytes, -1, {},
                                       {{[](void*, std::uint64_t) {}, nullptr, 0}});
    }
    std::size_t links_;
    std::uint32_t next_ = 0;
    std::deque<bench_job> jobs_;
};

std::unique_ptr<shared_medium> medium_of(bench& here, share_kind share, double capacity = never) {
    return std::make_unique<shared_medium>(here.queue, share, capacity);
}

// ---- SimGrid

/// Rows of a golden table by set; columns by name.
std::map<int, std::vector<std::map<std::string, double>>> read_table(const std::string& name) {
    std::ifstream in(GAISNET_ORACLE "/" + name);
    std::map<int, std::vector<std::map<std::string, double>>> sets;
    std::vector<std::string> header;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::vector<std::string> cells;
        std::stringstream text(line);
        for (std::string cell; std::getline(text, cell, ',');) {
            cells.push_back(cell);
        }
        if (header.empty()) {
            header = cells;
            continue;
        }
        std::map<std::string, double> row;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            row[header[i]] = std::stod(cells[i]);
        }
        sets[static_cast<int>(row.at("set"))].push_back(row);
    }
    return sets;
}

/// A sender of the tables: its flows queue, and each has a rate limit of its own.
class source final : public sender {
public:
    source(event_queue& queue, medium& shared, std::uint32_t index)
        : sender(index, index)
        , queue_(queue)
        , medium_(shared) {}
    void expect(double ready, double bits, double limit) {
        flows_.push_back({bits, std::make_unique<constant_rate>(limit), 0, 0});
        queue_.schedule(ready, index(),
                        {[](void* self, std::uint64_t) {
                             auto& here = *static_cast<source*>(self);
                             ++here.ready_;
                             here.go_on();
                         },
                         this, 0});
    }
    const rate_model& rate() const override { return *flows_[ended_].limit; }
    void sent(const airtime_report&) override {
        flows_[ended_++].end = queue_.now();
        busy_ = false;
        go_on();
    }
    double begin(std::size_t number) const { return flows_[number].begin; }
    double end(std::size_t number) const { return flows_[number].end; }

private:
    struct flow {
        double bits;
        std::unique_ptr<rate_model> limit;
        double begin, end;
    };
    void go_on() {
        if (!busy_ && ended_ < ready_) {
            busy_ = true;
            flows_[ended_].begin = queue_.now();
            medium_.start(*this, flows_[ended_].bits);
        }
    }
    event_queue& queue_;
    medium& medium_;
    std::vector<flow> flows_;
    std::size_t ready_ = 0, ended_ = 0;
    bool busy_ = false;
};

/// Plays a set of a table. \returns the largest relative difference from when SimGrid's flows began and ended.
double difference_from_simgrid(share_kind share, std::vector<std::map<std::string, double>> rows) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.at("start_s") < b.at("start_s"); });
    const bool maxmin = share == share_kind::maxmin;
    event_queue queue;
    shared_medium shared(queue, share, maxmin ? rows.front().at("capacity_bit_s") : never);
    std::map<double, std::unique_ptr<source>> senders;
    std::vector<std::pair<source*, std::size_t>> place;
    std::map<source*, std::size_t> flows;
    for (const auto& row : rows) {
        auto& one = senders[row.at("link")];
        if (!one) {
            one = std::make_unique<source>(queue, shared, static_cast<std::uint32_t>(row.at("link")));
        }
        one->expect(row.at("start_s"), row.at("bytes") * 8, row.at(maxmin ? "limit_bit_s" : "rate_bit_s"));
        place.emplace_back(one.get(), flows[one.get()]++);
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    double largest = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto [who, flow] = place[i];
        largest = std::max(largest, std::abs(who->begin(flow) - rows[i].at("begin_s")) / rows[i].at("end_s"));
        largest = std::max(largest, std::abs(who->end(flow) / rows[i].at("end_s") - 1.0));
    }
    return largest;
}

void compare_table(share_kind share, const char* name, std::size_t least_sets) {
    const auto sets = read_table(name);
    EXPECT_GE(sets.size(), least_sets);
    double largest = 0;
    for (const auto& [number, rows] : sets) {
        const double here = difference_from_simgrid(share, rows);
        largest = std::max(largest, here);
        EXPECT_LT(here, 1e-6) << "set " << number;
    }
    testing::Test::RecordProperty("largest_difference", std::to_string(largest));
    std::printf("%s: largest relative difference from SimGrid %.2g\n", name, largest);
}

TEST(simgrid, max_min_fair_sharing_is_that_of_its_tables) { compare_table(share_kind::maxmin, "maxmin.csv", 1000); }
TEST(simgrid, airtime_sharing_is_that_of_its_wifi_zone) { compare_table(share_kind::airtime, "airtime.csv", 300); }

// ---- closed forms

TEST(shared_medium, uploads_that_share_a_band_in_equal_times_end_in_the_order_of_their_size) {
    // n flows of sizes 1..n MB at the same rate from the same start: flow k ends at
    // (sum over j < k of size_j + (n - k + 1) size_k) x 8 / r.
    constexpr int n = 5;
    constexpr double rate = 8e6;
    bench here(n);
    auto& shared = here.accounts.add_medium(medium_of(here, share_kind::equal));
    std::vector<wanted> all;
    for (std::uint32_t k = 0; k < n; ++k) {
        here.add(rate, shared);
        all.push_back({k, 0.0, (k + 1) * 1'000'000ULL, -1});
    }
    here.play(all);
    double before = 0, spectrum = 0;
    for (int k = 1; k <= n; ++k) {
        const double expected = before + (n - k + 1) * static_cast<double>(k);
        const auto& event = here.event(all[static_cast<std::size_t>(k - 1)]);
        EXPECT_NEAR(event.end_s, expected, 1e-9 * expected) << k;
        // On the air for its bits at the full rate, however long it took.
        EXPECT_NEAR(event.airtime_hz_s, k * 1e6, 1e-3);
        EXPECT_NEAR(event.energy_j, k * 2.5, 1e-9);
        EXPECT_NEAR(event.share, k / expected, 1e-9);
        EXPECT_NEAR(event.rate_bit_s, k * rate / expected, 1e-3);
        before += k;
        spectrum += event.airtime_hz_s;
    }
    EXPECT_NEAR(spectrum, before * 1e6, 1e-3) << "the band was full until the last one ended";
}

TEST(shared_medium, in_equal_times_a_slow_link_does_not_slow_the_others) {
    bench here(2);
    auto& shared = here.accounts.add_medium(medium_of(here, share_kind::equal));
    here.add(80e6, shared);
    here.add(8e6, shared);
    std::vector<wanted> all{{0, 0.0, 10'000'000, -1}, {1, 0.0, 10'000'000, -1}};
    here.play(all);
    EXPECT_NEAR(here.event(all[0]).end_s, 2.0, 1e-9) << "half of the time at 80 Mbit/s";
    EXPECT_NEAR(here.event(all[1]).end_s, 2.0 + 9.0, 1e-8) << "1 MB in the first 2 s, then alone";
}

TEST(shared_medium, with_equal_chances_a_slow_link_slows_all_as_in_802_11) {
    bench here(2);
    auto& shared = here.accounts.add_medium(medium_of(here, share_kind::airtime));
    here.add(80e6, shared);
    here.add(8e6, shared);
    std::vector<wanted> all{{0, 0.0, 10'000'000, -1}, {1, 0.0, 10'000'000, -1}};
    here.play(all);
    EXPECT_NEAR(here.event(all[0]).end_s, 1.0 + 10.0, 1e-8) << "both at 1 / (1/80 + 1/8) Mbit/s";
    EXPECT_NEAR(here.event(all[1]).end_s, 11.0, 1e-8);
    EXPECT_NEAR(here.event(all[0]).share, 1.0 / 11.0, 1e-9);
}

TEST(shared_medium, rates_that_change_are_followed) {
    // 8 Mbit/s for 1 s, then nothing for 2 s, then 16 Mbit/s; two links with that trace share in equal times.
    auto trace = std::make_shared<rate_trace>();
    trace->times = {0.0, 1.0, 3.0};
    trace->bits_per_second = {8e6, 0.0, 16e6};
    for (const auto share : {share_kind::exclusive, share_kind::equal, share_kind::airtime}) {
        bench here(2);
        auto& shared = share == share_kind::exclusive ? here.accounts.exclusive()
                                                      : here.accounts.add_medium(medium_of(here, share));
        for (std::uint32_t link = 0; link < 2; ++link) {
            here.accounts.add_link(here.between(link), std::make_unique<traced_rate>(trace), shared);
        }
        std::vector<wanted> all{{0, 0.0, 2'000'000, -1}, {1, 0.0, 2'000'000, -1}};
        here.play(all);
        // Alone 1 MB in the first second and 1 MB in half a second from 3 s on; of two 1.5 MB each remain at 3 s.
        const double expected = share == share_kind::exclusive ? 3.5 : 4.5;
        EXPECT_NEAR(here.event(all[0]).end_s, expected, 1e-9) << name_of(share);
        EXPECT_NEAR(here.event(all[1]).end_s, expected, 1e-9) << name_of(share);
    }
}

TEST(exclusive_medium, outages_are_not_on_the_air) {
    auto trace = std::make_shared<rate_trace>();
    trace->times = {0.0, 1.0, 3.0};
    trace->bits_per_second = {8e6, 0.0, 16e6};
    bench here(1);
    here.accounts.add_link(here.between(0), std::make_unique<traced_rate>(trace), here.accounts.exclusive());
    std::vector<wanted> all{{0, 0.0, 2'000'000, -1}};
    here.play(all);
    const auto& event = here.event(all[0]);
    EXPECT_NEAR(event.end_s, 3.5, 1e-9);
    EXPECT_NEAR(event.on_air_s, 1.5, 1e-9);
    EXPECT_NEAR(event.energy_j, 1.5 * 2.5, 1e-9);
    EXPECT_NEAR(event.airtime_hz_s, 1.5e6, 1e-3);
}

TEST(shared_medium, max_min_fair_links_never_take_more_than_the_band) {
    // Five links of 8 Mbit/s on a medium of 40 Mbit/s send 1 MB each in 1 s: together its band, once.
    bench five(5);
    auto& shared = five.accounts.add_medium(medium_of(five, share_kind::maxmin, 40e6));
    std::vector<wanted> all;
    for (std::uint32_t link = 0; link < 5; ++link) {
        five.add(8e6, shared);
        all.push_back({link, 0.0, 1'000'000, -1});
    }
    five.play(all);
    double spectrum = 0;
    for (const auto& one : all) {
        EXPECT_NEAR(five.event(one).end_s, 1.0, 1e-9);
        EXPECT_NEAR(five.event(one).energy_j, 2.5, 1e-9) << "on the air all the time";
        spectrum += five.event(one).airtime_hz_s;
    }
    EXPECT_NEAR(spectrum, 1e6, 1e-3);
}

/// bit/s in proportion to the power.
class by_power final : public rate_model {
public:
    double rate_at(double) const override { return 8e6; }
    double rate_with(double power_part, double) const override { return 8e6 * power_part; }
    double next_change(double) const override { return never; }
};

TEST(radio_medium, a_node_divides_its_power_over_what_it_sends_at_once) {
    // From node 0: 1 MB to node 1 from 0 s on, 1 MB to node 2 from 0.5 s on. Half of the first is left then, which takes
    // 1 s with half of the power; the second has half left, alone, in 0.5 s.
    event_queue queue;
    ledger accounts(queue);
    own_bands bands;
    auto& own = accounts.add_medium(std::make_unique<radio_medium>(queue, bands, false));
    for (int node = 0; node < 3; ++node) {
        device_model device;
        device.radio = {0.5, 1.0, 0.5, 0.0}; // 4 W radiated take 8 W, and 1 W of circuits
        accounts.add_node(device);
    }
    for (std::uint32_t to = 1; to < 3; ++to) {
        link_parameters one;
        one.from = 0;
        one.to = to;
        one.kind = link_class::cs_down;
        one.bandwidth_hz = 1e6;
        one.radiated_w = 4.0;
        accounts.add_link(one, std::make_unique<by_power>(), own);
    }
    accounts.begin_round(1, 0.0);
    for (std::uint32_t to = 1; to < 3; ++to) {
        queue.schedule(to == 1 ? 0.0 : 0.5, to,
                       {[](void* self, std::uint64_t receiver) {
                            const auto node = static_cast<std::uint32_t>(receiver);
                            static_cast<ledger*>(self)->transfer(0, std::span(&node, 1), event_kind::send_modules_down,
                                                                 1'000'000, -1, {},
                                                                 {{[](void*, std::uint64_t) {}, nullptr, 0}});
                        },
                        &accounts, to});
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    const std::uint32_t members[] = {0, 1, 2};
    accounts.close_round(members, 0.0, 3.0);
    const auto& first = accounts.events()[0];
    const auto& second = accounts.events()[1];
    EXPECT_NEAR(first.end_s, 1.5, 1e-9);
    EXPECT_NEAR(second.end_s, 2.0, 1e-9);
    EXPECT_NEAR(accounts.account(0).transmit_j, 2.0 * (8.0 + 1.0), 1e-9) << "2 s in all, never with twice the power";
    EXPECT_NEAR(first.energy_j, 0.5 * 9.0 + 1.0 * 4.5 + 1.5 * 0.5, 1e-9) << "half of it while there are two";
    EXPECT_NEAR(second.energy_j, 1.0 * 4.5 + 0.5 * 9.0 + 1.5 * 0.5, 1e-9);
    EXPECT_NEAR(first.airtime_hz_s, 1.5e6, 1e-3) << "each in a band of its own";
}

TEST(rate_models, a_trace_repeats_and_is_integrated_exactly) {
    auto trace = std::make_shared<rate_trace>();
    trace->times = {0.0, 0.2};
    trace->bits_per_second = {10.0, 30.0};
    trace->period_s = 1.0; // 2 + 24 bits a period
    const traced_rate rate(trace);
    EXPECT_EQ(rate.rate_at(0.0), 10.0);
    EXPECT_EQ(rate.rate_at(5.2), 30.0);
    EXPECT_EQ(rate.rate_at(6.0), 10.0);
    EXPECT_NEAR(rate.bits_between(0.0, 10.0), 260.0, 1e-9);
    EXPECT_NEAR(rate.finish_time(0.1, 26.0), 1.1, 1e-12);
    for (double time = 0.0; time < 5.0;) { // changes are later than what they follow, whatever rounding does
        const double next = rate.next_change(time);
        ASSERT_GT(next, time);
        time = next;
    }
}

/// Everybody disturbs everybody with 1 W; the rate depends on how many do.
struct equal_disturbance final : radio_medium::channel_model {
    explicit equal_disturbance(std::function<double(double)> rates): rate_of(std::move(rates)) {}
    double interference_w(const sender&, std::uint32_t, double) override { return 1.0; }
    double rate(const sender&, double, double watts, double) override { return rate_of(watts); }
    double next_change(const sender&, double) override { return never; }
    std::function<double(double)> rate_of;
};

TEST(radio_medium, the_rate_of_a_link_depends_on_who_else_sends) {
    // Two links of 8 Mbit/s alone and 2 Mbit/s together, the second one from 1 s on.
    bench here(2);
    equal_disturbance model([](double watts) { return watts == 0.0 ? 8e6 : 2e6; });
    auto& shared = here.accounts.add_medium(std::make_unique<radio_medium>(here.queue, model, true));
    here.add(8e6, shared);
    here.add(8e6, shared);
    std::vector<wanted> all{{0, 0.0, 2'000'000, -1}, {1, 1.0, 2'000'000, -1}};
    here.play(all);
    // 1 MB alone, 1 MB in 4 s together; the second has 1 MB left then, in 1 s.
    EXPECT_NEAR(here.event(all[0]).end_s, 5.0, 1e-9);
    EXPECT_NEAR(here.event(all[1]).end_s, 6.0, 1e-9);
    EXPECT_NEAR(here.event(all[0]).energy_j, 5.0 * 2.5, 1e-9) << "it is on the air all the time";
    EXPECT_NEAR(here.event(all[0]).airtime_hz_s, (1.0 + 4.0 / 2) * 1e6, 1e-3) << "but shares the band";
}

TEST(radio_medium, powers_that_come_and_go_leave_no_trace) {
    exact_power sum;
    sum.add(3e-16);
    for (int i = 0; i < 1000; ++i) {
        sum.add(0.17 * i);
    }
    for (int i = 0; i < 1000; ++i) {
        sum.remove(0.17 * i);
    }
    EXPECT_NEAR(sum.watts(), 3e-16, 1e-29);
}

TEST(medium, a_transfer_that_is_stopped_reports_what_is_left) {
    struct probe final : sender {
        explicit probe(std::uint32_t number): sender(number, number) {}
        const rate_model& rate() const override { return full; }
        void sent(const airtime_report&) override { ended = true; }
        constant_rate full{100.0};
        bool ended = false;
    };
    event_queue queue;
    std::deque<std::function<void()>> plans;
    const auto at = [&](double time, std::function<void()> what) {
        plans.push_back(std::move(what));
        queue.schedule(
            time, 0,
            {[](void* self, std::uint64_t) { (*static_cast<std::function<void()>*>(self))(); }, &plans.back(), 0});
    };
    const auto try_medium = [&](medium& shared, double left_at_2, double on_air) {
        queue.reset_clock(0.0);
        probe a(0), b(1);
        airtime_report report;
        at(0.0, [&] {
            shared.start(a, 1000.0);
            shared.start(b, 1000.0);
        });
        at(2.0, [&] { report = shared.stop(a); });
        while (!queue.empty()) {
            queue.fire_next();
        }
        EXPECT_NEAR(report.bits_left, left_at_2, 1e-9);
        EXPECT_NEAR(report.on_air_s, on_air, 1e-9);
        EXPECT_FALSE(a.ended);
        EXPECT_TRUE(b.ended);
        return queue.now();
    };
    exclusive_medium exclusive(queue);
    EXPECT_NEAR(try_medium(exclusive, 800.0, 2.0), 10.0, 1e-9);
    for (const auto share : {share_kind::equal, share_kind::airtime, share_kind::maxmin}) {
        shared_medium shared(queue, share, 100.0);
        EXPECT_NEAR(try_medium(shared, 900.0, 1.0), 11.0, 1e-9) << name_of(share) << ": the other one is alone then";
    }
    equal_disturbance model([](double watts) { return 100.0 / (1.0 + watts); });
    radio_medium reused(queue, model, true);
    EXPECT_NEAR(try_medium(reused, 900.0, 2.0), 11.0, 1e-9);
}

// ---- links

TEST(links, half_duplex_radios_do_not_send_while_they_receive) {
    // 0 -> 2 and 2 -> 1 and 1 -> 3: with half duplex the second waits for the first, the third for the second.
    const auto play = [](bool half_duplex) {
        event_queue queue;
        ledger accounts(queue);
        for (int node = 0; node < 4; ++node) {
            accounts.add_node({});
        }
        auto* radios = half_duplex ? &accounts.add_half_duplex_radios() : nullptr;
        const std::pair<std::uint32_t, std::uint32_t> hops[] = {{0, 2}, {2, 1}, {1, 3}};
        for (const auto& [from, to] : hops) {
            link_parameters one;
            one.from = from;
            one.to = to;
            accounts.add_link(one, std::make_unique<constant_rate>(8e6), accounts.exclusive(), radios);
        }
        accounts.begin_round(1, 0.0);
        for (const auto& [from, to] : hops) {
            accounts.transfer(from, std::span(&to, 1), event_kind::send_forward, 1'000'000, -1, {},
                              {{[](void*, std::uint64_t) {}, nullptr, 0}});
        }
        while (!queue.empty()) {
            queue.fire_next();
        }
        std::vector<double> starts;
        for (const auto& event : accounts.events()) {
            starts.push_back(event.start_s);
        }
        return starts;
    };
    EXPECT_THAT(play(false), testing::ElementsAre(0.0, 0.0, 0.0));
    EXPECT_THAT(play(true), testing::ElementsAre(0.0, 1.0, 2.0));
}

// 0 -> 1 sends from 0 to 1 s. From 5 s on 1 -> 2 sends, so that a message of 0 -> 1 that is ready at 5.5 s waits for the
// radio of 1 until 6 s, and the next for the link until 7 s.
TEST(links, half_duplex_waits_are_blamed_on_what_held_the_radio) {
    event_queue queue;
    ledger accounts(queue);
    auto& radios = accounts.add_half_duplex_radios();
    for (int node = 0; node < 3; ++node) {
        accounts.add_node({});
    }
    for (std::uint32_t from = 0; from < 2; ++from) {
        link_parameters one;
        one.from = from;
        one.to = from + 1;
        accounts.add_link(one, std::make_unique<constant_rate>(8e6), accounts.exclusive(), &radios);
    }
    accounts.begin_round(1, 0.0);
    for (const auto& [time, from] : {std::pair{0.0, 0U}, {5.0, 1U}, {5.5, 0U}, {5.6, 0U}}) {
        queue.schedule(time, from,
                       {[](void* self, std::uint64_t sender) {
                            const auto receiver = static_cast<std::uint32_t>(sender) + 1;
                            static_cast<ledger*>(self)->transfer(receiver - 1, std::span(&receiver, 1),
                                                                 event_kind::send_forward, 1'000'000, -1, {},
                                                                 {{[](void*, std::uint64_t) {}, nullptr, 0}});
                        },
                        &accounts, from});
    }
    while (!queue.empty()) {
        queue.fire_next();
    }
    std::vector<double> starts;
    std::vector<std::int64_t> causes;
    for (const auto& event : accounts.events()) {
        starts.push_back(event.start_s);
        causes.push_back(event.cause);
    }
    EXPECT_THAT(starts, testing::ElementsAre(0.0, 5.0, 6.0, 7.0));
    EXPECT_THAT(causes, testing::ElementsAre(-1, -1, 1, 2));
}

TEST(links, lost_packets_are_sent_again_and_cost_time_energy_and_spectrum) {
    bench here(1);
    auto one = here.between(0, 0.1);
    one.loss = 0.25;
    one.packet_bytes = 1000;
    here.accounts.add_link(one, 8e6);
    std::vector<wanted> all{{0, 0.0, 2'000'000, -1}};
    here.play(all);
    const auto& event = here.event(all[0]);
    // 2000 packets, a third more sendings on average, standard deviation sqrt(2000 x 0.25) / 0.75 = 30.
    EXPECT_NEAR(event.resent, 2000.0 / 3.0, 5 * 30.0);
    EXPECT_NEAR(event.end_s, (2000 + event.resent) * 1e-3, 1e-9);
    EXPECT_NEAR(event.energy_j, event.end_s * 2.5, 1e-9);
    EXPECT_EQ(event.bytes, 2'000'000U);
    std::vector<wanted> again{{0, 0.0, 2'000'000, -1}};
    here.play(again, 2);
    EXPECT_NE(here.event(again[0]).end_s, 0.0);
}

TEST(links, resent_packets_follow_the_negative_binomial_distribution) {
    for (const std::size_t receivers : {1U, 3U}) {
        double sum = 0;
        constexpr int draws = 400, packets = 500;
        for (std::uint32_t i = 0; i < draws; ++i) {
            random_stream stream(1, "loss", "test", 0, i);
            sum += static_cast<double>(draw_resent_packets(stream, packets, 0.5, receivers));
        }
        // Mean of the largest of n geometric numbers with p = 1/2: n = 1: 1; n = 3: 15/7 (inclusion-exclusion).
        const double expected = receivers == 1 ? 1.0 : 15.0 / 7.0;
        EXPECT_NEAR(sum / draws / packets, expected, 0.02 * expected);
    }
    random_stream stream(1, "loss", "test");
    EXPECT_NEAR(static_cast<double>(draw_resent_packets(stream, 1'000'000, 0.1)), 1e6 / 9.0, 1e4);
    EXPECT_EQ(draw_resent_packets(stream, 10, 1e-300), 0U);
}

TEST(links, jitter_moves_arrivals_but_never_one_before_another) {
    bench here(1);
    auto one = here.between(0, 0.05);
    one.jitter = {distribution::family::normal, {0.0, 0.05}, {}, false};
    here.accounts.add_link(one, 8e6);
    std::vector<wanted> all;
    for (int i = 0; i < 200; ++i) {
        all.push_back({0, 0.0, 1000, -1});
    }
    here.play(all);
    double before = 0, sum = 0, largest = 0;
    for (const auto& one_of_them : all) {
        const auto& event = here.event(one_of_them);
        EXPECT_GE(event.arrival_s, event.end_s);
        EXPECT_GE(event.arrival_s, before);
        before = event.arrival_s;
        sum += event.arrival_s - event.end_s;
        largest = std::max(largest, event.arrival_s - event.end_s);
    }
    EXPECT_GT(largest, 0.1);
    EXPECT_GT(sum / 200, 0.05) << "waiting for those before adds to the mean";
}

TEST(links, a_multicast_is_sent_once_at_the_pace_of_the_slowest) {
    event_queue queue;
    ledger accounts(queue);
    for (int node = 0; node < 4; ++node) {
        device_model device;
        device.radio.receive_w = 0.5;
        accounts.add_node(device);
    }
    for (std::uint32_t to = 1; to < 4; ++to) {
        link_parameters one;
        one.from = 0;
        one.to = to;
        one.latency_s = 0.1 * to;
        one.bandwidth_hz = 1e6;
        one.radiated_w = 2.0;
        accounts.add_link(one, 8e6 * to);
    }
    accounts.begin_round(1, 0.0);
    const std::uint32_t receivers[] = {1, 2, 3};
    std::vector<double> arrivals(3);
    struct arrival {
        event_queue* queue;
        double* at;
    };
    std::vector<arrival> watched;
    std::vector<event_queue::action> arrived;
    for (auto& at : arrivals) {
        watched.push_back({&queue, &at});
    }
    for (auto& one : watched) {
        arrived.push_back({[](void* self, std::uint64_t) {
                               auto& here = *static_cast<arrival*>(self);
                               *here.at = here.queue->now();
                           },
                           &one, 0});
    }
    accounts.transfer(0, receivers, event_kind::send_modules_down, 1'000'000, -1, {}, arrived);
    while (!queue.empty()) {
        queue.fire_next();
    }
    EXPECT_THAT(arrivals, testing::Pointwise(testing::DoubleNear(1e-12), {1.1, 1.2, 1.3}));
    const std::uint32_t members[] = {0, 1, 2, 3};
    accounts.close_round(members, 0.0, queue.now());
    const auto& event = accounts.events().front();
    EXPECT_EQ(event.receivers, 3U);
    EXPECT_NEAR(event.airtime_hz_s, 1e6, 1e-6) << "once";
    EXPECT_NEAR(event.energy_j, 2.0 + 3 * 0.5, 1e-9);
    EXPECT_EQ(accounts.account(0).bytes_sent, 1'000'000U);
    EXPECT_EQ(accounts.account(3).bytes_received, 1'000'000U);
}

} // namespace
} // namespace gaisnet
