#pragma once

#include "results/hdf5_table.hpp"
#include "results/rows.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace gaisnet {

/// Transfers of one round, link class and cause, added up from the events.
struct communication_row {
    std::uint32_t round = 0; ///< 1-based.
    link_class link{};
    event_kind cause{};
    std::uint64_t messages = 0, bytes = 0;
    double occupied_s = 0; ///< Sum of end_s - start_s.
    double airtime_hz_s = 0;
    double energy_j = 0; ///< At sender and receiver.
    std::uint64_t resent = 0;
    double on_medium_s = 0; ///< Sum of share x occupation.

    double rate_bit_s() const { return occupied_s > 0 ? static_cast<double>(bytes) * 8.0 / occupied_s : 0.0; }
    double share() const { return occupied_s > 0 ? on_medium_s / occupied_s : 0.0; }
};

/// Sums the transfers among `events` by round, link class and cause, in that order.
std::vector<communication_row> communication_of(std::span<const event_row> events);

/// A node's round with what a reader wants to see beside the index.
struct node_record {
    const node_row* row = nullptr;
    std::string_view name;
    node_role role{};
};
struct node_entry {
    std::uint32_t index = 0;
    const node_description* node = nullptr;
};
struct link_entry {
    const link_description* link = nullptr;
    std::string_view from_name, to_name;
};

/// The columns of every table; `name_bytes` is the room for a node's name.
std::vector<column<node_entry>> topology_node_columns(std::size_t name_bytes);
std::vector<column<link_entry>> topology_link_columns(std::size_t name_bytes);
std::vector<column<rank_description>> topology_rank_columns();
std::vector<column<stage_description>> topology_stage_columns();
std::vector<column<chain_description>> topology_chain_columns();
std::vector<column<samples_description>> topology_samples_columns(std::size_t name_bytes);
/// \param next_tokens whether models tell next tokens.
std::vector<column<round_row>> round_columns(bool next_tokens = false);
std::vector<column<federation_row>> federation_columns();
std::vector<column<token_row>> token_columns();
std::vector<column<probe_row>> probe_columns(bool next_tokens = false);
std::vector<column<service_row>> service_columns(std::size_t name_bytes);
std::vector<column<plan_row>> plan_columns();
std::vector<column<tuning_row>> tuning_columns();
std::vector<column<service_candidate_row>> service_candidate_columns(std::size_t name_bytes);
std::vector<column<service_client_row>> service_client_columns(std::size_t name_bytes);
std::vector<column<service_policy_row>> service_policy_columns();
std::vector<column<request_row>> request_columns(std::size_t image_bytes, bool next_tokens = false);
std::vector<column<node_record>> client_columns(std::size_t name_bytes);
std::vector<column<node_record>> energy_columns(std::size_t name_bytes);
std::vector<column<node_record>> memory_columns(std::size_t name_bytes, bool next_tokens = false);
std::vector<column<node_record>> node_traffic_columns(std::size_t name_bytes);
std::vector<column<communication_row>> communication_columns();
std::vector<column<transport_row>> transport_columns();
std::vector<column<event_row>> event_columns();
std::vector<column<fidelity_row>> fidelity_columns();

/// What each table is, for its attribute `description`.
namespace table_text {
extern const char *file, *topology, *communication, *nodes, *links, *ranks, *stages, *chains, *samples, *rounds,
    *federations, *probes, *requests, *tokens, *services, *plan, *plans, *tunings, *service_candidates,
    *service_clients, *service_policies, *clients, *energy, *memory, *traffic, *by_link, *transport, *events, *fidelity;
} // namespace table_text

} // namespace gaisnet
