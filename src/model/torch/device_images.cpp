#include "model/torch/device_images.hpp"

#include "model/torch/torch_support.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace gaisnet {

namespace {

/// Weights [n, size, limit] of the source pixels for every output pixel along one axis: a triangle around the output
/// pixel's centre, as wide as the step and at least one pixel to each side. \param begin, length [n, 1, 1] of the view.
/// \param flipped [n, 1, 1], 0 or 1.
at::Tensor filter_weights(const at::Tensor& begin, const at::Tensor& length, const at::Tensor& flipped, int size,
                          std::int64_t limit) {
    const auto line = [&](std::int64_t count) { return at::arange(count, begin.options()) + 0.5; };
    const auto step = length / size;
    auto output = line(size).view({1, size, 1});
    output = output + flipped * (size - 2.0 * output);
    const auto centre = begin + output * step;
    const auto distance = (line(limit).view({1, 1, limit}) - centre) / step.clamp_min(1.0);
    const auto weights = (1.0 - distance.abs()).clamp_min(0.0);
    return (weights / weights.sum(2, true)).to(at::kFloat);
}

} // namespace

at::Tensor resample(const at::Tensor& images, const std::vector<picture_view>& views, int size) {
    const auto n = images.size(0), height = images.size(1), width = images.size(2);
    auto numbers = tensor_view::allocate({5 * n, 2}); // float64, stored in the space of two float32
    auto* number = reinterpret_cast<double*>(numbers.data);
    for (const auto field : {&picture_view::x, &picture_view::y, &picture_view::width, &picture_view::height}) {
        for (const auto& view : views) {
            *number++ = view.*field;
        }
    }
    for (const auto& view : views) {
        *number++ = view.flipped ? 1.0 : 0.0;
    }
    const auto all = on_device(numbers, images.device()).view(at::kDouble).view({5, n, 1, 1});
    const auto unflipped = at::zeros({}, all.options());
    const auto columns = filter_weights(all[0], all[2], all[4], size, width); // [n, size, width]
    const auto rows = filter_weights(all[1], all[3], unflipped, size, height);
    const auto values = images.permute({0, 1, 3, 2}).to(at::kFloat); // [n, height, 3, width]
    const auto narrow = at::matmul(values.reshape({n, height * 3, width}), columns.transpose(1, 2))
                            .view({n, height, 3, size})
                            .transpose(1, 2); // [n, 3, height, size]
    return at::matmul(rows.unsqueeze(1), narrow);
}

device_images::device_images(at::Device device, std::uint64_t room_bytes, image_supply& supply,
                             transform_spec transform, std::uint64_t seed)
    : device_(device)
    , supply_(supply)
    , transform_(transform)
    , seed_(seed)
    , room_(room_bytes) {}

device_images::~device_images() {
    for (const auto& [which, image] : coming_) {
        image.wait(); // its job may use a dataset that is destroyed before the job ends
    }
}

void device_images::expect(const request& wanted, decode_pool::haste when) {
    for (const auto sample : wanted.samples) {
        const auto which = key_of(wanted, sample);
        if (kept_.contains(which) || coming_.contains(which)) {
            continue;
        }
        coming_[which] =
            supply_.pool.submit<pixels>([this, data = wanted.data, quality = wanted.quality, sample,
                                         keep = full_] { return supply_.sensed(*data, sample, quality, seed_, keep); },
                                        when);
    }
}

at::Tensor device_images::upload(const image& picture) const {
    auto bytes = at::empty({picture.height, picture.width, 3},
                           at::TensorOptions().dtype(at::kByte).pinned_memory(device_.is_cuda()));
    std::memcpy(bytes.data_ptr(), picture.rgb.data(), picture.rgb.size());
    return bytes.to(device_, /*non_blocking=*/true);
}

at::Tensor device_images::image_of(const request& wanted, std::size_t sample) {
    const auto which = key_of(wanted, sample);
    if (const auto found = kept_.find(which); found != kept_.end()) {
        return found->second;
    }
    auto coming = coming_.extract(which);
    const auto picture = coming.mapped().get();
    auto tensor = upload(*picture);
    if (const auto bytes = picture->rgb.size(); bytes <= room_ - used_) {
        used_ += bytes;
        kept_.emplace(which, tensor);
    } else {
        full_ = true;
    }
    return tensor;
}

/// Processes images of equal size together; usually all have the same size.
template <typename View>
at::Tensor device_images::batch(const request& wanted, const View& view_of) {
    const c10::NoGradGuard no_gradients;
    expect(wanted, decode_pool::haste::now);
    const auto& samples = wanted.samples;
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::size_t>> by_size;
    std::vector<at::Tensor> images;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        // A sample that occurs twice in a batch and is not kept would have to be decoded twice.
        const auto first = std::find(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(i), samples[i]);
        const auto place = static_cast<std::size_t>(first - samples.begin());
        images.push_back(place < i ? images[place] : image_of(wanted, samples[i]));
        by_size[{images[i].size(0), images[i].size(1)}].push_back(i);
    }
    const int size = transform_.size;
    const picture_view all_of_it{0, 0, static_cast<double>(size), static_cast<double>(size), false};
    at::Tensor out;
    std::vector<at::Tensor> parts;
    std::vector<std::int64_t> order(samples.size());
    std::int64_t done = 0;
    for (const auto& [shape, members] : by_size) {
        std::vector<at::Tensor> some;
        std::vector<picture_view> views;
        for (const auto i : members) {
            some.push_back(images[i]);
            views.push_back(view_of(samples[i], static_cast<int>(shape.second), static_cast<int>(shape.first)));
            order[i] = done++;
        }
        const auto stacked = at::stack(some);
        const bool as_they_are = std::all_of(views.begin(), views.end(), [&](const picture_view& view) {
            return view == all_of_it && shape.first == size && shape.second == size;
        });
        parts.push_back(as_they_are ? stacked.permute({0, 3, 1, 2}).to(at::kFloat) : resample(stacked, views, size));
    }
    out = parts.front();
    if (parts.size() > 1) {
        auto places = tensor_view::allocate({static_cast<std::int64_t>(order.size())}, element_type::int64);
        std::copy(order.begin(), order.end(), places.as<std::int64_t>());
        out = at::cat(parts).index_select(0, on_device(places, device_));
    }
    std::vector<at::Tensor> channels;
    for (std::int64_t c = 0; c < 3; ++c) {
        const auto deviation = transform_.std[static_cast<std::size_t>(c)];
        const auto mean = transform_.mean[static_cast<std::size_t>(c)];
        channels.push_back(out.select(1, c) * (1.0F / (255.0F * deviation)) - mean / deviation);
    }
    return at::stack(channels, 1);
}

at::Tensor device_images::validation_batch(const request& wanted) {
    return batch(wanted,
                 [&](std::size_t, int width, int height) { return validation_view(width, height, transform_.size); });
}

at::Tensor device_images::training_batch(const request& wanted, std::uint32_t epoch) {
    return batch(wanted, [&](std::size_t sample, int width, int height) {
        return training_view(width, height, seed_, wanted.data->name(sample), epoch);
    });
}

} // namespace gaisnet
