#pragma once

#include "emulation/ledger.hpp"
#include "results/rows.hpp"
#include "roles/deployment.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gaisnet {

/// Appends the events of a round, sorted by start, without causes and without events that never began; adds the
/// distance of radio links.
void append_events(const deployment&, std::span<const ledger_event>, std::vector<event_row>& out);

/// Size of the frozen weights of each node's stages; stages share weights that they have in common.
std::vector<std::uint64_t> frozen_bytes(const deployment&);
/// By node: size of the foundation model's frozen weights that it does not hold.
std::vector<std::uint64_t> other_backbone_bytes(const deployment&);

/// Adds a node's account to its row.
void add(node_row&, const node_account&);
void add(node_row&, const node_row&);

} // namespace gaisnet
