#pragma once

#include "base/tensor_view.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace gaisnet {

/// A regular file mapped read-only as a whole (MAP_SHARED: processes that map the same file share its pages). The
/// mapping lives as long as the object; the file must not be shortened meanwhile.
class mapped_file {
public:
    mapped_file() = default;
    /// Maps `path`. On failure (missing, unreadable, not a regular file) sets `code` and returns an empty map.
    static mapped_file open(const std::filesystem::path& path, std::error_code& code);

    std::span<const std::byte> bytes() const { return {memory_.get(), memory_ ? memory_.get_deleter().size : 0}; }
    /// Gives the resident pages back; they are read again from the page cache when touched.
    void drop_pages() const;

private:
    struct unmapper {
        std::size_t size;
        void operator()(const std::byte* memory) const;
    };
    std::unique_ptr<const std::byte[], unmapper> memory_;
};

/// A file that appears under its name only when it is complete: written under a temporary name in the same folder,
/// then fsync and rename. An object destroyed before `commit` removes its temporary file; one killed leaves only a
/// hidden "*.tmp". Every failure throws runtime_failure with the path and the system's reason.
class atomic_file {
public:
    /// \param target final path; an existing regular file is replaced at `commit`, anything else is refused.
    explicit atomic_file(std::filesystem::path target);
    ~atomic_file();
    atomic_file(const atomic_file&) = delete;
    atomic_file& operator=(const atomic_file&) = delete;

    /// Writes at a byte offset; bytes never written read as zero.
    void write_at(std::size_t offset, std::span<const std::byte> bytes);
    void commit();

private:
    [[noreturn]] void fail(int code) const;

    std::filesystem::path target_;
    std::filesystem::path temporary_;
    int descriptor_ = -1;
    bool committed_ = false;
};

/// One tensor of a safetensors file.
struct safetensors_entry {
    std::string name;
    std::string dtype;               ///< As in the file: "F32", "F16", "BF16", "I64", ...
    std::vector<std::int64_t> shape; ///< Empty for a scalar.
    std::int64_t elements = 1;
    std::size_t begin = 0; ///< First byte, counted from the start of the data section.
    std::size_t end = 0;   ///< One past the last byte.
    std::size_t part = 0;  ///< Of a model in several files: which of them.
};

/// Strict reader of the safetensors format (https://github.com/huggingface/safetensors): 8 bytes of little-endian
/// header length, a JSON header, then the tensors' bytes without gap or overlap. The file is mapped, not read.
/// Everything that breaks the format throws usage_error with the file, the tensor and the numbers; a file of another
/// format is named.
class safetensors_file {
public:
    /// \param path a file; the index of a model in several files ("model.safetensors.index.json"); or a folder with
    /// "model.safetensors" or with such an index, as Hugging Face lays them out.
    explicit safetensors_file(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    /// In the order of their bytes, file by file.
    const std::vector<safetensors_entry>& tensors() const { return tensors_; }
    /// nullptr when there is none of that name.
    const safetensors_entry* find(std::string_view name) const;
    /// Throws usage_error when there is none of that name.
    const safetensors_entry& at(std::string_view name) const;

    /// Copies an F32, F16 or BF16 tensor into `out` (exactly its number of elements) as float32; a tensor of another
    /// dtype, or another size, throws usage_error.
    void read_float32(std::string_view name, std::span<float> out) const;
    std::vector<float> float32(std::string_view name) const;
    /// An I64 tensor; another dtype throws usage_error.
    std::vector<std::int64_t> int64(std::string_view name) const;
    /// The bytes of one tensor, possibly unaligned.
    std::span<const std::byte> bytes(const safetensors_entry& tensor) const;
    /// The files that it consists of, headers included; mostly one.
    std::vector<const mapped_file*> files() const;

private:
    safetensors_file(const std::filesystem::path& path, bool may_be_index);
    void open_parts(std::string_view index);
    void parse_header();
    void order_and_check();
    [[noreturn]] void reject(const std::string& reason) const;

    std::filesystem::path path_;
    mapped_file file_;
    std::vector<safetensors_file> parts_; ///< Of a model in several files; else empty.
    std::span<const std::byte> data_;
    std::map<std::string, std::string> metadata_;
    std::vector<safetensors_entry> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;
};

/// A tensor to be written; `data` must outlive the call of write_safetensors.
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

/// Writes a safetensors file atomically (see atomic_file): I64 tensors before F32 ones, so that all are aligned, each
/// kind in the given order; the header is padded to 8 bytes. Throws runtime_failure when the file cannot be written,
/// when a name comes twice or is not UTF-8, or when a tensor's data do not match its shape.
void write_safetensors(const std::filesystem::path& path, const std::vector<tensor_to_write>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// IEEE 754 binary16 and bfloat16 bit patterns as float32; exact.
float float16_to_float32(std::uint16_t bits);
float bfloat16_to_float32(std::uint16_t bits);

/// A name from a file as it may stand in an error message: quoted, control characters escaped, cut when very long.
std::string printable(std::string_view name);
/// "[3, 16, 16]".
std::string shape_text(const std::vector<std::int64_t>& shape);

} // namespace gaisnet
