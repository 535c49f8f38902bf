#pragma once

#include "model/block_cost.hpp"
#include "scenario/tuning.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gaisnet {

class safetensors_file;
struct backbone_match;
struct token_step;
struct scenario;

/// Name and shape of one weight tensor.
struct tensor_spec {
    std::string name;
    std::vector<std::int64_t> shape;
    std::int64_t elements() const {
        std::int64_t n = 1;
        for (auto extent : shape) {
            n *= extent;
        }
        return n;
    }
};

/// A linear layer of a block: x [tokens, in] becomes [tokens, out].
struct linear_layer {
    std::string name; ///< Within its block: "attn.query".
    std::int64_t in = 0, out = 0;
};

/// What splitting, tuning, charging and files need to know of a foundation model: an embedding makes tokens of a sample,
/// blocks map tokens to tokens of the same shape, a final norm makes the input of the head, or of the output layer that
/// tells the next token. How it computes is a family_forward (model/torch/backbone.hpp). A family is a class of each and
/// a family_entry.
class foundation_model {
public:
    virtual ~foundation_model() = default;

    /// Of model.family.
    virtual const char* family() const = 0;
    const block_shape& shape() const { return shape_; }
    std::int64_t depth() const { return depth_; } ///< Blocks.
    std::int64_t dim() const { return shape_.dim; }
    std::int64_t tokens() const { return shape_.tokens; }

    /// Shape of one sample as the embedding takes it: [3, image, image], or [tokens].
    virtual std::vector<std::int64_t> sample_shape() const = 0;
    std::int64_t sample_values() const { return tensor_spec{{}, sample_shape()}.elements(); }
    /// Whether samples are texts: int64 numbers of tokens below vocabulary(). The embedding takes texts of any length up
    /// to positions(); costs and messages are those of texts of tokens() tokens.
    virtual bool takes_tokens() const { return false; }
    virtual std::int64_t vocabulary() const { return 0; }
    /// Tokens at most that the model can tell the places of, those of prompts included.
    virtual std::int64_t positions() const { return tokens(); }
    /// Whether a token attends only to itself and to those before it.
    virtual bool causal() const { return false; }
    /// Tokens that stand before all others (CLS); prompts go behind them.
    virtual std::int64_t leading_tokens() const { return 1; }
    /// Input values of a token, to which initialisations refer.
    virtual std::int64_t token_fan_in() const = 0;

    /// Tensors of the parts of a backbone, named as in the family's reference implementation. The classification head
    /// is no part of it. A name contains its block's index and is unique in the model.
    virtual std::vector<tensor_spec> embedding_tensors() const = 0;
    virtual std::vector<tensor_spec> block_tensors(std::int64_t block) const = 0;
    virtual std::vector<tensor_spec> norm_tensors() const = 0;
    /// The output layer, from which a token follows: one matrix [vocabulary, dim], or nothing. A tied one is a tensor of
    /// the embedding, under its name.
    virtual std::vector<tensor_spec> output_tensors() const { return {}; }
    virtual bool tied_output() const { return false; }
    /// All of them, each once: embedding, every block, final norm, output layer.
    std::vector<tensor_spec> tensors() const;

    /// Whether its blocks have that layer; by default all but a gate where shape() says none.
    virtual bool has(block_linear) const;
    /// Name and sizes of a linear layer, for changes of low rank. By default those of a block with attention and an MLP.
    virtual linear_layer linear(block_linear) const;
    /// Multiply-accumulates of the embedding, for one sample.
    virtual double embedding_mac() const = 0;
    /// Values that autograd keeps of one sample when the embedding is tuned; by default the sample.
    virtual std::int64_t embedding_retained() const { return sample_values(); }
    /// Multiply-accumulates of what makes the input of the head from one pooled token.
    virtual double norm_mac() const { return 0.0; }
    /// Costs of one block for one sample (see cost_of_attention_block, the default). \param input_gradient whether
    /// something before the block is tunable.
    virtual block_cost cost_of_block(const block_change&, bool input_gradient) const;
    virtual std::int64_t inference_workspace(const block_change&) const;
    /// Multiply-accumulates of one block for a step of a text that is generated. By default every new token passes the
    /// linear layers and attends to all tokens, prompts included; those of the method come with the first step.
    virtual double step_mac(const block_change&, const token_step&) const;
    virtual std::int64_t step_workspace(const block_change&, const token_step&) const;

    /// Whether a matrix [out, in] is [in, out] in files.
    virtual bool transposed_in_files(const tensor_spec&) const { return false; }
    /// Finds every tensor of the backbone in a file. Reads no tensor. By default the file has tensors() and nothing else.
    /// \throws usage_error
    virtual backbone_match match(const safetensors_file&) const;

protected:
    foundation_model(const block_shape& shape, std::int64_t depth): shape_(shape), depth_(depth) {}

private:
    block_shape shape_;
    std::int64_t depth_;
};

/// The model that [model] describes.
/// \throws usage_error for an unknown family
std::shared_ptr<const foundation_model> make_model(const scenario&);

} // namespace gaisnet
