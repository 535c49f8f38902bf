#pragma once

#include "model/stage_executor.hpp"
#include "model/stage_spec.hpp"

namespace gaisnet {

/// A stage for the ledger pass: it computes shapes, but no values.
class shape_stage final : public stage_executor {
public:
    explicit shape_stage(const stage_spec& spec): spec_(&spec) {}

    void load(const tensor_view&) override {}
    tensor_view unload() override { return tensor_view::shape_only({spec_->tunable_elements()}); }
    tensor_view labels(const micro_batch& micro) override {
        return spec_->tells_tokens()
                   ? tensor_view::shape_only({micro.count, spec_->model().tokens()}, element_type::int64)
                   : padding(micro);
    }
    tensor_view padding(const micro_batch& micro) override {
        return tensor_view::shape_only({micro.count}, element_type::int64);
    }
    tensor_view run(const stage_request& request) override {
        switch (request.operation) {
        case stage_operation::forward: return spec_->sent(spec_->output_shape(request.micro.count));
        case stage_operation::backward:
            return spec_->input_gradient ? spec_->sent(spec_->input_shape(request.micro.count)) : tensor_view{};
        case stage_operation::infer:
            return spec_->cut().head ? tensor_view::shape_only({request.micro.count, spec_->logits()})
                                     : spec_->sent(spec_->output_shape(request.micro.count));
        case stage_operation::generate:
            return spec_->cut().head ? tensor_view::shape_only({1}, element_type::int64)
                                     : spec_->sent(spec_->step_output_shape(request.text));
        case stage_operation::step: break;
        }
        return {};
    }

private:
    const stage_spec* spec_;
};

} // namespace gaisnet
