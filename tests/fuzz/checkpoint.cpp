// A checkpoint. The first byte says which of its files has the fuzzer's bytes; the marker's hashes are right, so that
// what lies behind them is read.

#include "fuzz.hpp"

#include "base/random.hpp"
#include "model/files/safetensors.hpp"
#include "rounds/checkpoint.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

namespace {

using namespace gaisnet;

std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// A checkpoint that is whole.
checkpoint whole() {
    checkpoint state;
    state.identity = "seed = 1\n";
    state.created = "2026-01-02T03:04:05Z";
    state.step = 1;
    state.rounds = {{{0.5, 0.25, 0.5, 0.25, 1.0}}};
    state.sessions = {{{0, {{1, 0.5}}}}};
    state.models = {tensor_view::allocate({2})};
    state.models[0].as<float>()[0] = state.models[0].as<float>()[1] = 1.0F;
    state.stages["c0.0"] = {{{"momentum", state.models[0]}}, 3};
    return state;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto directory = [] {
        write_checkpoint(fuzz::folder(), whole(), 1);
        return fuzz::folder() / "round_000001";
    }();
    static const std::string meta = text_of(directory / "checkpoint.json"),
                             tensors = text_of(directory / "state.safetensors"), marker = text_of(directory / "DONE");
    if (size == 0) {
        return 0;
    }
    const std::string_view given(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto write = [&](const char* name, std::string_view text) {
        std::ofstream(directory / name, std::ios::binary) << text;
    };
    const auto line = [](const char* name, std::string_view text) {
        return fmt::format("{} {:016x}\n", name, stable_hash(text));
    };
    const auto which = data[0] % 4;
    if (which == 3) {
        std::ofstream(fuzz::folder() / "run.json", std::ios::binary) << given;
        marked_run(fuzz::folder());
        return 0;
    }
    const auto my_meta = which == 0 ? given : std::string_view(meta);
    const auto my_tensors = which == 1 ? given : std::string_view(tensors);
    write("checkpoint.json", my_meta);
    write("state.safetensors", my_tensors);
    write("DONE", which == 2 ? std::string(given)
                             : marker.substr(0, marker.find('\n') + 1) + line("checkpoint.json", my_meta) +
                                   line("state.safetensors", my_tensors));
    fuzz::expect_own_error([&] { read_checkpoint(directory); });
    return 0;
}
