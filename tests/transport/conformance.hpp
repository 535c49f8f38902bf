#pragma once

// What every transport has to keep: run by each rank with its own transport object.

#include "transport/transport.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <thread>

namespace gaisnet::conformance {

/// A transport under test. Where tensors lie on a device, `to_device` brings the suite's tensors there and `to_host`
/// brings those that arrive back.
struct subject {
    transport& network;
    std::function<tensor_view(tensor_view)> to_device = [](tensor_view view) { return view; };
    std::function<tensor_view(tensor_view)> to_host = [](tensor_view view) { return view; };
};

inline tensor_view pattern(std::int64_t bytes, std::uint32_t seed) {
    if (bytes == 0) {
        return {};
    }
    auto tensor = tensor_view::allocate({(bytes + 3) / 4});
    auto* words = tensor.as<std::uint32_t>();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        words[i] = seed * 2654435761U + static_cast<std::uint32_t>(i);
    }
    return tensor;
}

inline bool holds_pattern(const tensor_view& tensor, std::uint32_t seed) {
    const auto* words = tensor.as<std::uint32_t>();
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        if (words[i] != seed * 2654435761U + static_cast<std::uint32_t>(i)) {
            return false;
        }
    }
    return true;
}

/// A message that the suite will send, as every rank knows before.
inline exchange planned(message_kind kind, std::uint32_t from, std::uint32_t to, int from_rank, int to_rank,
                        std::vector<std::int64_t> shape) {
    return {{from, to, kind}, from_rank, to_rank, tensor_view::shape_only(std::move(shape)), {}};
}
inline exchange planned_sum(std::vector<int> group) { return {{}, 0, 0, {}, std::move(group)}; }

inline std::vector<std::int64_t> shape_of(std::int64_t bytes) {
    return bytes == 0 ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{(bytes + 3) / 4};
}

/// The next `count` messages, or fewer when nothing comes for a minute.
inline std::vector<message> receive(const subject& under_test, std::size_t count) {
    std::vector<message> arrived;
    auto last = std::chrono::steady_clock::now();
    while (arrived.size() < count && std::chrono::steady_clock::now() - last < std::chrono::seconds(60)) {
        if (auto next = under_test.network.poll()) {
            next->tensor = under_test.to_host(std::move(next->tensor));
            arrived.push_back(std::move(*next));
            last = std::chrono::steady_clock::now();
        } else {
            std::this_thread::yield();
        }
    }
    return arrived;
}

inline void finish(transport& network) {
    while (!network.idle()) {
        std::this_thread::yield();
    }
    network.barrier();
}

inline void wait_for(pending_sum& sum) {
    while (!sum.done()) {
        std::this_thread::yield();
    }
}

