#pragma once

#include "planning/plan_judge.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

namespace gaisnet {

/// Estimates what chains cost, much faster than the ledger: it proposes, and the ledger decides. A batch takes the sum of
/// its stages and hops; in a pipeline each micro-batch waits for the slowest of them (PipeDream, Narayanan et al., SOSP
/// 2019; EdgeShard, Zhang et al. 2024, for chains of unequal devices). A request takes the sum for one sample and what it
/// waits for its turn, as in an M/D/1 queue before the slowest part; what comes in excess of that waits for half of the
/// session on average. It does not see waiting for modules, shared media, or what happens between rounds.
class chain_model {
public:
    /// \param given of the scenario as it is, for weighted objectives
    chain_model(plan_judge&, plan_objective, plan_figures given);

    /// The clients of an order that have a part, their blocks, and what the model thinks of it. The first is the start
    /// point and the last has the head; these two may be without blocks.
    struct proposal {
        std::vector<std::size_t> clients; ///< Empty: nothing fits.
        std::vector<int> blocks;
        double value = 0; ///< Per batch, or request, in units of the objective.
    };
    /// Divides blocks over the clients of an edge in this order, by dynamic programming: O(K^2 N^2), for a pipeline once
    /// for each bound on its slowest stage. \param sharers clusters that share the edge's D2D band. \returns the best
    /// first; several for a pipeline.
    std::vector<proposal> split(int edge, std::span<const std::size_t> order, std::size_t sharers);
    /// Seconds that a batch, or a request, takes over the hop behind `boundary` blocks, there and, if it carries gradients,
    /// back. Infinite where nothing is sent.
    struct hop_seconds {
        double there = 0, back = 0;
    };
    hop_seconds over(int edge, std::size_t from, std::size_t to, int boundary);
    /// Seconds that the result of a request takes back to the start point.
    double result_over(int edge, std::size_t from, std::size_t to);
    /// Value of blocks that are given.
    double value(int edge, std::span<const std::size_t> clients, std::span<const int> blocks, std::size_t sharers);

private:
    /// Of blocks [first, end) at one client, for a batch.
    struct stage_costs {
        double flops = 0;  ///< Forward, backward and step.
        double memory = 0; ///< B
    };
    struct hop {
        double seconds_a_bit = 0, latency_s = 0, joule_a_second = 0, bandwidth_hz = 0;
        bool reached = false;
    };
    /// What a stage or a hop adds to each batch.
    struct cost {
        double seconds = 0, joule = 0, hz_s = 0;
        double on_the_way = 0; ///< Of seconds, those in which the link is free again.
    };
    /// Requests of a start point.
    struct load {
        double number = 0, per_second = 0; ///< per_second: infinite if they come all at once.
        double batch = 1, in_flight = 0;   ///< At most; in_flight 0: as many as there are stages.
    };
    static load load_of(const scenario&);
    cost waited(cost sum, double slowest, double stages) const;
    cost between(const hop& way, double bits) const;
    cost result_cost(int edge, std::size_t from, std::size_t to, std::size_t sharers);
    const stage_costs& stage(int edge, std::size_t client, int first, int end, bool start, bool head);
    std::vector<stage_costs> costs_with(const std::shared_ptr<const tuning_method>&) const;
    cost stage_cost(int edge, std::size_t client, int first, int end, bool start, bool head);
    cost hop_cost(int edge, std::size_t from, std::size_t to, int boundary, std::size_t sharers);
    const hop& link(int edge, std::size_t from, std::size_t to, std::size_t sharers);
    bool fits(int edge, std::size_t client, int first, int end, bool start, bool head);
    double weigh(const cost& one) const;
    proposal best(int edge, std::span<const std::size_t> order, std::size_t sharers, double slowest);

    plan_judge& judge_;
    double per_second_ = 0, per_joule_ = 0, per_hz_s_ = 0; ///< Weights of the objective.
    bool throughput_ = false;                              ///< Of requests: seconds are those between two answers.
    int depth_;
    bool serves_;
    load load_;    ///< If it serves.
    double batch_; ///< Samples of a batch; 1 if it serves.
    double micro_batches_;
    std::map<const tuning_method*, std::vector<stage_costs>> stages_; ///< By what clients tune; when asked for.
    std::vector<std::vector<const std::vector<stage_costs>*>>
        stages_of_; ///< Those of each client, by edge; null: not yet.
    double result_bits_ = 0;
    std::vector<double> forward_bits_, backward_bits_; ///< Of a batch, by the number of blocks before the hop.
    std::map<std::tuple<int, std::size_t, std::size_t, std::size_t>, hop> links_;
};

} // namespace gaisnet
