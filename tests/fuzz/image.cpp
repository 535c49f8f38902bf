// Images: JPEG and PNG, by their content.

#include "fuzz.hpp"

#include "data/image_codec.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gaisnet;
    const auto path = fuzz::put("image", {data, size});
    try {
        const auto picture = decode_image(path);
        if (picture.rgb.size() !=
            static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3) {
            std::abort();
        }
    } catch (const decode_error&) { // it is damaged
    }
    return 0;
}
