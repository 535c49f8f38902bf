#pragma once

#include "emulation/ledger.hpp"
#include "results/rows.hpp"
#include "roles/deployment.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gaisnet {

/// Adds the events of a round by their start, without causes and what never began; with the distance of radio links.
void append_events(const deployment&, std::span<const ledger_event>, std::vector<event_row>& out);

/// By node: the frozen weights of its stages, which share what they have in common.
std::vector<std::uint64_t> frozen_bytes(const deployment&);
/// By node: frozen weights of the foundation model that it does not hold.
std::vector<std::uint64_t> other_backbone_bytes(const deployment&);

/// Adds what a node did to its row.
void add(node_row&, const node_account&);
void add(node_row&, const node_row&);

} // namespace gaisnet
