#pragma once

#include "base/tensor_view.hpp"
#include "data/dataset.hpp"
#include "data/image_supply.hpp"
#include "data/quality.hpp"
#include "data/sample_schedule.hpp"
#include "data/token_noise.hpp"
#include "data/transform.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// Samples in the form in which a model takes them.
struct labelled_batch {
    tensor_view inputs;  ///< Images float32 [n, 3, size, size]; texts int64 [n, T].
    tensor_view labels;  ///< Classes int64 [n]; next tokens int64 [n, T], ignored_token where none counts.
    tensor_view padding; ///< Of texts: tokens at the end that only fill them up, int64 [n].
    tensor_view bytes;   ///< Of next tokens: bytes of text that those that count stand for, int64 [n].
};

/// Those of the sample at a place of inputs or labels.
template <typename T>
T* values_at(const tensor_view& of_batch, std::size_t place) {
    return of_batch.as<T>() + place * static_cast<std::size_t>(of_batch.elements() / of_batch.shape[0]);
}

inline constexpr std::int64_t ignored_token = -100; ///< What torch's cross entropy ignores.

/// The form of inputs.
struct input_form {
    transform_spec transform{};
    std::int64_t tokens = 0;  ///< T of a text; 0: samples are images.
    bool next_tokens = false; ///< Labels are next tokens.
    token_noise noise{};      ///< What is drawn from when a text is misread; its probability is of no account.

    /// Room for n samples.
    labelled_batch batch_of(std::size_t n) const;
};

/// A batch that is being made in the background.
struct coming_batch {
    labelled_batch batch; ///< Filled when the jobs have ended.
    decode_jobs jobs;

    /// Waits for the batch. \throws decode_error when it holds a damaged image.
    labelled_batch get() {
        jobs.get();
        return std::move(batch);
    }
};

/// How a start point iterates over its samples.
struct loader_settings {
    input_form form;
    std::int64_t batch = 10;
    bool augment = false; ///< Of images: use transform_train instead of transform_validation.
    std::uint64_t seed = 1;
    std::string owner; ///< Name of the start point; seeds its sample order.
    sample_quality quality{};
    std::optional<sample_stream> stream{}; ///< Absent: all samples are available from the start.
};

/// Classes, int64 [n], that a start point of that quality assigns to these samples.
tensor_view sensed_labels(const dataset&, const std::vector<std::size_t>& samples, const loader_settings&);

/// Batches of one start point: every epoch has a new order, a function of (seed, owner, epoch). While one batch is
/// trained on, the next two are made in the background, each by all threads of the supply. A loader has no thread of
/// its own and must be used by one thread only.
class batch_loader {
public:
    /// The data and the supply must outlive the loader. \throws usage_error without samples or with a batch below 1.
    batch_loader(const dataset& data, std::vector<std::size_t> samples, loader_settings settings, image_supply& supply);
    ~batch_loader();
    batch_loader(const batch_loader&) = delete;
    batch_loader& operator=(const batch_loader&) = delete;

    /// Returns batch `index` of `epoch`. Calls may come in any order; consecutive batches are cheapest. The last batch
    /// of an epoch holds the remaining samples. The reference is valid until the next call; the memory lives as long as
    /// a copy of its views. \throws decode_error when the batch holds a damaged image; std::out_of_range
    const labelled_batch& get(std::int64_t epoch, std::int64_t index);
    std::int64_t batches() const { return schedule_.batches(); } ///< Per epoch.
    /// The labels of a batch; of classes without making its inputs.
    tensor_view labels(std::int64_t epoch, std::int64_t index);

private:
    struct place {
        std::int64_t epoch, index;
        bool operator==(const place&) const = default;
    };
    struct ahead {
        place where;
        coming_batch coming;
    };
    ahead begin(place, decode_pool::haste);
    void prepare(std::size_t sample, std::int64_t epoch, const labelled_batch&, std::size_t place) const;
    void drop_all_but(place wanted);
    void look_ahead(place from);

    const dataset& data_;
    sample_schedule schedule_;
    loader_settings settings_;
    image_supply& supply_;
    std::optional<place> current_place_;
    labelled_batch current_;
    std::deque<ahead> ahead_; ///< In the expected order of use.
};

/// Makes a batch in the background: `fill` makes each sample at its place, on the threads of the pool.
using sample_filler = std::function<void(std::size_t sample, const labelled_batch&, std::size_t place)>;
coming_batch begin_batch(const std::vector<std::size_t>& samples, const input_form&, decode_pool&, decode_pool::haste,
                         const sample_filler& fill);
/// Classes of these samples, int64 [n].
tensor_view labels_of(const dataset&, const std::vector<std::size_t>& samples);
/// Starts to prepare these samples as for validation, on all threads of the supply. The data must outlive the jobs.
coming_batch begin_batch(const dataset&, const std::vector<std::size_t>& samples, const input_form&, image_supply&,
                         decode_pool::haste = decode_pool::haste::later);
/// Like begin_batch(), but waits for the batch. \throws decode_error
labelled_batch load_batch(const dataset&, const std::vector<std::size_t>& samples, const input_form&, image_supply&);

} // namespace gaisnet
