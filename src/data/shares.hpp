#pragma once

#include "data/dataset.hpp"
#include "data/domain_source.hpp"
#include "data/partition.hpp"
#include "data/quality.hpp"
#include "data/sample_schedule.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gaisnet {

/// The datasets of the edges, and who trains and validates on what. A function of the scenario and of the folders; no
/// image is decoded. Each holder of data has a share of the training samples: the start point of every cluster, or
/// (data.held_by) every client, of whom those train that are start points. Clusters are those of all edges in order.
class data_shares {
public:
    /// \param scene must outlive the shares. \throws usage_error for a folder that cannot be used, or when there are not
    /// enough samples.
    data_shares(const scenario& scene, domain_source&);

    /// Datasets: one for all edges, or one for each.
    std::size_t sets() const { return sets_.size(); }
    const dataset& set(std::size_t number) const { return *sets_[number]; }
    const data_split& split(std::size_t number) const { return splits_[number]; }
    /// Validation samples of a dataset that are evaluated after rounds (data.validation_samples), ascending.
    const std::vector<std::size_t>& evaluated(std::size_t number) const { return evaluated_[number]; }
    std::size_t set_of_edge(std::size_t edge) const { return sets_.size() == 1 ? 0 : edge; }
    std::size_t set_of_cluster(int cluster) const;
    const std::vector<std::string>& class_names(std::size_t edge) const;
    /// Goes on with a hash over the names of all samples.
    std::uint64_t hash_names(std::uint64_t hash) const;

    /// Makes the start points of these clusters train; with data.held_by = clients it is called before anything that
    /// takes a cluster.
    void use_clusters(const formed_clusters&);
    /// Samples of every client of an edge, in the order of the population; needs data.held_by = clients.
    std::vector<std::int64_t> samples_of_clients(std::size_t edge) const;
    /// Samples of each class that a client has; needs data.held_by = clients.
    std::vector<std::int64_t> class_counts_of_client(std::size_t edge, std::size_t client) const;

    /// Validation samples of an edge, by class.
    std::vector<std::int64_t> wanted_classes(std::size_t edge) const;

    std::size_t clusters() const { return holder_of_.size(); }
    /// Training samples by cluster; of a stream those in the buffer.
    std::vector<std::int64_t> samples() const;
    /// Samples of each class that a cluster's start point has.
    std::vector<std::int64_t> class_counts(int cluster) const;
    /// The samples that a cluster trains on. With centralised training the edge's first cluster gets those of all its
    /// clusters.
    std::vector<std::size_t> trained_on(int cluster) const;
    /// How well a start point senses. \param name of its node.
    sample_quality quality_of(const std::string& start_point) const;
    /// How start points go on sensing; absent: they have all of their samples from the start.
    std::optional<sample_stream> stream() const;

    /// How well the data of an edge's start points match its domain: (1 - total variation distance between their
    /// classes and those of its validation samples) x fraction of correct labels (data.label_noise). \param
    /// start_points names of these nodes, by cluster.
    double data_fit(std::size_t edge, const std::vector<std::string>& start_points) const;

private:
    std::vector<std::size_t> dealing_order() const;
    /// So many of a dataset's validation samples as evaluations take.
    std::vector<std::size_t> some_of(std::vector<std::size_t> validation, std::size_t number) const;
    void deal_out();
    void leave_available();

    const scenario& scene_;
    std::vector<std::unique_ptr<dataset>> sets_;
    std::vector<data_split> splits_;                  ///< Indexed like sets_.
    std::vector<std::vector<std::size_t>> evaluated_; ///< Indexed like sets_.
    struct holder {
        std::string client; ///< Empty for a cluster's start point, whoever that is.
        std::vector<std::size_t> samples;
    };
    const std::vector<std::size_t>& share_of(int cluster) const {
        return holders_[holder_of_.at(static_cast<std::size_t>(cluster))].samples;
    }
    std::vector<holder> holders_;           ///< Edge by edge.
    std::vector<std::size_t> first_holder_; ///< By edge, and the number of all.
    std::vector<std::size_t> holder_of_;    ///< By cluster.
    std::vector<std::size_t> edge_of_;      ///< By cluster.
};

} // namespace gaisnet
