#pragma once

// The foundation model: [model].

#include "settings/key.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gaisnet {

class value_reader;
class foundation_model;
struct scenario;

/// A family of foundation models that model.family can name; each registers itself in a folder of src/model.
struct family_entry {
    const char* name;
    std::shared_ptr<const foundation_model> (*make)(const scenario&);
    /// Rejects sizes that do not go together. \throws usage_error
    void (*check)(const scenario&, const value_reader&);
    bool takes_texts = false; ///< Otherwise images.
    bool causal = false;      ///< Can tell the next token.
};

/// What a model tells of a sample.
enum class model_task {
    automatic,      ///< Next tokens where the family can, else a class.
    classification, ///< Its class, by a head that is new.
    next_token,     ///< After each of its tokens the next one, by the output layer of the foundation model.
};
inline constexpr word<model_task> model_task_words[] = {{"auto", model_task::automatic},
                                                        {"classification", model_task::classification},
                                                        {"next_token", model_task::next_token}};

/// Sizes under one name, that model.preset can choose.
struct model_preset {
    const char* name;
    std::vector<std::pair<std::string, std::string>> sizes; ///< Values by key.
};

/// Sizes of the model. What a family does not know, it ignores. A folder of weights that has a config.json gives them, too
/// (scenario/model_config.hpp).
struct model_settings {
    static constexpr section key{"model"};
    std::string family = key.named<family_entry>("family", "vit", "family of the foundation model");
    std::string preset = key.named<model_preset>("preset", "custom", "sizes of the foundation model");
    /// Side of the square input, pixels.
    std::int64_t image = size("image", "32", "side of the square input, pixels (custom)", 16384);
    /// Side of a patch, pixels; divides image.
    std::int64_t patch = size("patch", "8", "side of a patch, pixels (custom)", 16384);
    /// Width of a token; divisible by heads.
    std::int64_t dim = size("dim", "64", "width of a token (custom)", 65536);
    std::int64_t depth = size("depth", "4", "Transformer blocks (custom)", 10000);
    std::int64_t heads = size("heads", "4", "attention heads (custom)", 65536);
    /// Width of the MLP.
    std::int64_t hidden =
        key.integer("hidden", "0", "width of the MLP; 0: as is usual in the family (custom)", within(0, 10'000'000));
    /// Added to the variance, or mean square, that a norm divides by.
    double norm_eps =
        key.real("norm_eps", "0", "what norms add to a variance; 0: as is usual in the family (custom)", within(0, 1));

    // Of models of texts.
    std::int64_t vocabulary = of_text("vocabulary", "256", "tokens that there are (custom)", 10'000'000);
    std::int64_t tokens = of_text("tokens", "64", "tokens of a text", 1'000'000);
    std::int64_t positions = of_text("positions", "512", "tokens of a text at most (custom)", 10'000'000);
    std::int64_t kv_heads =
        key.integer("kv_heads", "0", "heads of keys and values, a divisor of model.heads; 0: as many (custom)",
                    within(0, 65536), {.when = {with("model.family", {"llama"})}});
    double rope_theta = key.real("rope_theta", "10000", "base of the wavelengths of rotary positions (custom)",
                                 within(1, 1e12), {.when = {with("model.family", {"llama"})}});
    bool qkv_bias = key.onoff("qkv_bias", "off", "whether query, key and value have a bias (custom)",
                              {.when = {with("model.family", {"llama"})}});
    bool tied = key.onoff("tied", "on", "whether the output layer is the embedding of tokens (custom)",
                          {.when = {with("model.family", {"llama", "gpt2"})}});
    std::int64_t token_types = key.integer("token_types", "2", "kinds of tokens, as those of two sentences (custom)",
                                           within(1, 1000), {.when = {with("model.family", {"bert"})}});

    model_task task =
        key.choice("task", "auto", model_task_words,
                   "what is learnt: classes, or the next token of texts; auto: next tokens where the family "
                   "can tell them (llama, gpt2)",
                   {.commands = commands::emulating});

    std::string weights = key.path("weights", "random",
                                   "a safetensors file with timm or Hugging Face names, a folder of Hugging Face's, or "
                                   "random",
                                   "the pre-trained backbone", {.commands = commands::emulating, .identity = false});
    std::string cache =
        key.path("cache", "", "a folder", "folder for converted weights; empty: the user's cache folder",
                 {.commands = commands::emulating, .identity = false});

    bool takes_texts() const;
    bool tells_next_tokens() const; ///< Instead of classes.

private:
    static std::int64_t size(const char* name, const char* initial, const char* help, double most) {
        return key.integer(name, initial, help, within(1, most));
    }
    static std::int64_t of_text(const char* name, const char* initial, const char* help, double most) {
        return key.integer(name, initial, help, within(1, most), {.when = {unless("model.family", {"vit"})}});
    }
};

/// Sets the size keys that are not given to the sizes of the preset, or to those that the folder of weights tells.
/// \throws usage_error for a config.json that is not accepted
void resolve_model(settings&);
/// \throws usage_error
void check_model(const scenario&, const value_reader&);

} // namespace gaisnet
