#include "rounds/checkpoint.hpp"

#include "base/error.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

tensor_view tensor(const std::vector<float>& values) {
    auto out = tensor_view::allocate({static_cast<std::int64_t>(values.size())});
    std::copy(values.begin(), values.end(), out.as<float>());
    return out;
}

std::vector<float> values_of(const tensor_view& tensor) {
    return {tensor.as<float>(), tensor.as<float>() + tensor.elements()};
}

/// What a round without training has for its training results.
constexpr double untrained = std::numeric_limits<double>::quiet_NaN();

/// Two edges and two stages after `rounds` rounds.
checkpoint state_after(int rounds) {
    checkpoint state;
    state.identity = "seed = 1\ntrain.lr = 0.1 \"quoted\" \\ \xc3\xa9\n";
    for (int round = 1; round <= rounds; ++round) {
        state.rounds.push_back({{0.1 * round, 1.0 / 3.0, 0.25, 2.5, 0.75}, {0.9, 1e-300, untrained, untrained, 1e9}});
    }
    state.created = "2026-01-02T03:04:05Z";
    state.step = static_cast<std::size_t>(rounds);
    state.sessions = {{{0, {{3, 0.75}, {0, untrained}}}, {7, {{18446744073709551615ULL, 1.0 / 3.0}}}}, {}};
    state.transports = {{3, "nccl", 18446744073709551615ULL, 7}};
    state.probes = {{2, "cloud", "domain 1", false, "class means", 1.0 / 3.0, 20}};
    state.fidelity = {{1, 2, 3, "forward", 0.1, 0.2, 0.3, 0.4, 0.5, 0.6}};
    state.models = {tensor({1.0F, -0.0F, 0.1F}), tensor({3.4e38F, 1e-45F})};
    state.stages["c0.0"].tensors["momentum"] = tensor({0.5F});
    state.stages["c0.0"].steps = 12345678901LL;
    state.stages["c1.3"].tensors["exp_avg"] = tensor({7.0F, 8.0F});
    state.stages["c1.3"].tensors["exp_avg_sq"] = tensor({9.0F, 10.0F});
    state.stages["c1.3"].steps = 3;
    state.stages["edge0"].steps = 4; // nothing tuned there
    return state;
}

class checkpoints : public in_temporary_folder {
protected:
    std::vector<std::string> entries() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder_)) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    static std::string content(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void overwrite(const fs::path& path, const std::string& text) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    }

    /// Replaces the one place where `from` stands in the description of a checkpoint.
    static void edit(const fs::path& directory, const std::string& from, const std::string& to) {
        auto text = content(directory / "checkpoint.json");
        const auto place = text.find(from);
        ASSERT_NE(place, std::string::npos) << text;
        overwrite(directory / "checkpoint.json", text.replace(place, from.size(), to));
    }

    static void rejects(const fs::path& directory, const std::string& because) {
        EXPECT_THAT([&] { read_checkpoint(directory); },
                    ThrowsMessage<usage_error>(AllOf(HasSubstr(directory.string()), HasSubstr(because))));
    }

    fs::path folder_ = temporary / "run.ckpt";
};

TEST_F(checkpoints, folder_stands_beside_the_output) {
    EXPECT_EQ(checkpoint_folder("results/flowers.h5"), fs::path("results/flowers.ckpt"));
    EXPECT_EQ(checkpoint_folder("run"), fs::path("run.ckpt"));
}

