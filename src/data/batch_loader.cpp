#include "data/batch_loader.hpp"

#include "base/random.hpp"

#include <algorithm>

namespace gaisnet {

namespace {

labelled_batch empty_batch(std::size_t count, const transform_spec& transform) {
    const auto n = static_cast<std::int64_t>(count);
    return {tensor_view::allocate({n, 3, transform.size, transform.size}),
            tensor_view::allocate({n}, element_type::int64)};
}

} // namespace

batch_loader::batch_loader(const dataset& data, std::vector<std::size_t> samples, loader_settings settings,
                           decode_pool& pool)
    : data_(data)
    , samples_(std::move(samples))
    , settings_(std::move(settings))
    , pool_(pool) {}

batch_loader::~batch_loader() {
    if (next_.valid()) {
        next_.wait(); // it uses this object
    }
}

std::int64_t batch_loader::batches() const {
    return (static_cast<std::int64_t>(samples_.size()) + settings_.batch - 1) / settings_.batch;
}

labelled_batch batch_loader::make(place where) const {
    const auto order =
        random_stream(settings_.seed, "shuffle", settings_.owner, static_cast<std::uint32_t>(where.epoch))
            .permutation(samples_.size());
    const auto first = static_cast<std::size_t>(where.index * settings_.batch);
    const auto end = std::min(first + static_cast<std::size_t>(settings_.batch), samples_.size());
    auto out = empty_batch(end - first, settings_.transform);
    const auto values = static_cast<std::size_t>(3 * settings_.transform.size * settings_.transform.size);
    for (auto i = first; i < end; ++i) {
        const auto sample = samples_[order[i]];
        const auto picture = data_.load(sample);
        auto* to = out.images.as<float>() + (i - first) * values;
        if (settings_.augment) {
            transform_train(picture, settings_.transform, settings_.seed, data_.name(sample),
                            static_cast<std::uint32_t>(where.epoch), to);
        } else {
            transform_validation(picture, settings_.transform, to);
        }
        out.labels.as<std::int64_t>()[i - first] = data_.label(sample);
    }
    return out;
}

const labelled_batch& batch_loader::get(std::int64_t epoch, std::int64_t index) {
    const place wanted{epoch, index};
    if (current_place_ == wanted) {
        return current_;
    }
    const bool ready = next_.valid() && next_place_ == wanted;
    if (next_.valid()) {
        auto ahead = next_.get();
        if (ready) {
            current_ = std::move(ahead);
        }
    }
    if (!ready) {
        current_ = make(wanted);
    }
    current_place_ = wanted;
    next_place_ = index + 1 < batches() ? place{epoch, index + 1} : place{epoch + 1, 0};
    next_ = pool_.submit<labelled_batch>([this, where = *next_place_] { return make(where); });
    return current_;
}

labelled_batch load_batch(const dataset& data, const std::vector<std::size_t>& samples,
                          const transform_spec& transform) {
    auto out = empty_batch(samples.size(), transform);
    const auto values = static_cast<std::size_t>(3 * transform.size * transform.size);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        transform_validation(data.load(samples[i]), transform, out.images.as<float>() + i * values);
        out.labels.as<std::int64_t>()[i] = data.label(samples[i]);
    }
    return out;
}

} // namespace gaisnet
