#pragma once

#include "base/mapped_file.hpp"
#include "model/family.hpp"
#include "model/files/safetensors.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gaisnet {

struct backbone_match;

/// The frozen backbone of a foundation model: float32 tensors by name (foundation_model::tensors), aligned to 64 bytes
/// and never modified. A store that is opened from a checkpoint is one image file in a cache folder, which all
/// processes of a host map read-only and share; the first process creates it.
class weight_store {
    struct passkey {};

public:
    /// Opens the backbone in a safetensors file (F32, F16 or BF16). The float32 image is
    /// found in `cache_dir` (empty: default_cache_dir()) by a hash of the file's bytes and by the model's sizes; it is created
    /// when it is missing or damaged. An unusable cache is not an error: the store then keeps its values in private
    /// memory and says so in notes(). Throws usage_error as safetensors_file and foundation_model::match do.
    static std::shared_ptr<const weight_store> open(const std::filesystem::path& file,
                                                    std::shared_ptr<const foundation_model>,
                                                    const std::filesystem::path& cache_dir = {});
    /// Random weights: embedding tensors and weight matrices are normal with standard deviation 0.02, redrawn beyond
    /// two deviations; biases are 0, weights of norms (other vectors) 1. Depends only on (seed, tensor name, shape).
    static std::shared_ptr<const weight_store> random(std::shared_ptr<const foundation_model>, std::uint64_t seed);
    /// Uses exactly the tensors of the model, row-major. Throws usage_error when one is missing, unknown
    /// or has another size.
    static std::shared_ptr<const weight_store> from_tensors(std::shared_ptr<const foundation_model>,
                                                            const std::map<std::string, std::vector<float>>& tensors);
    /// $XDG_CACHE_HOME/gaisnet, else $HOME/.cache/gaisnet, else gaisnet-USERID in the folder for temporary files.
    static std::filesystem::path default_cache_dir();

    const foundation_model& model() const { return *model_; }
    /// Values and shape of a tensor of the model; valid as long as the store. Any other name throws
    /// runtime_failure.
    std::span<const float> tensor(std::string_view name) const;
    const std::vector<std::int64_t>& shape(std::string_view name) const;

    /// 64-bit hash of all values; it does not depend on how the store was made.
    std::uint64_t fingerprint() const { return fingerprint_; }
    /// Whether the values are a mapped image shared with other processes, not private memory.
    bool shared() const { return !image_.bytes().empty(); }
    /// The checkpoint's __metadata__ (timm exports contain mean and std of the images there); empty for other stores.
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    /// Messages for the user: ignored heads, a rebuilt or unusable cache.
    const std::vector<std::string>& notes() const { return notes_; }

    /// Only for the functions above.
    weight_store(passkey, std::shared_ptr<const foundation_model>);

private:
    struct slot {
        tensor_spec spec;
        std::size_t offset = 0; ///< Bytes after the first tensor's start; a multiple of 64.
    };
    struct alignas(64) cache_line {
        std::array<std::byte, 64> bytes;
    };
    struct image_header;

    const slot& find(std::string_view name) const;
    std::span<float> private_values(const slot&);
    void allocate_private();
    void fingerprint_private();
    image_header expected_header(std::uint64_t source_hash, std::size_t source_bytes) const;
    /// Converts a checkpoint to an image file, one tensor at a time, so it needs memory for only one. Throws
    /// runtime_failure when the image cannot be written, usage_error for a value that is not finite.
    void write_image(const safetensors_file& source, const backbone_match& match, image_header header,
                     const std::filesystem::path& path) const;
    /// Maps and verifies an image. \returns why it cannot be used; empty: it can.
    std::string map_image(const std::filesystem::path& path, const image_header& expected);

    std::shared_ptr<const foundation_model> model_;
    std::vector<slot> slots_;
    std::map<std::string, std::size_t, std::less<>> index_;
    std::size_t data_bytes_ = 0;
    mapped_file image_;
    std::vector<cache_line> private_;
    const std::byte* data_ = nullptr;
    std::uint64_t fingerprint_ = 0;
    std::map<std::string, std::string> metadata_;
    std::vector<std::string> notes_;
};

} // namespace gaisnet
