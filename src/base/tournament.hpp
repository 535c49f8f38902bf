#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace gaisnet {

/// The least of many numbers, each at a place, of which few change at a time: O(log n) a change.
class tournament {
public:
    static constexpr double none = std::numeric_limits<double>::infinity();

    /// Makes room; new places have `none`.
    void resize(std::size_t places) {
        std::size_t size = 1;
        while (size < places) {
            size *= 2;
        }
        if (size == size_) {
            return;
        }
        std::vector<double> tree(2 * size, none);
        for (std::size_t place = 0; place < std::min(size, size_); ++place) {
            tree[size + place] = tree_[size_ + place];
        }
        tree_ = std::move(tree);
        size_ = size;
        for (std::size_t node = size - 1; node > 0; --node) {
            tree_[node] = std::min(tree_[2 * node], tree_[2 * node + 1]);
        }
    }
    void set(std::size_t place, double value) {
        std::size_t node = size_ + place;
        tree_[node] = value;
        for (node /= 2; node > 0; node /= 2) {
            const double least = std::min(tree_[2 * node], tree_[2 * node + 1]);
            if (least == tree_[node]) {
                return;
            }
            tree_[node] = least;
        }
    }
    double least() const { return tree_[1]; }
    /// The first place that has the least.
    std::size_t place_of_least() const {
        std::size_t node = 1;
        while (node < size_) {
            node = 2 * node + (tree_[2 * node] <= tree_[2 * node + 1] ? 0 : 1);
        }
        return node - size_;
    }

private:
    std::size_t size_ = 1;
    std::vector<double> tree_ = std::vector<double>(2, none); ///< Node n is the least of nodes 2n and 2n + 1.
};

} // namespace gaisnet
