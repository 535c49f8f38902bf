#include "emulation/link.hpp"

#include <algorithm>
#include <cmath>

namespace gaisnet {

namespace {

constexpr double bits_a_byte = 8.0;

std::unique_ptr<rate_model> slowest_of(const std::vector<link*>& parts) {
    std::vector<const rate_model*> rates;
    for (const auto* part : parts) {
        rates.push_back(&part->rate());
    }
    return std::make_unique<slowest_rate>(std::move(rates));
}

} // namespace

link::link(event_queue& queue, link_observer& observer, std::uint64_t seed, std::uint32_t index, medium& shared,
           half_duplex_radios* radios, link_parameters parameters, std::unique_ptr<rate_model> rate)
    : sender(index, parameters.from)
    , queue_(queue)
    , observer_(observer)
    , seed_(seed)
    , medium_(shared)
    , radios_(radios)
    , parameters_(std::move(parameters))
    , receivers_{parameters_.to}
    , rate_(std::move(rate)) {}

link::link(std::uint32_t index, const std::vector<link*>& parts)
    : sender(index, parts.front()->parameters_.from)
    , queue_(parts.front()->queue_)
    , observer_(parts.front()->observer_)
    , seed_(parts.front()->seed_)
    , medium_(parts.front()->medium_)
    , radios_(parts.front()->radios_)
    , parameters_(parts.front()->parameters_)
    , rate_(slowest_of(parts))
    , parts_(parts)
    , round_(parts.front()->round_) {
    parameters_.name += "...";
    for (const auto* part : parts) {
        receivers_.push_back(part->parameters_.to);
        parameters_.loss = std::max(parameters_.loss, part->parameters_.loss);
    }
}

void link::begin_round(std::uint32_t round) {
    round_ = round;
    messages_ = 0;
    last_arrival_ = 0;
    last_sent_.reset();
    if (!parts_.empty()) {
        rate_ = slowest_of(parts_); // the parts may have new rate models
    }
}

void link::submit(std::uint64_t transfer, std::uint64_t bytes) {
    waiting_.push_back({transfer, bytes});
    if (!busy_) {
        start_next();
    }
}

void link::start_next() {
    busy_ = true;
    if (radios_) {
        radios_->acquire(parameters_.from, receivers_,
                         [this](std::optional<std::uint64_t> released_by) { begin_sending(released_by); });
    } else {
        begin_sending({});
    }
}

void link::begin_sending(std::optional<std::uint64_t> released_by) {
    const auto next = waiting_.front();
    ++messages_;
    double bits = static_cast<double>(next.bytes) * bits_a_byte;
    resent_ = 0;
    if (parameters_.loss > 0.0 && next.bytes > 0) {
        const auto packets = 1 + (next.bytes - 1) / parameters_.packet_bytes;
        random_stream stream(seed_, "link.loss", parameters_.name, round_, messages_);
        resent_ = draw_resent_packets(stream, packets, parameters_.loss, receivers_.size());
        bits *= 1.0 + static_cast<double>(resent_) / static_cast<double>(packets);
    }
    observer_.transfer_started(next.transfer, queue_.now(), released_by ? released_by : last_sent_);
    sending_ = true;
    bits_ = bits;
    medium_.start(*this, bits);
}

void link::sent(const airtime_report& used) {
    const auto ended = waiting_.front();
    waiting_.pop_front();
    busy_ = sending_ = false;
    last_sent_ = ended.transfer;
    const double alone = parts_.empty() ? arrival(queue_.now()) : 0.0;
    std::vector<double> of_parts;
    for (auto* part : parts_) {
        ++part->messages_;
        of_parts.push_back(part->arrival(queue_.now()));
    }
    if (radios_) {
        radios_->release(parameters_.from, receivers_, ended.transfer);
    }
    observer_.transfer_ended(ended.transfer, used,
                             parts_.empty() ? std::span(&alone, 1) : std::span<const double>(of_parts), resent_);
    if (!waiting_.empty() && !busy_) {
        start_next();
    }
}

std::optional<link::interrupted> link::interrupt() {
    std::optional<interrupted> out;
    if (sending_) {
        out = {waiting_.front().transfer, medium_.stop(*this), bits_};
        if (radios_) {
            radios_->release(parameters_.from, receivers_, out->transfer);
        }
    }
    waiting_.clear();
    busy_ = sending_ = false;
    return out;
}

/// Arrival time of a message whose transmission ended at `end`.
double link::arrival(double end) {
    double delay = parameters_.latency_s;
    if (!parameters_.jitter.is_zero()) {
        random_stream stream(seed_, "link.jitter", parameters_.name, round_, messages_);
        delay = std::max(0.0, delay + parameters_.jitter.draw(stream));
    }
    last_arrival_ = std::max(last_arrival_, end + delay);
    return last_arrival_;
}

std::uint64_t draw_resent_packets(random_stream& stream, std::uint64_t packets, double loss, std::size_t receivers) {
    constexpr std::uint64_t most = 4096;
    const auto drawn = std::min(packets, most);
    double resent = 0;
    for (std::uint64_t packet = 0; packet < drawn; ++packet) {
        double times = 0; // maximum of geometric random numbers
        for (std::size_t receiver = 0; receiver < receivers; ++receiver) {
            times = std::max(times, std::floor(std::log1p(-stream.uniform()) / std::log(loss)));
        }
        resent += times;
    }
    return static_cast<std::uint64_t>(std::llround(resent * static_cast<double>(packets) / static_cast<double>(drawn)));
}

} // namespace gaisnet
