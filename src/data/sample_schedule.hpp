#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// A start point that goes on sensing: before its first round it fills its buffer, and before every other one it senses
/// some new samples, which take the place of the oldest. When it has seen all of its samples it sees them anew.
struct sample_stream {
    std::int64_t buffer = 0, fresh = 0; ///< Samples
    std::int64_t epochs_a_round = 1;
};

/// The order in which a start point goes through `samples` of its samples in an epoch: a function of the arguments.
std::vector<std::size_t> epoch_order(std::uint64_t seed, const std::string& owner, std::int64_t epoch,
                                     std::size_t samples);

/// Which samples are in which batch of a start point: every epoch in a new order, a function of (seed, owner, epoch).
class sample_schedule {
public:
    /// \param samples of the start point. \param owner its name. \throws usage_error without samples or with a batch below 1.
    sample_schedule(std::vector<std::size_t> samples, std::int64_t batch, std::uint64_t seed, std::string owner,
                    std::optional<sample_stream> stream = std::nullopt);

    /// Samples of batch `index` of `epoch`; the last batch of an epoch holds what is left. \throws std::out_of_range
    std::vector<std::size_t> batch(std::int64_t epoch, std::int64_t index);
    std::int64_t batches() const; ///< An epoch.

private:
    void begin_epoch(std::int64_t epoch);
    std::int64_t at_hand() const; ///< Samples of an epoch.

    std::vector<std::size_t> samples_;
    std::int64_t batch_;
    std::uint64_t seed_;
    std::string owner_;
    std::optional<sample_stream> stream_;
    std::optional<std::int64_t> epoch_;
    std::vector<std::size_t> order_; ///< Samples of epoch_, in their order.
};

} // namespace gaisnet
