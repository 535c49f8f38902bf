#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

/// The tokens of pieces that came up lately; of those with one place in the table the last. For one thread at a time.
class piece_cache {
public:
    /// Appends the ids of a piece. \param make appends them where they are not known.
    template <typename Make>
    void append_ids(std::string_view piece, std::vector<std::int32_t>& ids, const Make& make) {
        if (piece.size() > longest_piece) {
            make(piece, ids);
            return;
        }
        if (entries_.empty()) {
            entries_.resize(places);
        }
        auto& entry = entries_[std::hash<std::string_view>{}(piece) % places];
        if (entry.piece != piece) { // a piece is never empty
            entry.ids.clear();
            make(piece, entry.ids);
            entry.piece = piece;
        }
        ids.insert(ids.end(), entry.ids.begin(), entry.ids.end());
    }

private:
    static constexpr std::size_t places = 1U << 14;
    static constexpr std::size_t longest_piece = 64; ///< Bytes; longer ones seldom come again.
    struct known_piece {
        std::string piece;
        std::vector<std::int32_t> ids;
    };
    std::vector<known_piece> entries_;
};

} // namespace gaisnet
