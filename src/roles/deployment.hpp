#pragma once

#include "model/stage_spec.hpp"
#include "network/topology.hpp"
#include "runtime/pass.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// One stage of one chain, with everything about it that does not change over rounds.
struct stage_seat {
    std::uint32_t node = 0;
    int cluster = 0;          ///< Global index
    std::size_t position = 0; ///< In the chain
    std::uint32_t number = 0; ///< From 1, over all chains
    stage_spec spec;
    std::vector<tunable_slice> slices;
    struct {
        double forward = 0, backward = 0, step = 0;
    } measured;                     ///< FLOP/s of this host, `compute = measured`; 0: by device.*.rate.
    std::uint32_t contribution = 0; ///< Index among its edge's contributions; meaningless without tunables.
};

/// The samples and batches of one cluster.
struct cluster_plan {
    std::int64_t samples = 0; ///< Of the start point; also its weight in FedAvg.
    std::int64_t batch = 0;   ///< Samples a batch; the last of an epoch may have fewer.
    std::int64_t batches_an_epoch = 0;
    std::int64_t batches_a_round = 0;

    /// Number `index` (from 0, over all rounds) as epoch and batch, with its size in `of`.
    micro_batch batch_at(std::int64_t index) const;
    std::int64_t samples_in_round(int round) const; ///< Epochs counted; `round` from 1.
    /// Samples that are sensed in a round: what it trains on and has not been sensed before, or with a stream what is
    /// new in the buffer. \param sensed before.
    std::int64_t sensed_for(int round, std::int64_t sensed) const;

    std::int64_t own =
        0; ///< Samples of this cluster's start point; `samples` are those of the edge if it trains alone.
    std::int64_t fresh = 0; ///< `sense.mode = stream`: new samples a round after the first; else 0.
};

/// What an edge's data have.
struct domain_size {
    std::int64_t classes = 0, validation_samples = 0;
};

/// The model of one edge: the foundation model with tunables and a head of the edge's own, since domains differ in what
/// they tell apart.
struct domain_model {
    domain_size size;
    std::vector<tunable_spec> tunables; ///< Canonical order; the head comes last.
    std::int64_t elements = 0;          ///< Of all tunables.
    std::int64_t shared_elements = 0;   ///< Of those before the head, which edges have in common.
    std::vector<tunable_slice> shared;  ///< Where these lie; the same in every domain and at the cloud.
};

/// Who holds what and trains on how much: the scenario joined with topology and model, the same on every rank.
struct deployment {
    const scenario* scene = nullptr;
    topology net;
    std::shared_ptr<const tuning_method> method;
    std::vector<domain_model> domains;                  ///< By edge.
    std::vector<std::vector<stage_seat>> chains;        ///< By cluster, in chain order.
    std::vector<cluster_plan> plans;                    ///< By cluster.
    std::vector<std::vector<std::string>> contributors; ///< By edge: the node behind each contribution.

    const domain_model& domain_of(std::uint32_t edge) const { return domains[edge]; }
    /// Clusters of an edge.
    std::int64_t clusters_of(std::uint32_t edge) const;
    /// Sum of the weights of an edge's average, when all of its clusters take part.
    std::int64_t total_weight(std::uint32_t edge) const;
    /// Clusters of an edge that train: of an edge that trains alone only the first one stands for it.
    bool trains(int cluster) const;
    /// The bytes of a raw sample (scheme = centralised).
    std::uint64_t sample_bytes() const;
    /// What a client asks its edge with.
    tensor_view request() const;
    /// Learning rate of batch `index` (from 0, over all rounds) of a cluster: cosine decay over all rounds.
    double learning_rate(int cluster, std::int64_t index) const;
};

/// The topology, whose links follow from what stages that are tuned by a method send to each other.
/// \throws usage_error as make_topology()
topology make_network(const scenario&, const std::shared_ptr<const tuning_method>&);

/// \param sizes of each edge's data. \param samples training samples of each cluster's start point.
/// \throws usage_error when a cut does not fit or a cluster has no samples.
deployment make_deployment(const scenario&, std::shared_ptr<const tuning_method>, const std::vector<domain_size>& sizes,
                           const std::vector<std::int64_t>& samples);

} // namespace gaisnet
