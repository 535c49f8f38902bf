#include "data/sample_schedule.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <stdexcept>

namespace gaisnet {

std::vector<std::size_t> epoch_order(std::uint64_t seed, const std::string& owner, std::int64_t epoch,
                                     std::size_t samples) {
    return random_stream(seed, "shuffle", owner, static_cast<std::uint32_t>(epoch)).permutation(samples);
}

sample_schedule::sample_schedule(std::vector<std::size_t> samples, std::int64_t batch, std::uint64_t seed,
                                 std::string owner, std::optional<sample_stream> stream)
    : samples_(std::move(samples))
    , batch_(batch)
    , seed_(seed)
    , owner_(std::move(owner))
    , stream_(stream) {
    if (samples_.empty()) {
        throw usage_error("start point " + owner_ + " has no training samples; at least one is needed");
    }
    if (batch_ < 1) {
        throw usage_error("train.batch = " + std::to_string(batch_) + "; 1 or more is accepted");
    }
}

std::int64_t sample_schedule::at_hand() const {
    return stream_ ? stream_->buffer : static_cast<std::int64_t>(samples_.size());
}

std::int64_t sample_schedule::batches() const { return (at_hand() + batch_ - 1) / batch_; }

void sample_schedule::begin_epoch(std::int64_t epoch) {
    std::vector<std::size_t> available = samples_;
    if (stream_) {
        const auto size = static_cast<std::int64_t>(samples_.size());
        const auto first = epoch / stream_->epochs_a_round * stream_->fresh;
        available.clear();
        std::vector<std::size_t> pass;
        for (std::int64_t i = first, known = -1; i < first + stream_->buffer; ++i) {
            if (i / size != known) {
                known = i / size;
                pass = random_stream(seed_, "stream", owner_, static_cast<std::uint32_t>(known))
                           .permutation(samples_.size());
            }
            available.push_back(samples_[pass[static_cast<std::size_t>(i % size)]]);
        }
    }
    order_.clear();
    for (const auto i : epoch_order(seed_, owner_, epoch, available.size())) {
        order_.push_back(available[i]);
    }
    epoch_ = epoch;
}

std::vector<std::size_t> sample_schedule::batch(std::int64_t epoch, std::int64_t index) {
    if (epoch < 0 || index < 0 || index >= batches()) {
        throw std::out_of_range("batch " + std::to_string(index) + " of epoch " + std::to_string(epoch) + " of " +
                                owner_ + ": an epoch has " + std::to_string(batches()) + " batches");
    }
    if (epoch_ != epoch) {
        begin_epoch(epoch);
    }
    const auto first = index * batch_, end = std::min(first + batch_, at_hand());
    return {order_.begin() + first, order_.begin() + end};
}

} // namespace gaisnet
