#pragma once

#include "base/mapped_file.hpp"
#include "base/tensor_view.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gaisnet {

/// One tensor of a safetensors file.
struct safetensors_entry {
    std::string name;
    std::string dtype;               ///< As in the file: "F32", "F16", "BF16", "I64", ...
    std::vector<std::int64_t> shape; ///< Empty for a scalar.
    std::int64_t elements = 1;
    std::size_t begin = 0; ///< First byte, relative to the start of the data section.
    std::size_t end = 0;   ///< One past the last byte.
    std::size_t part = 0;  ///< Index of the file of a model in several files.
};

/// Strict reader of the safetensors format (https://github.com/huggingface/safetensors): 8 bytes of little-endian
/// header length, a JSON header, then the tensors' bytes without gap or overlap. The file is mapped, not read. A
/// violation of the format throws usage_error with the file, the tensor and the numbers; the error names the format of
/// a file that is not safetensors.
class safetensors_file {
public:
    /// \param path a file, the index of a model in several files ("model.safetensors.index.json"), or a folder that
    /// contains "model.safetensors" or such an index, as Hugging Face lays them out.
    explicit safetensors_file(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    /// In the order of their bytes, file by file.
    const std::vector<safetensors_entry>& tensors() const { return tensors_; }
    /// nullptr when there is no tensor of that name.
    const safetensors_entry* find(std::string_view name) const;
    /// Throws usage_error when there is no tensor of that name.
    const safetensors_entry& at(std::string_view name) const;

    /// Converts an F32, F16 or BF16 tensor to float32 in `out`, which must have its number of elements. Throws
    /// usage_error for another dtype or size.
    void read_float32(std::string_view name, std::span<float> out) const;
    std::vector<float> float32(std::string_view name) const;
    /// The values of an I64 tensor. Throws usage_error for another dtype.
    std::vector<std::int64_t> int64(std::string_view name) const;
    /// The bytes of one tensor, possibly unaligned.
    std::span<const std::byte> bytes(const safetensors_entry& tensor) const;
    /// The mapped files, headers included; usually one.
    std::vector<const mapped_file*> files() const;

private:
    safetensors_file(const std::filesystem::path& path, bool may_be_index);
    void open_parts(std::string_view index);
    void parse_header();
    void order_and_check();
    [[noreturn]] void reject(const std::string& reason) const;

    std::filesystem::path path_;
    mapped_file file_;
    std::vector<safetensors_file> parts_; ///< For a model in several files; otherwise empty.
    std::span<const std::byte> data_;
    std::map<std::string, std::string> metadata_;
    std::vector<safetensors_entry> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
};

/// A tensor to be written; `data` must stay valid during write_safetensors().
struct tensor_to_write {
    std::string name;
    std::vector<std::int64_t> shape;
    element_type type = element_type::float32;
    std::span<const std::byte> data;

    tensor_to_write(std::string its_name, std::vector<std::int64_t> its_shape, std::span<const float> values)
        : name(std::move(its_name))
        , shape(std::move(its_shape))
        , data(std::as_bytes(values)) {}
    tensor_to_write(std::string its_name, std::vector<std::int64_t> its_shape, std::span<const std::int64_t> values)
        : name(std::move(its_name))
        , shape(std::move(its_shape))
        , type(element_type::int64)
        , data(std::as_bytes(values)) {}
    tensor_to_write(std::string its_name, const tensor_view& view)
        : name(std::move(its_name))
        , shape(view.shape)
        , type(view.type)
        , data(view.data, view.bytes()) {}
};

/// Writes a safetensors file atomically (see atomic_file). I64 tensors come before F32 tensors, so that all are
/// aligned; each kind keeps the given order. The header is padded to 8 bytes. Throws runtime_failure when the file
/// cannot be written, when a name occurs twice or is not UTF-8, or when a tensor's data do not match its shape.
void write_safetensors(const std::filesystem::path& path, const std::vector<tensor_to_write>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// Converts IEEE 754 binary16 and bfloat16 bit patterns to float32, exactly.
float float16_to_float32(std::uint16_t bits);
float bfloat16_to_float32(std::uint16_t bits);

/// "[3, 16, 16]".
std::string shape_text(const std::vector<std::int64_t>& shape);

} // namespace gaisnet
