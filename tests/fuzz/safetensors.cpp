// Weights: a safetensors file, the index of several, and what a Vision Transformer is made of.

#include "fuzz.hpp"

#include "model/files/backbone_match.hpp"
#include "model/files/safetensors.hpp"
#include "model/vit/vit.hpp"

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gaisnet;
    const auto path = fuzz::put("model.safetensors", {data, size});
    fuzz::expect_own_error([&] {
        const safetensors_file file(path);
        for (const auto& tensor : file.tensors()) {
            fuzz::expect_own_error([&] { file.float32(tensor.name); });
            fuzz::expect_own_error([&] { file.int64(tensor.name); });
        }
        model_settings tiny;
        tiny.image = 16;
        tiny.patch = 8;
        tiny.dim = 4;
        tiny.depth = 1;
        tiny.heads = 1;
        read_backbone(file, vit(tiny));
    });
    return 0;
}
