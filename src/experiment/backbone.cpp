#include "experiment/backbone.hpp"

#include "experiment/preparation.hpp"
#include "model/files/weight_store.hpp"
#include "model/torch/torch_support.hpp"

#include <ATen/ops/from_blob.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <map>

namespace gaisnet {

namespace {

/// Slower than this means a slow BLAS: reference BLAS reaches about 5 GFLOP/s a core, OpenBLAS 100.
constexpr double slow_gemm_gflops = 15.0;

/// Compares the scenario's normalisation with the one that `pretrain` stored in the weights.
void warn_of_normalisation(const scenario& scene, const std::map<std::string, std::string>& metadata) {
    const auto differs = [&](const char* key, const std::vector<double>& used) {
        const auto found = metadata.find(key);
        if (found != metadata.end() && found->second != numbers_text(used)) {
            spdlog::warn("the weights were trained on images with {} = {}, but data.{} = {}", key, found->second, key,
                         numbers_text(used));
        }
    };
    differs("mean", scene.data.mean);
    differs("std", scene.data.std);
}

/// The type in which a weight is stored: blocks may compute in bfloat16, but the final norm never does.
at::ScalarType type_of(const scenario& scene, const foundation_model& model, const std::string& name) {
    for (const auto& spec : model.norm_tensors()) {
        if (spec.name == name) {
            return at::kFloat;
        }
    }
    return scene.compute.precision == compute_precision::bf16 ? at::kBFloat16 : at::kFloat;
}

at::Tensor tensor_of(const weight_store& store, const tensor_spec& spec) {
    return at::from_blob(const_cast<float*>(store.tensor(spec.name).data()), spec.shape);
}

model_backbone backbone_on_cpu(const scenario& scene, const std::shared_ptr<const foundation_model>& model,
                               const std::shared_ptr<const weight_store>& store) {
    return make_backbone(model, [&](const tensor_spec& spec) {
        const auto type = type_of(scene, *model, spec.name);
        if (type != at::kFloat) {
            return tensor_of(*store, spec).to(type);
        }
        // The tensors keep the store alive, and thereby the mapped file.
        return at::from_blob(const_cast<float*>(store->tensor(spec.name).data()), spec.shape, [store](void*) {});
    });
}

/// All weights are in one allocation, because ranks that share a GPU share it.
model_backbone backbone_on_gpu(const scenario& scene, const std::shared_ptr<const foundation_model>& model,
                               const std::function<const weight_store&()>& store, session& here) {
    constexpr std::size_t alignment = 256;
    std::map<std::string, std::size_t> offsets;
    std::size_t bytes = 0;
    const auto all = model->tensors();
    for (const auto& spec : all) {
        offsets[spec.name] = bytes;
        const auto size =
            static_cast<std::size_t>(spec.elements()) * at::elementSize(type_of(scene, *model, spec.name));
        bytes += (size + alignment - 1) / alignment * alignment;
    }
    const auto place = [&](const tensor_view& memory, const tensor_spec& spec) {
        return at::from_blob(
            memory.data + offsets.at(spec.name), spec.shape, [owner = memory.owner](void*) mutable { owner.reset(); },
            at::TensorOptions().dtype(type_of(scene, *model, spec.name)).device(at::kCUDA));
    };
    const auto memory = here.gpu()->shared_weights(bytes, here.network(), [&](const tensor_view& made) {
        with_clear_errors([&] {
            for (const auto& spec : all) {
                place(made, spec).copy_(tensor_of(store(), spec));
            }
        });
    });
    return make_backbone(model, [&](const tensor_spec& spec) { return place(memory, spec); });
}

std::shared_ptr<const weight_store> open_weights(const scenario& scene, std::shared_ptr<const foundation_model> model,
                                                 const session& here) {
    auto store = weight_store::open(scene.model.weights, std::move(model), scene.model.cache);
    if (here.root()) {
        for (const auto& note : store->notes()) {
            spdlog::info("{}", note);
        }
        warn_of_normalisation(scene, store->metadata());
    }
    return store;
}

} // namespace

loaded_backbone load_backbone(const scenario& scene, session& here) {
    set_torch_threads(scene.runtime.threads);
    allow_tf32(scene.compute.precision == compute_precision::tf32);
    if (here.root() && !here.gpu()) {
        const double gflops = measure_gemm_gflops();
        if (gflops < slow_gemm_gflops) {
            spdlog::warn("matrix products run at {:.1f} GFLOP/s: is LibTorch linked to a reference BLAS? On Debian, "
                         "install libopenblas0-openmp",
                         gflops);
        }
        const bool halved = scene.compute.precision == compute_precision::bf16;
        if (const double half = halved ? measure_gemm_gflops(true) : gflops; half < 0.5 * gflops) {
            spdlog::warn("precision = bf16: matrix products run at {:.1f} GFLOP/s here, those of fp32 at {:.1f}", half,
                         gflops);
        }
    }
    // Opened lazily: drawing a large model takes seconds, and only the first of the ranks that share a GPU needs the
    // values.
    const auto model = make_model(scene);
    auto opened = std::make_shared<std::shared_ptr<const weight_store>>();
    const auto store = [opened, model, seed = scene.seed]() -> const weight_store& {
        if (!*opened) {
            *opened = weight_store::random(model, seed);
        }
        return **opened;
    };
    if (scene.model.weights != "random") {
        *opened = open_weights(scene, model, here);
    } else if (here.root()) {
        spdlog::warn("model.weights = random: the backbone is not pre-trained");
    }
    if (!here.gpu()) {
        store();
    }
    auto backbone = here.gpu() ? backbone_on_gpu(scene, model, store, here) : backbone_on_cpu(scene, model, *opened);
    return {std::make_shared<model_backbone>(std::move(backbone)), [store] { return store().fingerprint(); },
            [store](const tensor_spec& spec) {
                const auto values = store().tensor(spec.name);
                return std::vector<float>(values.begin(), values.end());
            }};
}

} // namespace gaisnet
