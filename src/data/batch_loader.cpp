#include "data/batch_loader.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <stdexcept>

namespace gaisnet {

namespace {

/// Batches that are decoded before they are asked for.
constexpr std::size_t depth = 2;

/// Puts a text at its place in a batch.
void fill_text(token_sample text, std::int64_t label, const input_form& form, const labelled_batch& batch,
               std::size_t place) {
    auto* inputs = values_at<std::int64_t>(batch.inputs, place);
    auto* labels = values_at<std::int64_t>(batch.labels, place);
    std::copy_n(text.tokens.begin(), form.tokens, inputs);
    batch.padding.as<std::int64_t>()[place] = text.padding;
    if (!form.next_tokens) {
        *labels = label;
        return;
    }
    std::fill_n(labels, form.tokens, ignored_token);
    std::copy_n(text.tokens.begin() + 1, text.told, labels);
    batch.bytes.as<std::int64_t>()[place] = text.bytes;
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

labelled_batch input_form::batch_of(std::size_t n) const {
    const auto count = static_cast<std::int64_t>(n);
    const auto numbers = [](std::vector<std::int64_t> shape) {
        return tensor_view::allocate(std::move(shape), element_type::int64);
    };
    if (tokens == 0) {
        return {tensor_view::allocate({count, 3, transform.size, transform.size}), numbers({count}), {}, {}};
    }
    return {numbers({count, tokens}), next_tokens ? numbers({count, tokens}) : numbers({count}), numbers({count}),
            next_tokens ? numbers({count}) : tensor_view()};
}

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
    return settings_.form.next_tokens ? get(epoch, index).labels
                                      : sensed_labels(data_, schedule_.batch(epoch, index), settings_);
}

void batch_loader::prepare(std::size_t sample, std::int64_t epoch, const labelled_batch& batch,
                           std::size_t place) const {
    const auto& form = settings_.form;
    const auto label = label_of(data_, sample, settings_);
    if (form.tokens > 0) {
        auto text = data_.load_text(sample);
        auto noise = form.noise;
        noise.probability = settings_.quality.token_noise;
        text.tokens = misread_tokens(std::move(text.tokens), noise, settings_.seed, data_.name(sample));
        fill_text(std::move(text), label, form, batch, place);
        return;
    }
    const auto sensed = supply_.sensed(data_, sample, settings_.quality, settings_.seed);
    auto* image = values_at<float>(batch.inputs, place);
    if (settings_.augment) {
        transform_train(*sensed, form.transform, settings_.seed, data_.name(sample), static_cast<std::uint32_t>(epoch),
                        image);
    } else {
        transform_validation(*sensed, form.transform, image);
    }
    batch.labels.as<std::int64_t>()[place] = label;
}

batch_loader::ahead batch_loader::begin(place where, decode_pool::haste when) {
    const auto samples = schedule_.batch(where.epoch, where.index);
    return {where,
            begin_batch(samples, settings_.form, supply_.pool, when,
                        [this, epoch = where.epoch](std::size_t sample, const labelled_batch& batch,
                                                    std::size_t place) { prepare(sample, epoch, batch, place); })};
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

coming_batch begin_batch(const std::vector<std::size_t>& samples, const input_form& form, decode_pool& pool,
                         decode_pool::haste when, const sample_filler& fill) {
    coming_batch out{form.batch_of(samples.size()), {}};
    const auto parts = std::min(samples.size(), pool.threads());
    for (std::size_t part = 0; part < parts; ++part) {
        const auto begin = samples.size() * part / parts, end = samples.size() * (part + 1) / parts;
        out.jobs.add(pool.submit<void>(
            [fill, begin, batch = out.batch,
             some = std::vector<std::size_t>(samples.begin() + static_cast<std::ptrdiff_t>(begin),
                                             samples.begin() + static_cast<std::ptrdiff_t>(end))] {
                for (std::size_t i = 0; i < some.size(); ++i) {
                    fill(some[i], batch, begin + i);
                }
            },
            when));
    }
    return out;
}

coming_batch begin_batch(const dataset& data, const std::vector<std::size_t>& samples, const input_form& form,
                         image_supply& supply, decode_pool::haste when) {
    return begin_batch(samples, form, supply.pool, when,
                       [&data, &supply, form](std::size_t sample, const labelled_batch& batch, std::size_t place) {
                           if (form.tokens > 0) {
                               fill_text(data.load_text(sample), data.label(sample), form, batch, place);
                               return;
                           }
                           transform_validation(*supply.sensed(data, sample, {}, 0), form.transform,
                                                values_at<float>(batch.inputs, place));
                           batch.labels.as<std::int64_t>()[place] = data.label(sample);
                       });
}

labelled_batch load_batch(const dataset& data, const std::vector<std::size_t>& samples, const input_form& form,
                          image_supply& supply) {
    return begin_batch(data, samples, form, supply, decode_pool::haste::now).get();
}

} // namespace gaisnet
