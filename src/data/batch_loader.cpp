#include "data/batch_loader.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <stdexcept>

namespace gaisnet {

namespace {

/// Batches that are decoded before they are asked for.
constexpr std::size_t depth = 2;

labelled_batch empty_batch(std::size_t count, const transform_spec& transform) {
    const auto n = static_cast<std::int64_t>(count);
    return {tensor_view::allocate({n, 3, transform.size, transform.size}),
            tensor_view::allocate({n}, element_type::int64)};
}

std::size_t values_of(const transform_spec& transform) {
    return 3 * static_cast<std::size_t>(transform.size) * static_cast<std::size_t>(transform.size);
}

std::int64_t label_of(const dataset& data, std::size_t sample, const loader_settings& settings) {
    const auto classes = static_cast<std::int64_t>(data.class_names().size());
    return sensed_label(data.label(sample), classes, settings.quality, settings.seed, data.name(sample));
}

template <typename Label>
tensor_view all_labels(const std::vector<std::size_t>& samples, const Label& label) {
    auto out = tensor_view::allocate({static_cast<std::int64_t>(samples.size())}, element_type::int64);
    std::transform(samples.begin(), samples.end(), out.as<std::int64_t>(), label);
    return out;
}

} // namespace

tensor_view sensed_labels(const dataset& data, const std::vector<std::size_t>& samples,
                          const loader_settings& settings) {
    return all_labels(samples, [&](std::size_t sample) { return label_of(data, sample, settings); });
}

tensor_view labels_of(const dataset& data, const std::vector<std::size_t>& samples) {
    return all_labels(samples, [&](std::size_t sample) { return data.label(sample); });
}

batch_loader::batch_loader(const dataset& data, std::vector<std::size_t> samples, loader_settings settings,
                           image_supply& supply)
    : data_(data)
    , schedule_(std::move(samples), settings.batch, settings.seed, settings.owner, settings.stream)
    , settings_(std::move(settings))
    , supply_(supply) {}

batch_loader::~batch_loader() {
    for (const auto& one : ahead_) {
        one.coming.jobs.wait(); // the jobs use this object
    }
}

tensor_view batch_loader::labels(std::int64_t epoch, std::int64_t index) {
    return sensed_labels(data_, schedule_.batch(epoch, index), settings_);
}

void batch_loader::prepare(std::size_t sample, std::int64_t epoch, float* image, std::int64_t* label) const {
    const auto sensed = supply_.sensed(data_, sample, settings_.quality, settings_.seed);
    if (settings_.augment) {
        transform_train(*sensed, settings_.transform, settings_.seed, data_.name(sample),
                        static_cast<std::uint32_t>(epoch), image);
    } else {
        transform_validation(*sensed, settings_.transform, image);
    }
    *label = label_of(data_, sample, settings_);
}

batch_loader::ahead batch_loader::begin(place where, decode_pool::haste when) {
    const auto samples = schedule_.batch(where.epoch, where.index);
    return {where, begin_batch(samples, settings_.transform, supply_.pool, when,
                               [this, epoch = where.epoch](std::size_t sample, float* image, std::int64_t* label) {
                                   prepare(sample, epoch, image, label);
                               })};
}

void batch_loader::drop_all_but(place wanted) {
    while (!ahead_.empty() && !(ahead_.front().where == wanted)) {
        ahead_.front().coming.jobs.wait(); // not get(): nobody asked for this batch, so its errors are dropped
        ahead_.pop_front();
    }
}

void batch_loader::look_ahead(place from) {
    auto next = from;
    for (std::size_t i = 0; i < depth; ++i) {
        next = next.index + 1 < batches() ? place{next.epoch, next.index + 1} : place{next.epoch + 1, 0};
        if (i == ahead_.size()) { // otherwise the last call has already started it
            ahead_.push_back(begin(next, decode_pool::haste::later));
        }
    }
}

const labelled_batch& batch_loader::get(std::int64_t epoch, std::int64_t index) {
    const place wanted{epoch, index};
    if (epoch < 0 || index < 0 || index >= batches()) {
        schedule_.batch(epoch, index); // throws
    }
    if (current_place_ == wanted) {
        return current_;
    }
    drop_all_but(wanted);
    if (ahead_.empty()) {
        ahead_.push_back(begin(wanted, decode_pool::haste::now));
    }
    current_place_.reset(); // if get() throws, current_ holds no batch
    auto ready = std::move(ahead_.front());
    ahead_.pop_front();
    current_ = ready.coming.get();
    current_place_ = wanted;
    look_ahead(wanted);
    return current_;
}

coming_batch begin_batch(const std::vector<std::size_t>& samples, const transform_spec& transform, decode_pool& pool,
                         decode_pool::haste when,
                         const std::function<void(std::size_t sample, float* image, std::int64_t* label)>& fill) {
    coming_batch out{empty_batch(samples.size(), transform), {}};
    const auto parts = std::min(samples.size(), pool.threads());
    for (std::size_t part = 0; part < parts; ++part) {
        const auto begin = samples.size() * part / parts, end = samples.size() * (part + 1) / parts;
        out.jobs.add(pool.submit<void>(
            [fill, begin, batch = out.batch, values = values_of(transform),
             some = std::vector<std::size_t>(samples.begin() + static_cast<std::ptrdiff_t>(begin),
                                             samples.begin() + static_cast<std::ptrdiff_t>(end))] {
                for (std::size_t i = 0; i < some.size(); ++i) {
                    fill(some[i], batch.images.as<float>() + (begin + i) * values,
                         batch.labels.as<std::int64_t>() + begin + i);
                }
            },
            when));
    }
    return out;
}

coming_batch begin_batch(const dataset& data, const std::vector<std::size_t>& samples, const transform_spec& transform,
                         image_supply& supply, decode_pool::haste when) {
    return begin_batch(samples, transform, supply.pool, when,
                       [&data, &supply, transform](std::size_t sample, float* image, std::int64_t* label) {
                           transform_validation(*supply.sensed(data, sample, {}, 0), transform, image);
                           *label = data.label(sample);
                       });
}

labelled_batch load_batch(const dataset& data, const std::vector<std::size_t>& samples, const transform_spec& transform,
                          image_supply& supply) {
    return begin_batch(data, samples, transform, supply, decode_pool::haste::now).get();
}

} // namespace gaisnet
