#pragma once

#include "data/batch_loader.hpp"
#include "data/dataset.hpp"
#include "data/image_folder.hpp"
#include "data/text_folder.hpp"
#include "data/token_datasets.hpp"
#include "scenario/scenario.hpp"
#include "text/tokenizer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// What is done with an image folder before anybody has a share of it: damaged samples are left out, for example.
using folder_check = std::function<void(image_folder&)>;

/// Makes datasets of what a scenario says of its data: a domain of theirs is a folder, or drawn from a seed.
class domain_source {
public:
    virtual ~domain_source() = default;
    /// Of data.source = procedural. \param domain any number from 0
    virtual std::unique_ptr<dataset> draw(int domain) = 0;
    /// \param key the setting that names the folder, for messages. \throws usage_error
    virtual std::unique_ptr<dataset> read(const std::string& folder, const std::string& key) = 0;
    /// Those of the edges: one for all, one for each, or one for each start point.
    std::vector<std::unique_ptr<dataset>> all();

    /// In which a model takes samples.
    virtual input_form form() const = 0;
    /// Of texts; null: samples are images.
    virtual std::shared_ptr<const tokenizer> words() const { return nullptr; }
    /// "procedural images", or the folders.
    std::string origin() const;
    /// What was ignored or replaced in text folders so far, a sentence each.
    const std::vector<std::string>& notes() const { return notes_; }
    /// A hash of the text folders that were read.
    std::uint64_t content() const { return content_; }

protected:
    explicit domain_source(const scenario& scene): scene_(scene) {}
    const scenario& scene_;
    std::vector<std::string> notes_;
    std::uint64_t content_ = 0;
};

// The parts of that.

/// With data.tokenizer, or that of the model's folder, or the words of the grammars. \param drawn texts are.
/// \throws usage_error for a tokenizer that cannot be used, or when there is none
token_form token_form_of(const scenario&, bool drawn, std::size_t threads);
input_form input_form_of(const token_form&, bool next_tokens);
/// Of images.
input_form image_form_of(const scenario&);
/// How a folder of texts is read. \param classes it has to have some.
text_folder_rules rules_of(const scenario&, const std::string& key, bool classes);

/// \param scene must outlive the source. \param threads that tokenize texts. \throws usage_error for a tokenizer that cannot
/// be used
std::unique_ptr<domain_source> make_domain_source(const scenario& scene, folder_check, std::size_t threads = 1);

} // namespace gaisnet
