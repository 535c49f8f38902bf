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

} // namespace

batch_loader::batch_loader(const dataset& data, std::vector<std::size_t> samples, loader_settings settings,
                           decode_pool& pool)
    : data_(data)
    , schedule_(std::move(samples), settings.batch, settings.seed, settings.owner, settings.stream)
    , settings_(std::move(settings))
    , pool_(pool) {}

batch_loader::~batch_loader() {
    for (const auto& one : ahead_) {
        one.batch.wait(); // its job uses this object
    }
}

std::int64_t batch_loader::label_of(std::size_t sample) const {
    const auto classes = static_cast<std::int64_t>(data_.class_names().size());
    return sensed_label(data_.label(sample), classes, settings_.quality, settings_.seed, data_.name(sample));
}

tensor_view batch_loader::labels(std::int64_t epoch, std::int64_t index) {
    const auto samples = schedule_.batch(epoch, index);
    auto out = tensor_view::allocate({static_cast<std::int64_t>(samples.size())}, element_type::int64);
    std::transform(samples.begin(), samples.end(), out.as<std::int64_t>(),
                   [this](std::size_t sample) { return label_of(sample); });
    return out;
}

labelled_batch batch_loader::make(const std::vector<std::size_t>& samples, std::int64_t epoch) const {
    auto out = empty_batch(samples.size(), settings_.transform);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto name = data_.name(samples[i]);
        const auto sensed = degrade(data_.load(samples[i]), settings_.quality, settings_.seed, name);
        auto* values = out.images.as<float>() + i * values_of(settings_.transform);
        if (settings_.augment) {
            transform_train(sensed, settings_.transform, settings_.seed, name, static_cast<std::uint32_t>(epoch),
                            values);
        } else {
            transform_validation(sensed, settings_.transform, values);
        }
        out.labels.as<std::int64_t>()[i] = label_of(samples[i]);
    }
    return out;
}

void batch_loader::drop_all_but(place wanted) {
    while (!ahead_.empty() && !(ahead_.front().where == wanted)) {
        ahead_.front().batch.wait(); // not get(): an error in a batch that nobody wants is nobody's
        ahead_.pop_front();
    }
}

void batch_loader::look_ahead(place from) {
    auto next = from;
    for (std::size_t i = 0; i < depth; ++i) {
        next = next.index + 1 < batches() ? place{next.epoch, next.index + 1} : place{next.epoch + 1, 0};
        if (i < ahead_.size()) {
            continue; // on its way since the last call
        }
        ahead_.push_back({next, pool_.submit<labelled_batch>([this, samples = schedule_.batch(next.epoch, next.index),
                                                              epoch = next.epoch] { return make(samples, epoch); })});
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
        current_place_.reset(); // current_ is no batch at all if this throws
        current_ = make(schedule_.batch(epoch, index), epoch);
    } else {
        auto ready = std::move(ahead_.front().batch);
        ahead_.pop_front();
        current_place_.reset();
        current_ = ready.get();
    }
    current_place_ = wanted;
    look_ahead(wanted);
    return current_;
}

labelled_batch load_batch(const dataset& data, const std::vector<std::size_t>& samples,
                          const transform_spec& transform) {
    auto out = empty_batch(samples.size(), transform);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        transform_validation(data.load(samples[i]), transform, out.images.as<float>() + i * values_of(transform));
        out.labels.as<std::int64_t>()[i] = data.label(samples[i]);
    }
    return out;
}

} // namespace gaisnet
