#pragma once

#include "data/batch_loader.hpp"
#include "data/dataset.hpp"
#include "data/image_supply.hpp"
#include "experiment/session.hpp"
#include "scenario/scenario.hpp"
#include "text/tokenizer.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gaisnet {

/// What pre-training does: pretrain.objective, or what is usual for the family.
pretraining_kind pretraining_of(const scenario&);

/// The cloud's images or texts for pre-training: a folder, or procedural domains that no edge and no comparison of models
/// uses.
class cloud_samples {
public:
    /// Every rank has to call it, because the ranks share the check of a folder. \param check false: only counts are
    /// needed (dry run). \throws usage_error as image_folder or text_folder does.
    cloud_samples(const scenario&, session&, bool check);

    std::size_t size() const { return domains_.size() * domains_.front()->size(); }
    std::int64_t classes() const { return static_cast<std::int64_t>(domains_.front()->class_names().size()); }
    /// A stable name of the sample.
    std::string name(std::size_t index) const;
    const std::string& origin() const { return origin_; } ///< "3 procedural domain(s)", or the folder
    std::uint64_t content() const { return content_; }    ///< Changes when the files of the checked folder change.

    const input_form& form() const { return form_; }
    /// Of texts; null: images.
    const std::shared_ptr<const tokenizer>& words() const { return words_; }

    /// Makes these samples, on all threads of the rank, with their labels. Images of a folder are augmented by epoch
    /// if data.augment is on.
    labelled_batch load(std::span<const std::size_t> indices, std::uint32_t epoch) const;

private:
    void open_folder(const scenario&, session&, bool check);
    void make_procedural_domains(const scenario&);
    void make_texts(const scenario&, session&);

    // Domains take turns.
    std::size_t domain(std::size_t index) const { return index % domains_.size(); }
    std::size_t at(std::size_t index) const { return index / domains_.size(); }
    const dataset& data(std::size_t index) const { return *domains_[domain(index)]; }

    std::vector<std::unique_ptr<dataset>> domains_; ///< All of the same size.
    input_form form_;
    bool augment_ = false;
    std::uint64_t seed_;
    std::string origin_;
    std::uint64_t content_ = 0;
    std::unique_ptr<image_supply> supply_;
    std::shared_ptr<const tokenizer> words_;
};

} // namespace gaisnet
