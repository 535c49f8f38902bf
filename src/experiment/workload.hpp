#pragma once

#include "data/batch_loader.hpp"
#include "data/probes.hpp"
#include "data/requests.hpp"
#include "data/shares.hpp"
#include "experiment/collected.hpp"
#include "experiment/session.hpp"
#include "model/torch/sample_source.hpp"
#include "model/torch/tuned_model.hpp"
#include "results/rows.hpp"
#include "roles/deployment.hpp"
#include "scenario/scenario.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// Judges the predictions that a model makes of samples. \param pooled what is left for the head (see
/// tuned_model::pooled()) \param labels of the host
void add_predictions(batch_result& sum, const tuned_model&, const at::Tensor& pooled, const at::Tensor& labels);

/// The data of a scenario at work: who has which samples (data/), made into batches for this rank's models. Every rank
/// makes the same one; images are decoded only where they are used.
class workload {
public:
    /// Every rank has to call it, because the ranks share the check of an image folder. \param check_images false: only
    /// counts are needed (plan, dry run).
    workload(const scenario&, session&, bool check_images);
    ~workload();

    /// From now on inputs of images are made on this rank's GPU. Decoded images stay in its memory up to data.cache or, if
    /// that is not set, a quarter of the memory that this rank may still take.
    void use_gpu(const accelerator&);

    const data_shares& shares() const;
    /// See data_shares::use_clusters.
    void use_clusters(const formed_clusters&);
    const probe_domains& probes() const;
    const request_samples& requests() const;

    /// "procedural images", or the folders.
    std::string origin() const;
    /// Of texts; null: samples are images.
    std::shared_ptr<const tokenizer> words() const;
    /// Whether answers are texts, not classes.
    bool tells_next_tokens() const;
    /// Classes (or no_classes) and validation samples of each edge.
    std::vector<domain_size> sizes() const;
    /// Changes with the names and contents of a checked folder: a resumed run must see the same samples.
    std::uint64_t fingerprint() const;
    /// The training samples of a cluster's start point, one row per class. \param name of the start point's node.
    std::vector<samples_description> describe(int cluster, const std::string& name) const;

    /// The samples in each micro-batch of a cluster's start point. \param name of the start point's node.
    std::function<std::vector<std::size_t>(const micro_batch&)> numbers_of(int cluster, const std::string& name) const;
    /// Supplies the samples of a cluster's start point. \param name of the start point's node.
    std::shared_ptr<sample_source> source_of(int cluster, const std::string& name) const;
    /// Gives batches of a start point's requests: micro_batch::first counts them. \param name of its node.
    std::shared_ptr<sample_source> requests_of(int cluster, const std::string& name, std::int64_t requests) const;
    /// Calls `work` with batches of a domain's training or validation samples; see probe_domains::batches().
    void for_each_batch(std::size_t domain, bool training, std::int64_t most,
                        const std::function<void(const labelled_batch&)>& work) const;

    /// Evaluates an edge's model on this rank's share of its validation batches: batch i belongs to the rank with
    /// number i modulo `members` among the ranks that hold the model.
    std::vector<batch_result> evaluate(std::uint32_t edge, const tuned_model& model, std::size_t member,
                                       std::size_t members) const;

private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

} // namespace gaisnet
