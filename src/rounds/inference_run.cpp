#include "rounds/inference_run.hpp"

#include "roles/fusion.hpp"

#include <cstring>
#include <set>

namespace gaisnet {

namespace {

/// By batch of texts: how many have to be answered before it: the token before, or the end of a text whose place it takes.
std::vector<std::size_t> answered_before(const request_line& line, const std::vector<request_batch>& batches) {
    std::vector<std::size_t> before;
    if (line.texts.empty()) {
        return before;
    }
    std::map<std::int64_t, std::size_t> last; // batch of each text so far
    std::vector<std::size_t> ends;            // batches that end a text
    for (std::size_t b = 0; b < batches.size(); ++b) {
        const auto& batch = batches[b];
        const auto begun = last.size(), most = static_cast<std::size_t>(line.in_flight);
        before.push_back(batch.token > 0 ? last.at(batch.first) + 1 : begun >= most ? ends.at(begun - most) + 1 : 0);
        last[batch.first] = b;
        if (line.answers(batch.first, batch.token)) {
            ends.push_back(b);
        }
    }
    return before;
}

/// Clusters of a group compute together what they have as the same batch of their session, if it is as large.
fusion together_in(const deployment& deploy, const inference_plan& session, const inference_decisions& decisions) {
    fusion out{groups_of_session(deploy, session), {}};
    for (std::size_t c = 0; c < session.lines.size(); ++c) {
        const auto& batches = decisions.batches[c];
        for (std::size_t b = 0; b < batches.size(); ++b) {
            ++out.members[{out.group_of[c], static_cast<std::int64_t>(b), batches[b].count}];
        }
    }
    return out;
}

} // namespace

inference_run::inference_run(const deployment& deploy, transport& network, std::vector<int> rank_of,
                             const executor_factory& make, const std::vector<tensor_view>& models,
                             tensor_run_hooks hooks)
    : deploy_(deploy)
    , network_(network)
    , rank_of_(std::move(rank_of))
    , hooks_(std::move(hooks))
    , cast_(deploy, make, [&](std::uint32_t node) { return rank_of_[node] == network.rank(); }) {
    for (std::uint32_t edge = 0; edge < models.size(); ++edge) {
        set_model(edge, models[edge]);
    }
    std::set<std::pair<int, int>> neighbours;
    for (const auto& chain : deploy.chains) {
        for (std::size_t position = 1; position < chain.size(); ++position) {
            neighbours.insert({rank_of_[chain[position - 1].node], rank_of_[chain[position].node]});
        }
    }
    network_.connect({neighbours.begin(), neighbours.end()});
}

void inference_run::play(const inference_plan& session, const inference_decisions& decisions) {
    begin(session, decisions);
    pass_->run();
    end();
}

void inference_run::begin(const inference_plan& session, const inference_decisions& decisions) {
    std::vector<exchange> all;
    for (const auto& one : decisions.exchanges) {
        all.push_back({one.route, rank_of_[one.route.from], rank_of_[one.route.to], one.shape, {}});
    }
    network_.expect(std::move(all));
    cast_.begin_round({1, {}});
    tensor_pass::settings plan;
    plan.rank_of = rank_of_;
    for (const auto& node : deploy_.net.nodes) {
        plan.names.push_back(node.name);
    }
    for (const auto& seated : cast_.executors()) {
        const auto& seat = *seated.seat;
        if (session.requests_of(seat.cluster) == 0) {
            continue; // it has no part in the session
        }
        ++plan.strands[seat.cluster];
        if (session.holds[seat.node] && seat.spec.trainable()) { // it has the modules from an earlier delivery
            const auto edge = static_cast<std::uint32_t>(deploy_.net.nodes[seat.node].edge);
            seated.executor->load(modules_of(cast_.model(edge), {&seat}));
        }
    }
    for (std::size_t c = 0; c < session.lines.size(); ++c) {
        plan.requests[static_cast<int>(c)] = {decisions.batches[c], session.lines[c].in_flight,
                                              answered_before(session.lines[c], decisions.batches[c])};
    }
    plan.together = together_in(deploy_, session, decisions);
    plan.active_clusters = static_cast<std::size_t>(deploy_.scene->runtime.active_clusters);
    plan.idle = hooks_.idle;
    plan.note = hooks_.note;
    plan.computed = hooks_.computed;
    if (hooks_.clock) {
        arrivals_ = decisions.arrivals;
        plan.pace = pacing{hooks_.clock, &arrivals_, {}};
    }
    pass_ = std::make_unique<tensor_pass>(network_, std::move(plan), backlog_);
    cast_.serve(*pass_, session);
    pass_->start();
}

void inference_run::end() {
    pass_->finish();
    late_.insert(late_.end(), pass_->late().begin(), pass_->late().end());
    pass_.reset();
}

std::map<int, std::map<std::int64_t, std::vector<std::int64_t>>> inference_run::texts() const {
    std::map<int, std::map<std::int64_t, std::vector<std::int64_t>>> all;
    for (const auto& client : cast_.clients()) {
        if (!client.texts.empty()) {
            all[client.me.cluster] = client.texts;
        }
    }
    return all;
}

std::map<int, tensor_view> inference_run::answers() const {
    std::map<int, tensor_view> all;
    for (const auto& client : cast_.clients()) {
        if (client.answers.empty()) {
            continue;
        }
        std::int64_t rows = 0;
        for (const auto& batch : client.answers) {
            rows += batch.shape[0];
        }
        auto logits = tensor_view::allocate({rows, client.answers.front().shape[1]});
        auto* out = logits.data;
        for (const auto& batch : client.answers) {
            std::memcpy(out, batch.data, batch.bytes());
            out += batch.bytes();
        }
        all[client.me.cluster] = std::move(logits);
    }
    return all;
}

} // namespace gaisnet
