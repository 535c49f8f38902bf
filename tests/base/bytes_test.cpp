#include "base/bytes.hpp"
#include "base/tensor_view.hpp"
#include "transport/collectives.hpp"
#include "transport/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace gaisnet {
namespace {

using testing::ElementsAre;

struct ship {
    std::string name;
    std::optional<int> masts;
    std::map<std::string, std::vector<double>> logs;
    static auto parts(auto& self) { return std::tie(self.name, self.masts, self.logs); }
};

template <typename T>
T through_bytes(const T& value) {
    byte_writer out;
    out.put(value);
    const auto bytes = out.take();
    byte_reader in(bytes);
    auto read = in.get<T>();
    EXPECT_TRUE(in.done());
    return read;
}

TEST(bytes, structs_are_packed_part_by_part) {
    const ship before{"Vasa", 3, {{"speed", {1.5, 0.0}}, {"", {}}}};
    const auto after = through_bytes(std::vector{before, ship{}});
    ASSERT_EQ(after.size(), 2U);
    EXPECT_EQ(after[0].name, before.name);
    EXPECT_EQ(after[0].masts, before.masts);
    EXPECT_EQ(after[0].logs, before.logs);
    EXPECT_FALSE(after[1].masts);
    EXPECT_EQ(through_bytes(std::pair(std::string("a"), std::vector<bool>{true, false})),
              std::pair(std::string("a"), (std::vector<bool>{true, false})));
}

TEST(bytes, tensors_keep_type_shape_and_values) {
    auto labels = tensor_view::allocate({2}, element_type::int64);
    labels.as<std::int64_t>()[0] = 7;
    labels.as<std::int64_t>()[1] = -1;
    const auto read = through_bytes(labels);
    EXPECT_EQ(read.type, element_type::int64);
    EXPECT_THAT(read.shape, ElementsAre(2));
    EXPECT_EQ(read.as<std::int64_t>()[1], -1);
    EXPECT_TRUE(through_bytes(tensor_view{}).empty());
}

TEST(bytes, less_than_was_written_is_a_failure) {
    byte_writer out;
    out.put(std::string("long"));
    auto bytes = out.take();
    bytes.pop_back();
    byte_reader in(bytes);
    EXPECT_THROW(in.get<std::string>(), runtime_failure);
}

TEST(collectives, root_shares_and_collects) {
    auto world = loopback_world(3);
    std::vector<std::jthread> threads;
    std::vector<std::vector<std::string>> everywhere(3), at_root(3);
    std::vector<std::string> shared(3);
    for (std::size_t rank = 0; rank < 3; ++rank) {
        threads.emplace_back([&, rank] {
            const auto own = "rank " + std::to_string(rank);
            shared[rank] = share_from_root(*world[rank], own);
            at_root[rank] = collect_at_root(*world[rank], own);
            everywhere[rank] = collect_everywhere(*world[rank], own);
        });
    }
    threads.clear();
    EXPECT_THAT(shared, ElementsAre("rank 0", "rank 0", "rank 0"));
    EXPECT_THAT(at_root[0], ElementsAre("rank 0", "rank 1", "rank 2"));
    EXPECT_TRUE(at_root[1].empty());
    EXPECT_EQ(everywhere[2], at_root[0]);
}

} // namespace
} // namespace gaisnet
