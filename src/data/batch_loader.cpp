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

std::vector<std::size_t> epoch_order(std::uint64_t seed, const std::string& owner, std::int64_t epoch,
                                     std::size_t samples) {
    return random_stream(seed, "shuffle", owner, static_cast<std::uint32_t>(epoch)).permutation(samples);
}

batch_loader::batch_loader(const dataset& data, std::vector<std::size_t> samples, loader_settings settings,
                           decode_pool& pool)
    : data_(data)
    , samples_(std::move(samples))
    , settings_(std::move(settings))
    , pool_(pool) {
    if (samples_.empty()) {
        throw usage_error("start point " + settings_.owner + " has no training samples; at least one is needed");
    }
    if (settings_.batch < 1) {
        throw usage_error("train.batch = " + std::to_string(settings_.batch) + "; 1 or more is accepted");
    }
}

batch_loader::~batch_loader() {
    for (const auto& one : ahead_) {
        one.batch.wait(); // its job uses this object
    }
}

std::int64_t batch_loader::at_hand() const {
    return settings_.stream ? settings_.stream->buffer : static_cast<std::int64_t>(samples_.size());
}

std::int64_t batch_loader::batches() const { return (at_hand() + settings_.batch - 1) / settings_.batch; }

/// The samples of an epoch in their order.
void batch_loader::begin_epoch(std::int64_t epoch) {
    std::vector<std::size_t> available = samples_;
    if (settings_.stream) {
        const auto size = static_cast<std::int64_t>(samples_.size());
        const auto first = epoch / settings_.stream->epochs_a_round * settings_.stream->fresh;
        available.clear();
        std::vector<std::size_t> pass;
        for (std::int64_t i = first, known = -1; i < first + settings_.stream->buffer; ++i) {
            if (i / size != known) {
                known = i / size;
                pass = random_stream(settings_.seed, "stream", settings_.owner, static_cast<std::uint32_t>(known))
                           .permutation(samples_.size());
            }
            available.push_back(samples_[pass[static_cast<std::size_t>(i % size)]]);
        }
    }
    order_.clear();
    for (const auto i : epoch_order(settings_.seed, settings_.owner, epoch, available.size())) {
        order_.push_back(available[i]);
    }
    order_epoch_ = epoch;
}

std::vector<std::size_t> batch_loader::samples_of(place where) {
    if (order_epoch_ != where.epoch) {
        begin_epoch(where.epoch);
    }
    const auto first = where.index * settings_.batch;
    const auto end = std::min(first + settings_.batch, at_hand());
    return {order_.begin() + first, order_.begin() + end};
}

labelled_batch batch_loader::make(const std::vector<std::size_t>& samples, std::int64_t epoch) const {
    auto out = empty_batch(samples.size(), settings_.transform);
    const auto classes = static_cast<std::int64_t>(data_.class_names().size());
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
        out.labels.as<std::int64_t>()[i] =
            sensed_label(data_.label(samples[i]), classes, settings_.quality, settings_.seed, name);
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
        ahead_.push_back({next, pool_.submit<labelled_batch>([this, samples = samples_of(next), epoch = next.epoch] {
                              return make(samples, epoch);
                          })});
    }
}

const labelled_batch& batch_loader::get(std::int64_t epoch, std::int64_t index) {
    const place wanted{epoch, index};
    if (epoch < 0 || index < 0 || index >= batches()) {
        throw std::out_of_range("batch " + std::to_string(index) + " of epoch " + std::to_string(epoch) + " of " +
                                settings_.owner + ": an epoch has " + std::to_string(batches()) + " batches");
    }
    if (current_place_ == wanted) {
        return current_;
    }
    drop_all_but(wanted);
    if (ahead_.empty()) {
        current_place_.reset(); // current_ is no batch at all if this throws
        current_ = make(samples_of(wanted), epoch);
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
