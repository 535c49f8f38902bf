#pragma once

#include "data/dataset.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace gaisnet {

/// Another dataset with a memory: decoded images are kept until `limit_bytes` are full, so that later epochs need no
/// decoding. What came first stays, so no epoch throws out what the next one will ask for.
class image_cache final : public dataset {
public:
    image_cache(std::unique_ptr<dataset> source, std::size_t limit_bytes)
        : source_(std::move(source))
        , limit_bytes_(limit_bytes) {}

    std::size_t size() const override { return source_->size(); }
    std::int64_t label(std::size_t sample) const override { return source_->label(sample); }
    const std::vector<std::string>& class_names() const override { return source_->class_names(); }
    std::string name(std::size_t sample) const override { return source_->name(sample); }

    image load(std::size_t sample) const override {
        std::shared_ptr<const image> known;
        {
            const std::lock_guard lock(guard_);
            if (const auto found = images_.find(sample); found != images_.end()) {
                known = found->second;
            }
        }
        if (known) {
            return *known;
        }
        // Decoded without the lock: two threads that ask for the same image decode it twice, and one is kept.
        auto decoded = source_->load(sample);
        const std::lock_guard lock(guard_);
        if (used_bytes_ + decoded.rgb.size() <= limit_bytes_ &&
            images_.try_emplace(sample, std::make_shared<const image>(decoded)).second) {
            used_bytes_ += decoded.rgb.size();
        }
        return decoded;
    }

    std::size_t used_bytes() const {
        const std::lock_guard lock(guard_);
        return used_bytes_;
    }

private:
    std::unique_ptr<dataset> source_;
    std::size_t limit_bytes_;
    mutable std::mutex guard_;
    mutable std::unordered_map<std::size_t, std::shared_ptr<const image>> images_;
    mutable std::size_t used_bytes_ = 0;
};

} // namespace gaisnet
