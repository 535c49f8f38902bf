#pragma once

// What every transport has to keep: run by each rank with its own transport object.

#include "transport/transport.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <map>
#include <numeric>
#include <thread>

namespace gaisnet::conformance {

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

/// The next `count` messages, or fewer when nothing comes for 20 s.
inline std::vector<message> receive(transport& network, std::size_t count) {
    std::vector<message> arrived;
    auto last = std::chrono::steady_clock::now();
    while (arrived.size() < count && std::chrono::steady_clock::now() - last < std::chrono::seconds(20)) {
        if (auto next = network.poll()) {
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

/// Every rank sends messages of all sizes to every rank, itself included, at once; each pair's come in order and whole.
inline void order_and_sizes(transport& network) {
    const std::int64_t sizes[] = {0, 4, 1000, 40'000, 0, 3'000'000, 64 << 20, 8, 500'000};
    const auto ranks = static_cast<std::uint32_t>(network.ranks()), me = static_cast<std::uint32_t>(network.rank());
    for (std::uint32_t number = 0; number < std::size(sizes); ++number) {
        for (std::uint32_t to = 0; to < ranks; ++to) {
            // The large one goes to the next rank only, to keep memory small.
            const auto size = sizes[number] >= 64 << 20 && to != (me + 1) % ranks ? 16 : sizes[number];
            network.send(static_cast<int>(to), {{me, to, message_kind::forward}, pattern(size, me * 100 + number)});
        }
    }
    std::map<std::uint32_t, std::uint32_t> next;
    const auto arrived = receive(network, std::size(sizes) * ranks);
    ASSERT_EQ(arrived.size(), std::size(sizes) * ranks);
    for (const auto& one : arrived) {
        const auto number = next[one.route.from]++;
        EXPECT_EQ(one.route.to, me);
        EXPECT_EQ(one.route.kind, message_kind::forward);
        const auto large = sizes[number] >= 64 << 20 && me != (one.route.from + 1) % ranks;
        EXPECT_EQ(one.tensor.bytes(), static_cast<std::size_t>(large ? 16 : sizes[number])) << "message " << number;
        EXPECT_TRUE(holds_pattern(one.tensor, one.route.from * 100 + number)) << "message " << number;
    }
    finish(network);
}

/// Type and shape arrive as they were sent.
inline void types_and_shapes(transport& network) {
    const int to = (network.rank() + 1) % network.ranks();
    auto labels = tensor_view::allocate({7}, element_type::int64);
    std::iota(labels.as<std::int64_t>(), labels.as<std::int64_t>() + 7, std::int64_t{-3});
    auto tokens = tensor_view::allocate({2, 3, 5});
    std::fill_n(tokens.as<float>(), 30, 1.5F);
    network.send(to, {{1, 2, message_kind::label}, labels});
    network.send(to, {{1, 2, message_kind::gradient}, tokens});
    const auto arrived = receive(network, 2);
    ASSERT_EQ(arrived.size(), 2U);
    EXPECT_EQ(arrived[0].tensor.type, element_type::int64);
    EXPECT_EQ(arrived[0].tensor.as<std::int64_t>()[6], 3);
    EXPECT_EQ(arrived[1].route.kind, message_kind::gradient);
    EXPECT_EQ(arrived[1].tensor.shape, (std::vector<std::int64_t>{2, 3, 5}));
    EXPECT_EQ(arrived[1].tensor.as<float>()[29], 1.5F);
    finish(network);
}

/// Sums over several groups, several under way at once.
inline void sums(transport& network) {
    std::vector<int> everyone(static_cast<std::size_t>(network.ranks()));
    std::iota(everyone.begin(), everyone.end(), 0);
    std::vector<int> half(everyone.begin(), everyone.begin() + (network.ranks() + 1) / 2);
    const std::vector<int> alone{network.rank()};
    const bool in_half = network.rank() < static_cast<int>(half.size());
    network.prepare(everyone);
    if (in_half) {
        network.prepare(half);
    }
    network.prepare(alone);
    const auto make = [](std::size_t size, std::int64_t value) {
        return std::make_shared<std::vector<std::int64_t>>(size, value);
    };
    const auto all = make(10'001, 0), some = make(77, std::int64_t{1} << network.rank()), own = make(5, 9);
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
        while (!one->done()) {
            std::this_thread::yield();
        }
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

inline void broadcast_and_gather(transport& network) {
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
inline void counts(transport& network) {
    const auto total = [&] {
        transport_counters sum;
        for (const auto& one : network.counters()) {
            sum.messages += one.messages;
            sum.bytes += one.bytes;
        }
        return sum;
    };
    const auto before = total();
    network.send((network.rank() + 1) % network.ranks(), {{0, 1, message_kind::forward}, pattern(4000, 1)});
    EXPECT_EQ(receive(network, 1).size(), 1U);
    EXPECT_EQ(total().messages - before.messages, 1U);
    EXPECT_EQ(total().bytes - before.bytes, 4000U);
    finish(network);
}

inline void everything(transport& network) {
    order_and_sizes(network);
    types_and_shapes(network);
    sums(network);
    broadcast_and_gather(network);
    counts(network);
}

} // namespace gaisnet::conformance
