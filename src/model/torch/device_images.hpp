#pragma once

#include "data/image_supply.hpp"
#include "data/transform.hpp"

#include <ATen/TensorOperators.h>

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// Decoded images in the memory of a GPU, as bytes, while there is room; a model's inputs are made of them there. What is
/// here already costs a step no copy but that of the views (five numbers an image). Images that no longer fit are
/// decoded and copied each time they are asked for.
///
/// The same views of the same pixels as by batch_loader on the CPU; values differ by rounding.
class device_images {
public:
    /// Which images, and how they are sensed. The dataset must outlive this object.
    struct request {
        const dataset* data;
        std::vector<std::size_t> samples;
        sample_quality quality{};
    };

    /// \param device any; tests compute on the CPU. \param room_bytes for images that stay. The supply, which must
    /// outlive this object, decodes. \param seed of quality and augmentation.
    device_images(at::Device device, std::uint64_t room_bytes, image_supply& supply, transform_spec transform,
                  std::uint64_t seed);
    ~device_images();

    /// Begins to decode what is not here yet.
    void expect(const request&, decode_pool::haste = decode_pool::haste::later);
    /// The middle of each image, as transform_validation takes it, float32 [n, 3, size, size], normalised.
    /// \throws decode_error
    at::Tensor validation_batch(const request&);
    /// A random part of each image, as transform_train takes it in that epoch. \throws decode_error
    at::Tensor training_batch(const request&, std::uint32_t epoch);

    std::uint64_t kept_bytes() const { return used_; }

private:
    using pixels = std::shared_ptr<const image>;
    static sensed_image key_of(const request& wanted, std::size_t sample) {
        return {wanted.data, sample, wanted.quality.blur, wanted.quality.noise};
    }
    at::Tensor image_of(const request&, std::size_t sample);
    at::Tensor upload(const image&) const;
    template <typename View>
    at::Tensor batch(const request&, const View& view_of);

    at::Device device_;
    image_supply& supply_;
    transform_spec transform_;
    std::uint64_t seed_, room_, used_ = 0;
    bool full_ = false;                       ///< An image has not found room: what comes is kept by the supply.
    std::map<sensed_image, at::Tensor> kept_; ///< uint8 [height, width, 3]
    std::map<sensed_image, std::future<pixels>> coming_;
};

/// Parts of images of one size, resampled, float32 [n, 3, size, size], 0 to 255: data/transform.hpp's resample() as
/// products with the weights of its filter. \param images uint8 [n, height, width, 3].
at::Tensor resample(const at::Tensor& images, const std::vector<picture_view>&, int size);

} // namespace gaisnet
