// A tokenizer's file; what it makes of a text that follows a zero byte, and whether a stream agrees with decode().

#include "fuzz.hpp"

#include "text/tokenizer.hpp"

#include <algorithm>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gaisnet;
    const auto* end = std::find(data, data + size, 0);
    const auto path = fuzz::put("tokenizer.json", {data, end});
    const std::string_view text(reinterpret_cast<const char*>(end), static_cast<std::size_t>(data + size - end));
    fuzz::expect_own_error([&] {
        const auto words = read_tokenizer(path);
        const auto ids = words->encode(text, true);
        const auto decoded = words->decode(ids, false);
        const auto stream = words->stream(false);
        std::string streamed;
        for (const auto id : ids) {
            streamed += stream->push(id);
        }
        if (streamed + stream->finish() != decoded) {
            std::abort();
        }
    });
    return 0;
}
