#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace gaisnet {

/// First in, first out. Takes no memory while it has never held anything, and keeps what it has taken: where there are
/// many queues, each of them short, this needs less than std::deque.
template <typename T>
class fifo {
public:
    bool empty() const { return first_ == items_.size(); }
    std::size_t size() const { return items_.size() - first_; }
    void push_back(T item) { items_.push_back(std::move(item)); }
    T& front() { return items_[first_]; }
    void pop_front() {
        ++first_;
        if (first_ == items_.size()) {
            clear();
        } else if (first_ >= few && 2 * first_ >= items_.size()) {
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
            first_ = 0;
        } else {
            items_[first_ - 1] = T{}; // lets go of what it owns
        }
    }
    void clear() {
        items_.clear();
        first_ = 0;
    }

private:
    static constexpr std::size_t few = 16;
    std::vector<T> items_;
    std::size_t first_ = 0;
};

} // namespace gaisnet
