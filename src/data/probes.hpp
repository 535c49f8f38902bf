#pragma once

#include "data/dataset.hpp"
#include "data/partition.hpp"
#include "data/shares.hpp"
#include "scenario/scenario.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

/// A domain on which models are compared.
struct probe_domain {
    std::string name;
    bool seen = true; ///< Some edge has it.
    std::vector<std::string> class_names;
};

/// Domains on which models are compared: those of edges, in the order of data_shares::set(), and the one that no edge
/// has (probe.unseen), if there are several edges.
class probe_domains {
public:
    /// Scenario and shares must outlive this object. \throws usage_error when probe.unseen cannot be used.
    probe_domains(const scenario&, const data_shares&, domain_source&);

    const std::vector<probe_domain>& all() const { return domains_; }
    const dataset& set(std::size_t domain) const;
    /// Training or validation samples of a domain, `most` at most, drawn from the seed; `batch` samples in each batch but
    /// the last.
    std::vector<std::vector<std::size_t>> batches(std::size_t domain, bool training, std::int64_t most,
                                                  std::size_t batch) const;

private:
    const scenario& scene_;
    const data_shares& shares_;
    std::vector<probe_domain> domains_;
    std::unique_ptr<dataset> unseen_; ///< A domain that no edge has; null: none.
    data_split unseen_split_;
};

} // namespace gaisnet
