#pragma once

#include "model/module_average.hpp"
#include "model/stage_spec.hpp"
#include "network/topology.hpp"
#include "runtime/pass.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// One stage of one chain: everything that does not change from round to round.
struct stage_seat {
    std::uint32_t node = 0;
    int cluster = 0;          ///< Global index.
    std::size_t position = 0; ///< In the chain.
    std::uint32_t number = 0; ///< Starts at 1, unique over all chains.
    stage_spec spec;
    std::vector<tunable_slice> slices;
    struct {
        double forward = 0, backward = 0, step = 0;
    } measured;                     ///< Speed of this computer, FLOP/s, for `compute = measured`; 0: use device.*.rate.
    std::uint32_t contribution = 0; ///< Index among the contributions to its edge; unused without tunables.
};

/// The samples and batches of one cluster.
struct cluster_plan {
    std::int64_t samples = 0; ///< Samples of the start point; also the cluster's weight in FedAvg.
    std::int64_t batch = 0;   ///< Samples per batch; the last batch of an epoch may be smaller.
    std::int64_t batches_an_epoch = 0;
    std::int64_t batches_a_round = 0;

    /// Epoch and batch of batch number `index`, which starts at 0 and counts over all rounds; `of` is its size.
    micro_batch batch_at(std::int64_t index) const;
    std::int64_t samples_in_round(int round) const; ///< Each epoch counts; `round` starts at 1.
    /// Number of samples to sense in a round: those that it trains on and has not sensed before or, with a stream, the
    /// new ones in the buffer. \param sensed number of samples sensed so far.
    std::int64_t sensed_for(int round, std::int64_t sensed) const;

    std::int64_t own =
        0; ///< Samples of this cluster's start point; `samples` are those of the edge if it trains alone.
    std::int64_t fresh = 0; ///< `sense.mode = stream`: new samples per round after the first; otherwise 0.
};

/// Batches of a round on so many samples of a start point. \param samples at least 1
cluster_plan plan_batches(const training_settings&, std::int64_t samples);

/// Size of an edge's data.
struct domain_size {
    std::int64_t classes = 0, validation_samples = 0;
};

/// The model of one edge: the foundation model with tunables and the edge's own head, since domains differ in their
/// classes.
struct domain_model {
    domain_size size;
    std::vector<tunable_spec> tunables; ///< Canonical order; the head comes last. Of the largest size.
    average_layout average;             ///< How they are averaged over clusters.
    std::int64_t elements = 0;          ///< In all tunables.
    std::int64_t shared_elements = 0;   ///< In the tunables before the head, which all edges share.
    std::vector<tunable_slice> shared;  ///< Their places; the same in every domain and at the cloud.
};

/// Who holds which part of the model and trains on how many samples: the scenario combined with topology and model. It
/// is the same on every rank.
struct deployment {
    const scenario* scene = nullptr;
    topology net;
    std::shared_ptr<const foundation_model> model;
    std::shared_ptr<const tuning_method> method;    ///< That of edges; clients have theirs in their stages.
    average_layout shared_average;                  ///< How the cloud averages the tunables before the head.
    indexed<domain_model> domains;                  ///< Indexed by edge.
    indexed<indexed<stage_seat>> chains;            ///< By cluster, in chain order.
    indexed<cluster_plan> plans;                    ///< By cluster.
    indexed<std::vector<std::string>> contributors; ///< Indexed by edge: the node behind each contribution.
    std::vector<int> groups;                        ///< By cluster: see fusion_groups().
    int first_round = 1;                            ///< In which these clusters play.
    std::map<std::uint32_t, std::int64_t> lacking;  ///< By client: frozen weights that it needs and has never had.

    /// Frozen weights that the edge delivers to a client in a round, as elements.
    std::int64_t brought_to(std::uint32_t client, int round) const;

    const domain_model& domain_of(std::uint32_t edge) const { return domains[edge]; }
    /// Number of clusters of an edge.
    std::int64_t clusters_of(std::uint32_t edge) const;
    /// Sum of the weights in an edge's average when all its clusters take part.
    std::int64_t total_weight(std::uint32_t edge) const;
    /// What the average of some clusters at their edge costs, and that of some edges at the cloud.
    averaging_cost cost_of_average(std::uint32_t edge, const std::vector<int>& clusters) const;
    averaging_cost cost_of_federation(const std::vector<int>& edges) const;
    /// Whether a cluster trains: with centralised training only the edge's first cluster does.
    bool trains(int cluster) const;
    /// Size of a raw sample in bytes (scheme = centralised).
    std::uint64_t sample_bytes() const;
    /// The message with which a client asks its edge.
    tensor_view request() const;
    /// Learning rate of a cluster's batch `index`, which starts at 0 and counts over all rounds: cosine decay over all
    /// rounds.
    double learning_rate(int cluster, std::int64_t index) const;
};

/// Makes the topology; its links depend on what the stages send to each other with this tuning method. \throws
/// usage_error as make_topology()
topology make_network(const scenario&, const std::shared_ptr<const tuning_method>&);
/// Which hops of a chain carry gradients.
backward_hops hops_with_gradients(std::shared_ptr<const foundation_model>, std::shared_ptr<const tuning_method>);

/// \param sizes of each edge's data. \param samples number of training samples of each cluster's start point. \throws
/// usage_error when a cut does not fit or a cluster has no samples.
deployment make_deployment(const scenario&, std::shared_ptr<const tuning_method>, const std::vector<domain_size>& sizes,
                           const std::vector<std::int64_t>& samples);
/// The same on a topology of the scenario that is there.
deployment make_deployment(const scenario&, topology, std::shared_ptr<const foundation_model>,
                           std::shared_ptr<const tuning_method>, const std::vector<domain_size>& sizes,
                           const std::vector<std::int64_t>& samples);

} // namespace gaisnet