TEST_F(checkpoints, all_of_it_comes_back_bit_for_bit) {
    const auto before = state_after(3);
    write_checkpoint(folder_, before, 2);
    EXPECT_THAT(entries(), ElementsAre("round_000003"));
    const auto after = read_checkpoint(newest_checkpoint(folder_).value());
    EXPECT_EQ(after.identity, before.identity);
    EXPECT_EQ(after.created, before.created);
    ASSERT_EQ(after.transports.size(), 1U);
    EXPECT_EQ(after.transports[0].transport, "nccl");
    EXPECT_EQ(after.transports[0].messages, before.transports[0].messages);
    ASSERT_EQ(after.probes.size(), 1U);
    EXPECT_EQ(after.probes[0].domain, "domain 1");
    EXPECT_FALSE(after.probes[0].seen);
    EXPECT_EQ(after.probes[0].accuracy, before.probes[0].accuracy);
    ASSERT_EQ(after.fidelity.size(), 1U);
    EXPECT_EQ(after.fidelity[0].timer_s, 0.6);
    EXPECT_EQ(after.step, 3U);
    ASSERT_EQ(after.sessions.size(), 2U);
    ASSERT_EQ(after.sessions[0].size(), 2U);
    EXPECT_EQ(after.sessions[0].at(0).at(0).predicted, 3U);
    EXPECT_TRUE(std::isnan(after.sessions[0].at(0).at(1).probability));
    EXPECT_EQ(after.sessions[0].at(7).at(0).predicted, 18446744073709551615ULL);
    EXPECT_EQ(after.sessions[0].at(7).at(0).probability, 1.0 / 3.0);
    EXPECT_TRUE(after.sessions[1].empty());
    ASSERT_EQ(after.rounds.size(), 3U);
    for (std::size_t round = 0; round < 3; ++round) {
        ASSERT_EQ(after.rounds[round].size(), 2U);
        for (std::size_t edge = 0; edge < 2; ++edge) {
            const auto &a = after.rounds[round][edge], &b = before.rounds[round][edge];
            EXPECT_EQ(a.accuracy, b.accuracy);
            EXPECT_EQ(a.loss, b.loss);
            EXPECT_TRUE(a.train_accuracy == b.train_accuracy || (edge == 1 && std::isnan(a.train_accuracy)));
            EXPECT_TRUE(a.train_loss == b.train_loss || (edge == 1 && std::isnan(a.train_loss)));
            EXPECT_EQ(a.wall_s, b.wall_s);
        }
    }
    ASSERT_EQ(after.models.size(), 2U);
    for (std::size_t edge = 0; edge < 2; ++edge) {
        EXPECT_EQ(values_of(after.models[edge]), values_of(before.models[edge]));
        EXPECT_EQ(after.models[edge].shape, before.models[edge].shape);
    }
    ASSERT_EQ(after.stages.size(), before.stages.size());
    for (const auto& [name, stage] : before.stages) {
        EXPECT_EQ(after.stages.at(name).steps, stage.steps);
        ASSERT_EQ(after.stages.at(name).tensors.size(), stage.tensors.size()) << name;
        for (const auto& [key, value] : stage.tensors) {
            EXPECT_EQ(values_of(after.stages.at(name).tensors.at(key)), values_of(value));
        }
    }
}

TEST_F(checkpoints, the_newest_ones_are_kept) {
    for (const int round : {8, 9, 10, 11}) {
        write_checkpoint(folder_, state_after(round), 2);
    }
    EXPECT_THAT(entries(), ElementsAre("round_000010", "round_000011"));
    EXPECT_EQ(newest_checkpoint(folder_)->filename(), "round_000011");
    write_checkpoint(folder_, state_after(12), 1);
    EXPECT_THAT(entries(), ElementsAre("round_000012"));
}

TEST_F(checkpoints, a_round_may_be_written_again) {
    auto state = state_after(2);
    write_checkpoint(folder_, state, 2);
    state.identity = "other";
    write_checkpoint(folder_, state, 2);
    EXPECT_THAT(entries(), ElementsAre("round_000002"));
    EXPECT_EQ(read_checkpoint(folder_ / "round_000002").identity, "other");
}

TEST_F(checkpoints, only_the_marker_makes_one_count) {
    EXPECT_FALSE(newest_checkpoint(folder_)); // nor does a missing folder
    write_checkpoint(folder_, state_after(1), 3);
    write_checkpoint(folder_, state_after(2), 3);
    fs::remove(folder_ / "round_000002" / "DONE");
    EXPECT_EQ(newest_checkpoint(folder_)->filename(), "round_000001");
    rejects(folder_ / "round_000002", "no DONE marker");
    // Those that do not count are not counted among those to keep either.
    write_checkpoint(folder_, state_after(3), 2);
    EXPECT_EQ(newest_checkpoint(folder_)->filename(), "round_000003");
    EXPECT_NO_THROW(read_checkpoint(folder_ / "round_000001"));
}

TEST_F(checkpoints, later_ones_than_where_a_run_goes_on_are_removed) {
    for (int round = 1; round <= 3; ++round) {
        write_checkpoint(folder_, state_after(round), 9);
    }
    remove_checkpoints_after(folder_, 2);
    EXPECT_EQ(newest_checkpoint(folder_), folder_ / "round_000002");
    remove_checkpoints_after(folder_, 0);
    EXPECT_FALSE(newest_checkpoint(folder_));
    remove_checkpoints_after(folder_ / "none", 0); // nothing to do
}

