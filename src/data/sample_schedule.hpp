#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// A start point that keeps sensing: it fills its buffer before its first round, and before every later round it senses
/// some new samples, which replace the oldest. When it has seen all of its samples it starts over.
struct sample_stream {
    std::int64_t buffer = 0, fresh = 0; ///< Samples
    std::int64_t epochs_a_round = 1;
};

/// The order in which a start point visits `samples` of its samples in an epoch. A pure function of the arguments.
std::vector<std::size_t> epoch_order(std::uint64_t seed, const std::string& owner, std::int64_t epoch,
                                     std::size_t samples);

/// Assigns samples to the batches of a start point: every epoch has a new order, a function of (seed, owner, epoch).
class sample_schedule {
public:
    /// \param samples of the start point. \param owner its name. \throws usage_error when there is no sample or the
    /// batch is < 1.
    sample_schedule(std::vector<std::size_t> samples, std::int64_t batch, std::uint64_t seed, std::string owner,
                    std::optional<sample_stream> stream = std::nullopt);

    /// The samples of batch `index` of `epoch`; the last batch holds the remaining samples. \throws std::out_of_range
    std::vector<std::size_t> batch(std::int64_t epoch, std::int64_t index);
    std::int64_t batches() const; ///< Per epoch.

private:
    void begin_epoch(std::int64_t epoch);
    std::int64_t at_hand() const; ///< Number of samples in an epoch.

    std::vector<std::size_t> samples_;
    std::int64_t batch_;
    std::uint64_t seed_;
    std::string owner_;
    std::optional<sample_stream> stream_;
    std::optional<std::int64_t> epoch_;
    std::vector<std::size_t> order_; ///< Samples of epoch_, in order.
};

} // namespace gaisnet
