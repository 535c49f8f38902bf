#pragma once

#include "base/tensor_view.hpp"
#include "data/dataset.hpp"
#include "data/decode_pool.hpp"
#include "data/transform.hpp"

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// Images float32 [n, 3, size, size] and labels int64 [n].
struct labelled_batch {
    tensor_view images, labels;
};

/// How a start point goes through its samples.
struct loader_settings {
    transform_spec transform;
    std::int64_t batch = 10;
    bool augment = false; ///< transform_train instead of transform_validation.
    std::uint64_t seed = 1;
    std::string owner; ///< Name of the start point: its order is drawn for it.
};

/// Batches of one start point: every epoch in a new order, a function of (seed, owner, epoch). While one batch is being
/// trained on, the next is decoded in the background.
class batch_loader {
public:
    batch_loader(const dataset& data, std::vector<std::size_t> samples, loader_settings settings, decode_pool& pool);
    ~batch_loader();
    batch_loader(const batch_loader&) = delete;
    batch_loader& operator=(const batch_loader&) = delete;

    /// Batch `index` of `epoch`; it stays valid until another one is asked for. \throws decode_error
    const labelled_batch& get(std::int64_t epoch, std::int64_t index);
    std::int64_t batches() const;

private:
    struct place {
        std::int64_t epoch, index;
        bool operator==(const place&) const = default;
    };
    labelled_batch make(place) const;

    const dataset& data_;
    std::vector<std::size_t> samples_;
    loader_settings settings_;
    decode_pool& pool_;
    std::optional<place> current_place_, next_place_;
    labelled_batch current_;
    std::future<labelled_batch> next_;
};

/// The given samples, prepared as for validation.
labelled_batch load_batch(const dataset&, const std::vector<std::size_t>& samples, const transform_spec&);

} // namespace gaisnet