TEST_F(checkpoints, what_is_none_is_named) {
    rejects(folder_ / "round_000007", "no such checkpoint folder");
    write_checkpoint(folder_, state_after(1), 2);
    rejects(folder_, "round_NNNNNN");                                        // the folder above
    rejects(folder_ / "round_000001" / "DONE", "no such checkpoint folder"); // a file
}

TEST_F(checkpoints, damaged_descriptions_are_named) {
    write_checkpoint(folder_, state_after(1), 2);
    const auto directory = folder_ / "round_000001";
    const auto whole = content(directory / "checkpoint.json");
    for (const std::string& text : {std::string(), whole.substr(0, whole.size() / 2), std::string("[]"),
                                    std::string("{\"format\": 1}"), std::string("{\"format\": \"one\"}")}) {
        overwrite(directory / "checkpoint.json", text);
        rejects(directory, "is damaged");
    }
    fs::remove(directory / "checkpoint.json");
    rejects(directory, "cannot be read");
}

// What still is JSON or a tensor, but with another number in it.
TEST_F(checkpoints, a_changed_value_is_found) {
    write_checkpoint(folder_, state_after(2), 2);
    const auto directory = folder_ / "round_000002";
    const auto whole = content(directory / "checkpoint.json");
    edit(directory, "\"optimizer_steps\"", "\"optimizer_stepz\"");
    rejects(directory, "checkpoint.json is damaged");
    overwrite(directory / "checkpoint.json", whole);
    EXPECT_NO_THROW(read_checkpoint(directory));
    auto tensors = content(directory / "state.safetensors");
    tensors[tensors.size() - 2] = static_cast<char>(tensors[tensors.size() - 2] ^ 1);
    overwrite(directory / "state.safetensors", tensors);
    rejects(directory, "state.safetensors is damaged");
}

TEST_F(checkpoints, other_formats_are_named) {
    write_checkpoint(folder_, state_after(1), 2);
    const auto directory = folder_ / "round_000001";
    const auto whole = content(directory / "DONE");
    for (const std::string& text : {std::string("complete\n"), std::string(), "x" + whole}) {
        overwrite(directory / "DONE", text);
        rejects(directory, "damaged");
    }
    overwrite(directory / "DONE", std::string(whole).insert(whole.find('\n'), "0")); // format 30
    rejects(directory, "another version");
    EXPECT_THROW(read_checkpoint(directory), other_version);
    for (const auto size : {whole.find('\n') + 1, whole.find("state")}) {
        overwrite(directory / "DONE", whole.substr(0, size));
        rejects(directory, "there is no hash");
    }
    overwrite(directory / "DONE", whole);
    EXPECT_NE(read_checkpoint(directory).content, 0U);
}

TEST_F(checkpoints, damaged_tensors_are_named) {
    write_checkpoint(folder_, state_after(1), 2);
    const auto directory = folder_ / "round_000001";
    const auto whole = content(directory / "state.safetensors");
    for (const auto size : {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
        overwrite(directory / "state.safetensors", whole.substr(0, size));
        rejects(directory, "state.safetensors");
    }
    fs::remove(directory / "state.safetensors");
    rejects(directory, "state.safetensors");
}

TEST_F(checkpoints, a_folder_says_whose_it_is) {
    EXPECT_EQ(marked_run(folder_).identity, "");
    mark_run(folder_, {"seed = 1\n", false});
    EXPECT_EQ(marked_run(folder_).identity, "seed = 1\n");
    EXPECT_FALSE(marked_run(folder_).ended);
    mark_run(folder_, {"seed = 1\n", true});
    EXPECT_TRUE(marked_run(folder_).ended);
    overwrite(folder_ / "run.json", "{\"identity\": \"seed = 1\"");
    EXPECT_EQ(marked_run(folder_).identity, "") << "torn";
}

TEST_F(checkpoints, unwritable_folders_are_named) {
    overwrite(folder_, "a file where the folder should be");
    EXPECT_THAT([&] { write_checkpoint(folder_, state_after(1), 2); },
                ThrowsMessage<runtime_failure>(AllOf(HasSubstr(folder_.string()), HasSubstr("cannot be made"))));
}

// Rounds say one edge, the tensors two (or the other way round): parts of two runs, put together by hand.
TEST_F(checkpoints, parts_that_do_not_belong_together_are_refused) {
    auto state = state_after(1);
    state.rounds[0].pop_back();
    write_checkpoint(folder_, state, 2);
    EXPECT_THROW(read_checkpoint(folder_ / "round_000001"), usage_error);
}

} // namespace
} // namespace gaisnet
