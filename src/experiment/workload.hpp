#pragma once

#include "data/batch_loader.hpp"
#include "experiment/collected.hpp"
#include "experiment/session.hpp"
#include "model/torch/sample_source.hpp"
#include "model/vit/tuned_vit.hpp"
#include "results/rows.hpp"
#include "roles/deployment.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// The data of a scenario: which samples each start point trains on, and what each edge validates on. Every rank makes
/// the same one; images are decoded only where they are used.
class workload {
public:
    /// Every rank has to call it: the check of an image folder is shared out over the ranks.
    /// \param check_images false: only counts are wanted (plan, dry run).
    workload(const scenario&, session&, bool check_images);
    ~workload();

    /// From now on inputs of models are made on this rank's GPU, of images that stay there as far as data.cache, or a
    /// quarter of the memory that this rank may still take, goes.
    void use_gpu(const accelerator&);

    /// Classes and validation samples of each edge.
    std::vector<domain_size> sizes() const;
    const std::vector<std::string>& class_names(std::uint32_t edge) const;
    /// Training samples by cluster (all edges' clusters in order).
    std::vector<std::int64_t> samples() const;
    /// Changes with the names and pixels of an image folder that was checked: a resumed run must see the same ones.
    std::uint64_t fingerprint() const;

    /// Which samples a cluster's start point has in which micro-batch. \param name of the start point's node.
    std::function<std::vector<std::size_t>(const micro_batch&)> numbers_of(int cluster, const std::string& name) const;

    /// "procedural images", or the image folders.
    std::string origin() const;
    /// What a cluster's start point trains on, a row a class. \param name of the start point's node.
    std::vector<samples_description> describe(int cluster, const std::string& name) const;

    /// The samples of a cluster's start point. \param name of the start point's node.
    std::shared_ptr<sample_source> source_of(int cluster, const std::string& name) const;

    /// Domains on which models are compared: those of edges, and the one that no edge has.
    struct probe_domain {
        std::string name;
        bool seen = true;
        std::vector<std::string> class_names;
    };
    const std::vector<probe_domain>& probe_domains() const;
    /// The domain of an edge's data.
    std::size_t domain_of(std::size_t edge) const;
    /// Calls `work` with batches of a domain's training or validation samples, `most` at most, drawn from the seed.
    void for_each_batch(std::size_t domain, bool training, std::int64_t most,
                        const std::function<void(const labelled_batch&)>& work) const;

    /// How well the data of an edge's start points suit its domain: 1 less the total variation distance between their
    /// classes and those of its validation samples, times the part of their labels that is right (data.label_noise).
    /// \param start_points names of these nodes, by cluster.
    double data_fit(std::uint32_t edge, const std::vector<std::string>& start_points) const;
    /// Inference: how many images of the user's each start point classifies, by cluster; empty: requests are for
    /// validation samples.
    std::vector<std::int64_t> own_requests() const;
    /// The samples of a start point's requests, in the order of arrival. \param name of its node.
    std::vector<std::size_t> request_samples(int cluster, const std::string& name, std::int64_t requests) const;
    /// Gives batches of these requests: micro_batch::first counts them.
    std::shared_ptr<sample_source> requests_of(int cluster, const std::string& name, std::int64_t requests) const;
    /// Name of a request's sample, and its class; "" when it is not known.
    std::pair<std::string, std::string> describe_request(int cluster, std::size_t sample) const;

    /// Evaluates an edge's model on this rank's share of its validation batches: batch i belongs to member i modulo
    /// `members` of the ranks that hold the model.
    std::vector<batch_result> evaluate(std::uint32_t edge, const tuned_vit& model, std::size_t member,
                                       std::size_t members) const;

private:
    void name_domains();

    struct parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