inline std::vector<int> all_ranks(const transport& network) {
    std::vector<int> all(static_cast<std::size_t>(network.ranks()));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Every rank sends messages of all sizes to every rank, itself included, at once; each pair's come in order and whole.
inline void order_and_sizes(const subject& under_test) {
    auto& network = under_test.network;
    const std::int64_t sizes[] = {4, 1000, 40'000, 3'000'000, 64 << 20, 8, 500'000};
    const auto ranks = static_cast<std::uint32_t>(network.ranks()), me = static_cast<std::uint32_t>(network.rank());
    // The large one goes to the next rank only, to keep memory small.
    const auto size_of = [&](std::size_t number, std::uint32_t from, std::uint32_t to) {
        return sizes[number] >= 64 << 20 && to != (from + 1) % ranks ? 16 : sizes[number];
    };
    std::vector<exchange> plan;
    for (std::uint32_t number = 0; number < std::size(sizes); ++number) {
        for (std::uint32_t from = 0; from < ranks; ++from) {
            for (std::uint32_t to = 0; to < ranks; ++to) {
                plan.push_back(planned(message_kind::forward, from, to, static_cast<int>(from), static_cast<int>(to),
                                       shape_of(size_of(number, from, to))));
            }
        }
    }
    network.expect(std::move(plan));
    for (std::uint32_t number = 0; number < std::size(sizes); ++number) {
        for (std::uint32_t to = 0; to < ranks; ++to) {
            auto tensor = under_test.to_device(pattern(size_of(number, me, to), me * 100 + number));
            network.send(static_cast<int>(to), {{me, to, message_kind::forward}, std::move(tensor)});
        }
    }
    std::map<std::uint32_t, std::uint32_t> next;
    const auto arrived = receive(under_test, std::size(sizes) * ranks);
    ASSERT_EQ(arrived.size(), std::size(sizes) * ranks);
    for (const auto& one : arrived) {
        const auto number = next[one.route.from]++;
        EXPECT_EQ(one.route.to, me);
        EXPECT_EQ(one.route.kind, message_kind::forward);
        EXPECT_EQ(one.tensor.bytes(), static_cast<std::size_t>(size_of(number, one.route.from, me)))
            << "message " << number;
        EXPECT_TRUE(holds_pattern(one.tensor, one.route.from * 100 + number)) << "message " << number;
    }
    finish(network);
}

/// Messages without a tensor arrive, as messages.
inline void nothing_in_it(const subject& under_test) {
    auto& network = under_test.network;
    const int to = (network.rank() + 1) % network.ranks();
    for (int i = 0; i < 3; ++i) {
        network.send(to, {{4, 5, message_kind::control}, {}});
    }
    const auto arrived = receive(under_test, 3);
    ASSERT_EQ(arrived.size(), 3U);
    EXPECT_TRUE(arrived[2].tensor.empty());
    finish(network);
}

/// Type and shape arrive as they were sent.
inline void types_and_shapes(const subject& under_test) {
    auto& network = under_test.network;
    const int to = (network.rank() + 1) % network.ranks();
    std::vector<exchange> plan;
    for (int from = 0; from < network.ranks(); ++from) {
        plan.push_back(planned(message_kind::gradient, 1, 2, from, (from + 1) % network.ranks(), {2, 3, 5}));
    }
    network.expect(std::move(plan));
    auto labels = tensor_view::allocate({7}, element_type::int64);
    std::iota(labels.as<std::int64_t>(), labels.as<std::int64_t>() + 7, std::int64_t{-3});
    auto tokens = tensor_view::allocate({2, 3, 5});
    std::fill_n(tokens.as<float>(), 30, 1.5F);
    network.send(to, {{1, 2, message_kind::label}, labels});
    network.send(to, {{1, 2, message_kind::gradient}, under_test.to_device(tokens)});
    auto arrived = receive(under_test, 2); // of two channels, in any order
    ASSERT_EQ(arrived.size(), 2U);
    if (arrived[0].route.kind == message_kind::gradient) {
        std::swap(arrived[0], arrived[1]);
    }
    EXPECT_EQ(arrived[0].tensor.type, element_type::int64);
    EXPECT_EQ(arrived[0].tensor.as<std::int64_t>()[6], 3);
    EXPECT_EQ(arrived[1].route.kind, message_kind::gradient);
    EXPECT_EQ(arrived[1].tensor.shape, (std::vector<std::int64_t>{2, 3, 5}));
    EXPECT_EQ(arrived[1].tensor.as<float>()[29], 1.5F);
    finish(network);
}

/// Hundreds of channels in all directions at once; each is first in, first out.
inline void many_channels(const subject& under_test) {
    auto& network = under_test.network;
    constexpr std::uint32_t channels = 150, messages = 4;
    const auto ranks = static_cast<std::uint32_t>(network.ranks()), me = static_cast<std::uint32_t>(network.rank());
    const auto sender = [&](std::uint32_t channel) { return channel % ranks; };
    const auto receiver = [&](std::uint32_t channel) { return channel / 3 % ranks; };
    const auto kind = [](std::uint32_t channel) {
        return channel % 2 == 0 ? message_kind::forward : message_kind::gradient;
    };
    std::vector<exchange> plan;
    for (std::uint32_t number = 0; number < messages; ++number) {
        for (std::uint32_t channel = 0; channel < channels; ++channel) {
            plan.push_back(planned(kind(channel), channel, channel + 1000, static_cast<int>(sender(channel)),
                                   static_cast<int>(receiver(channel)), {number + 1}));
        }
    }
    network.expect(std::move(plan));
    std::size_t mine = 0;
    for (std::uint32_t channel = channels; channel-- > 0;) { // not the order of the plan
        mine += receiver(channel) == me ? messages : 0;
        for (std::uint32_t number = 0; number < messages && sender(channel) == me; ++number) {
            auto tensor = under_test.to_device(pattern(4 * (number + 1), channel));
            network.send(static_cast<int>(receiver(channel)), {{channel, channel + 1000, kind(channel)}, tensor});
        }
    }
    const auto arrived = receive(under_test, mine);
    ASSERT_EQ(arrived.size(), mine);
    std::map<std::uint32_t, std::uint32_t> next;
    for (const auto& one : arrived) {
        EXPECT_EQ(one.tensor.elements(), ++next[one.route.from]) << "channel " << one.route.from;
        EXPECT_TRUE(holds_pattern(one.tensor, one.route.from));
    }
    finish(network);
}

inline sum_buffer values(std::size_t size, std::int64_t value) {
    return std::make_shared<std::vector<std::int64_t>>(size, value);
}

/// Sums over several groups, several under way at once.
inline void sums(const subject& under_test) {
    auto& network = under_test.network;
    const auto everyone = all_ranks(network);
    const std::vector<int> half(everyone.begin(), everyone.begin() + (network.ranks() + 1) / 2);
    const std::vector<int> alone{network.rank()};
    const bool in_half = network.rank() < static_cast<int>(half.size());
    network.prepare(everyone);
    network.prepare(half);
    for (int rank = 0; rank < network.ranks(); ++rank) {
        network.prepare({rank});
    }
    network.expect({planned_sum(everyone), planned_sum(half)});
    const auto all = values(10'001, 0), some = values(77, std::int64_t{1} << network.rank()), own = values(5, 9);
    for (std::size_t i = 0; i < all->size(); ++i) {
        (*all)[i] = static_cast<std::int64_t>(i) * (network.rank() + 1) + (std::int64_t{1} << 55);
    }
    std::vector<std::unique_ptr<pending_sum>> pending;
    pending.push_back(network.sum(all, everyone));
    if (in_half) {
        pending.push_back(network.sum(some, half));
    }
    pending.push_back(network.sum(own, alone));
    for (auto& one : pending) {
        wait_for(*one);
    }
    const std::int64_t ranks = network.ranks();
    for (std::size_t i = 0; i < all->size(); ++i) {
        ASSERT_EQ((*all)[i], static_cast<std::int64_t>(i) * ranks * (ranks + 1) / 2 + ranks * (std::int64_t{1} << 55));
    }
    if (in_half) {
        EXPECT_EQ(some->back(), (std::int64_t{1} << half.size()) - 1);
    }
    EXPECT_EQ(own->front(), 9);
    finish(network);
}

/// A sum that is given up while it is under way does no harm to the next one.
inline void giving_up(const subject& under_test) {
    auto& network = under_test.network;
    const auto everyone = all_ranks(network);
    network.prepare(everyone);
    network.expect({planned_sum(everyone), planned_sum(everyone)});
    network.sum(values(50'000, 1), everyone).reset();
    const auto next = values(300, 2);
    wait_for(*network.sum(next, everyone));
    EXPECT_EQ(next->front(), 2 * network.ranks());
    EXPECT_EQ(next->back(), 2 * network.ranks());
    finish(network);
}

inline void broadcast_and_gather(const subject& under_test) {
    auto& network = under_test.network;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{200'000}}) {
        for (int root = 0; root < network.ranks(); ++root) {
            std::vector<std::byte> bytes;
            if (network.rank() == root) {
                bytes.assign(size, std::byte(root + 1));
            }
            network.broadcast(bytes, root);
            ASSERT_EQ(bytes.size(), size);
            EXPECT_TRUE(bytes.empty() || bytes.back() == std::byte(root + 1));
            // Every rank gives another amount, rank 0 nothing.
            const auto parts = network.gather(
                std::vector<std::byte>(size * static_cast<std::size_t>(network.rank()), std::byte(network.rank())),
                root);
            ASSERT_EQ(parts.size(), network.rank() == root ? static_cast<std::size_t>(network.ranks()) : 0U);
            for (std::size_t source = 0; source < parts.size(); ++source) {
                ASSERT_EQ(parts[source].size(), size * source);
                EXPECT_TRUE(parts[source].empty() || parts[source].back() == std::byte(source));
            }
        }
    }
    finish(network);
}

/// Counts what was sent, without envelopes.
inline void counts(const subject& under_test) {
    auto& network = under_test.network;
    const auto total = [&] {
        transport_counters sum;
        for (const auto& one : network.counters()) {
            sum.messages += one.messages;
            sum.bytes += one.bytes;
        }
        return sum;
    };
    std::vector<exchange> plan;
    for (int from = 0; from < network.ranks(); ++from) {
        plan.push_back(planned(message_kind::forward, 0, 1, from, (from + 1) % network.ranks(), {1000}));
    }
    network.expect(std::move(plan));
    const auto before = total();
    network.send((network.rank() + 1) % network.ranks(),
                 {{0, 1, message_kind::forward}, under_test.to_device(pattern(4000, 1))});
    EXPECT_EQ(receive(under_test, 1).size(), 1U);
    finish(network);
    EXPECT_EQ(total().messages - before.messages, 1U);
    EXPECT_EQ(total().bytes - before.bytes, 4000U);
}

/// A rank that does not exist is an error at once.
inline void errors(const subject& under_test) {
    auto& network = under_test.network;
    EXPECT_ANY_THROW(network.send(network.ranks(), {{0, 1, message_kind::modules}, pattern(8, 1)}));
    EXPECT_ANY_THROW(network.send(-1, {{0, 1, message_kind::modules}, pattern(8, 1)}));
    finish(network);
}

inline void everything(const subject& under_test) {
    std::vector<std::pair<int, int>> all;
    for (int from = 0; from < under_test.network.ranks(); ++from) {
        for (int to = 0; to < under_test.network.ranks(); ++to) {
            all.emplace_back(from, to);
        }
    }
    under_test.network.connect(all);
    order_and_sizes(under_test);
    nothing_in_it(under_test);
    types_and_shapes(under_test);
    many_channels(under_test);
    sums(under_test);
    giving_up(under_test);
    broadcast_and_gather(under_test);
    counts(under_test);
    errors(under_test);
}

} // namespace gaisnet::conformance
