#pragma once

#include "model/family.hpp"
#include "network/clustering.hpp"
#include "network/population.hpp"
#include "network/topology.hpp"
#include "planning/plan_figures.hpp"
#include "results/rows.hpp"
#include "roles/deployment.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace gaisnet {

/// The data of clients, as far as a plan depends on it. A start point with n samples, wrong labels with probability p,
/// blur of b pixels and noise of s has n (1 - p) / ((1 + b) (1 + s)) useful samples; those of a network are their sum x
/// (1 - total variation distance between all start points' classes and those of the validation samples). What blur and
/// noise do is an assumption; the rest is what `serve` takes for the fit of data.
struct client_data {
    /// By edge, and by client (data.held_by = clients) or by cluster.
    std::vector<std::vector<std::int64_t>> samples;
    std::vector<std::vector<double>> quality;                    ///< Useful samples / samples. Empty: all are useful.
    std::vector<std::vector<std::vector<std::int64_t>>> classes; ///< Samples by class. Empty: not known.
    std::vector<std::vector<std::int64_t>> wanted;               ///< By edge: validation samples by class.
    std::int64_t images = 0; ///< Requests of all start points, which are dealt out to them (infer.images); 0: others.
};

/// Judges plans of a scenario by playing them in the ledger: the first session, or the first round of fine-tuning; if more
/// follow, without sensing, since what has been sensed once is not sensed again.
class plan_judge {
public:
    /// \param sizes of each edge's data
    plan_judge(const scenario&, std::shared_ptr<const tuning_method>, std::vector<domain_size> sizes, client_data,
               network_state = {});
    plan_judge(const plan_judge&) = delete;
    plan_judge& operator=(const plan_judge&) = delete;

    /// Of all clusters together, exactly: what a run's ledger has. Clients in no cluster are idle.
    /// \param adapt changes the deployment before it is played.
    plan_figures figures(const formed_clusters&, const std::function<void(deployment&)>& adapt = {});
    /// Of one cluster of an edge, played alone. `cluster_figures` of all clusters give figures() where clusters share
    /// neither a medium nor the edge's computing (see independent()); of long rounds some batches are played, and the
    /// rest is taken to be like them.
    struct cluster_figures {
        plan_figures own;      ///< energy_j: of its clients, until the cluster has finished (by request, if it serves).
        double waiting_w = 0;  ///< Power of its clients while they wait for other clusters.
        std::size_t start = 0; ///< Index among the clients of its edge.
    };
    /// \param place among the clusters of the edge. \param sharers clusters that share the edge's D2D band
    const cluster_figures& alone(int edge, std::size_t place, const formed_cluster&, std::size_t sharers);
    /// Those of a network whose clusters have been played alone.
    /// \param first the edge of the first entry
    plan_figures together(const std::vector<std::vector<const cluster_figures*>>& by_edge, int first = 0) const;

    /// Whether clusters do not influence each other but by waiting.
    bool independent() const;

    const scenario& scene() const { return scene_; }
    double time_s() const { return state_.time_s; }
    const population& everybody() const { return all_; }
    const foundation_model& model() const { return *model_; }
    static constexpr std::int64_t fewest_classes = 2; ///< That an edge can have.
    /// fewest_classes, or no_classes.
    std::int64_t classes() const { return sizes_.front().classes == no_classes ? no_classes : fewest_classes; }
    const std::shared_ptr<const foundation_model>& shared_model() const { return model_; }
    const std::shared_ptr<const tuning_method>& method() const { return method_; }
    /// The method at a client of an edge, and at the clients that tune with the smallest size.
    const std::shared_ptr<const tuning_method>& method_of(int edge, std::size_t client) const {
        return methods_.at(all_.clients[static_cast<std::size_t>(edge)][client].tuning_size);
    }
    const std::shared_ptr<const tuning_method>& smallest_method() const { return methods_.begin()->second; }
    /// Training samples of a cluster's start point.
    std::int64_t samples(int edge, const formed_cluster&, std::size_t place) const;
    double useful(int edge, const formed_cluster&, std::size_t place) const;
    /// Start points of an edge, each with its requests, as the scenario has them.
    std::size_t requesters(int edge) const;
    /// When requests of a cluster come, s, ascending, if this client of the edge is its start point.
    std::vector<double> requests(int edge, std::size_t start, std::size_t place) const;
    /// The topology of one cluster alone. \throws usage_error when it cannot be formed.
    topology network_of(int edge, const formed_cluster&, std::size_t sharers);
    std::uint64_t plays() const { return plays_; } ///< Of the ledger.

private:
    /// \param requests by cluster, of a session with images; else empty
    plan_figures play(const scenario&, const deployment&, const std::vector<double>& useful,
                      const std::vector<std::int64_t>& requests, cluster_figures* alone);
    deployment deploy(const scenario&, topology, const std::vector<std::int64_t>& samples) const;
    plan_figures played_alone(const scenario&, int edge, std::size_t place, const formed_cluster&, cluster_figures&);
    double match(const std::vector<std::vector<std::pair<std::size_t, std::size_t>>>& starts, std::size_t first) const;
    std::size_t holder(const formed_cluster&, std::size_t place) const;
    /// \throws usage_error for a client whose battery is empty.
    void check_batteries(int edge, const formed_cluster&) const;
    std::size_t number_of(int edge, std::size_t place) const; ///< Of a cluster, over all edges.
    int missing_requesters(int edge, std::size_t clusters) const;
    std::vector<std::int64_t> image_counts(std::size_t first, std::size_t count, std::size_t all) const;
    plan_figures play_session(const deployment&, const std::vector<std::int64_t>& requests,
                              std::vector<node_row>& nodes) const;

    scenario scene_;
    scenario short_, longer_; ///< The same with fewer batches a round.
    std::shared_ptr<const tuning_method> method_;
    std::shared_ptr<const foundation_model> model_;
    std::vector<domain_size> sizes_;
    client_data data_;
    population all_;
    backward_hops gradients_;
    network_state state_;
    std::map<std::int64_t, std::shared_ptr<const tuning_method>> methods_; ///< By size, of all clients.
    std::vector<double> all_waiting_w_; ///< By edge: of all its clients, if they only wait.
    std::unordered_map<std::string, cluster_figures> known_;
    std::uint64_t plays_ = 0;
};

} // namespace gaisnet
