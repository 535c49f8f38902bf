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

/// Keeps decoded images as bytes in the memory of a GPU while there is space, and makes model inputs from them there.
/// For an image that is kept, a step copies only its view (five numbers). Images that no longer fit are decoded and
/// copied each time.
///
/// The views and pixels are those of batch_loader on the CPU; values differ by rounding.
class device_images {
public:
    /// The images of a batch, and how they are sensed. The dataset must outlive this object.
    struct request {
        const dataset* data;
        std::vector<std::size_t> samples;
        sample_quality quality{};
    };

    /// \param device any; tests use the CPU. \param room_bytes limit for kept images. \param supply decodes; must
    /// outlive this object. \param seed for quality and augmentation.
    device_images(at::Device device, std::uint64_t room_bytes, image_supply& supply, transform_spec transform,
                  std::uint64_t seed);
    ~device_images();

    /// Starts to decode the images that are not kept yet.
    void expect(const request&, decode_pool::haste = decode_pool::haste::later);
    /// The centre of each image, as in transform_validation, float32 [n, 3, size, size], normalised. \throws
    /// decode_error
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
    bool full_ = false;                       ///< An image did not fit, so the supply keeps the later ones.
    std::map<sensed_image, at::Tensor> kept_; ///< uint8 [height, width, 3]
    std::map<sensed_image, std::future<pixels>> coming_;
};

/// Resamples parts of images of one size to float32 [n, 3, size, size], 0 to 255: like resample() in
/// data/transform.hpp, but as matrix products with the filter's weights. \param images uint8 [n, height, width, 3].
at::Tensor resample(const at::Tensor& images, const std::vector<picture_view>&, int size);

} // namespace gaisnet
