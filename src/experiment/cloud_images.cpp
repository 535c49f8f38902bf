#include "experiment/cloud_images.hpp"

#include "data/image_folder.hpp"
#include "data/procedural.hpp"
#include "experiment/image_check.hpp"

#include <fmt/format.h>

namespace gaisnet {

cloud_images::cloud_images(const scenario& scene, session& here, bool check)
    : seed_(scene.seed)
    , supply_(make_supply(scene, here)) {
    if (scene.pretrain.root.empty()) {
        make_procedural_domains(scene);
    } else {
        open_folder(scene, here, check);
    }
    form_.transform.size = static_cast<int>(scene.model.image);
    for (std::size_t c = 0; c < 3; ++c) {
        form_.transform.mean[c] = static_cast<float>(scene.data.mean[c]);
        form_.transform.std[c] = static_cast<float>(scene.data.std[c]);
    }
}

void cloud_images::open_folder(const scenario& scene, session& here, bool check) {
    constexpr const char* key = "pretrain.root";
    const auto& root = scene.pretrain.root;
    auto folder = scene.pretrain.objective == pretraining_kind::masked ? image_folder::without_labels(root, key)
                                                                       : image_folder(root, key);
    if (check) {
        content_ = check_images(folder, scene, here);
    }
    origin_ = root;
    augment_ = scene.data.augment;
    domains_.push_back(std::make_unique<image_folder>(std::move(folder)));
}

void cloud_images::make_procedural_domains(const scenario& scene) {
    const bool by_domain = scene.data.partition.by_domain();
    const int first = scene.data.domain;
    const int end = first + (by_domain ? first_cluster_of(scene, scene.network.edges) : scene.network.edges);
    for (int number = 0; static_cast<int>(domains_.size()) < scene.pretrain.domains; ++number) {
        if ((number < first || number >= end) && number != scene.probe.unseen) {
            domains_.push_back(make_procedural(
                {number, scene.data.classes, scene.model.image, scene.pretrain.samples, scene.seed + 1}));
        }
    }
    origin_ = fmt::format("{} procedural domain(s)", domains_.size());
}

std::string cloud_images::name(std::size_t index) const {
    return fmt::format("{}/{}", domain(index), data(index).name(at(index)));
}

labelled_batch cloud_images::load(std::span<const std::size_t> indices, std::uint32_t epoch) const {
    const auto fill = [&](std::size_t index, const labelled_batch& batch, std::size_t place) {
        auto* image = batch.inputs.as<float>() +
                      place * static_cast<std::size_t>(batch.inputs.elements() / batch.inputs.shape[0]);
        const auto whole = supply_->sensed(data(index), at(index), {}, seed_);
        if (augment_) {
            transform_train(*whole, form_.transform, seed_, name(index), epoch, image);
        } else {
            transform_validation(*whole, form_.transform, image);
        }
        batch.labels.as<std::int64_t>()[place] = data(index).label(at(index));
    };
    return begin_batch({indices.begin(), indices.end()}, form_, supply_->pool, decode_pool::haste::now, fill).get();
}

} // namespace gaisnet
