#include "model/files/safetensors.hpp"

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gaisnet {

static_assert(std::endian::native == std::endian::little, "the safetensors format is little-endian");

namespace {

constexpr std::size_t header_limit = 100'000'000;
constexpr std::size_t length_bytes = 8;
/// The header is an object of objects of arrays; deeper nesting is refused during parsing, before it needs memory.
constexpr int deepest_nesting = 2;

std::optional<std::size_t> dtype_bytes(std::string_view dtype) {
    static const std::map<std::string_view, std::size_t> sizes = {
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
        {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
        {"F32", 4},  {"F64", 8}, {"I64", 8}, {"U64", 8},     {"C64", 8},
    };
    const auto found = sizes.find(dtype);
    return found == sizes.end() ? std::nullopt : std::optional(found->second);
}

/// The format of a file that is not safetensors, from its first bytes; empty: unknown.
std::string name_format(std::span<const std::byte> bytes) {
    constexpr std::size_t looked_at = 512;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), looked_at));
    const auto blank = text.find_first_not_of(" \t\r\n");
    std::string lower(text.substr(blank == std::string_view::npos ? text.size() : blank, 16));
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (text.starts_with("version https://git-lfs")) {
        return "it is a Git LFS pointer: `git lfs pull` fetches the file itself";
    }
    if (text.starts_with("PK\x03\x04")) {
        return text.find(".npy") != std::string_view::npos
                   ? "it is a NumPy archive (.npz); safetensors.numpy.save_file converts it"
                   : "it is a PyTorch pickle in a zip archive; safetensors.torch.save_file converts it";
    }
    if (text.size() > 1 && text[0] == '\x80' && text[1] >= 0 && text[1] <= 5) { // the pickle protocol
        return "it is a PyTorch pickle; safetensors.torch.save_file converts it";
    }
    if (text.starts_with("\x89HDF\r\n")) {
        return "it is an HDF5 file";
    }
    if (text.starts_with("GGUF")) {
        return "it is a GGUF file, of llama.cpp";
    }
    if (lower.starts_with("<!doctype") || lower.starts_with("<html")) {
        return "it is an HTML page: a download that went wrong, perhaps";
    }
    if (lower.starts_with("{") || lower.starts_with("[")) {
        return "it is JSON";
    }
    return {};
}

/// The file that a path denotes; for a folder, the model's file in it.
std::filesystem::path model_file(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        return path;
    }
    for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
        if (std::filesystem::exists(path / name, ignored)) {
            return path / name;
        }
    }
    for (const char* pickled : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth"}) {
        if (std::filesystem::exists(path / pickled, ignored)) {
            throw usage_error("folder " + printable(path.string()) + " holds " + pickled +
                              ", a pickle, which may run any code and is not read; save_pretrained(FOLDER, "
                              "safe_serialization=True) of transformers writes model.safetensors, which is accepted");
        }
    }
    throw usage_error("folder " + printable(path.string()) +
                      " holds neither model.safetensors nor model.safetensors.index.json; a file is accepted, too");
}

/// Parses a JSON object and refuses what nlohmann's parser accepts: duplicate keys, deep nesting.
nlohmann::json parse_strictly(std::string_view text) {
    std::vector<std::set<std::string>> keys;
    const auto guard = [&keys](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
        using event_t = nlohmann::json::parse_event_t;
        if ((event == event_t::object_start || event == event_t::array_start) && depth > deepest_nesting) {
            throw usage_error("the header is nested too deeply");
        }
        if (event == event_t::object_start) {
            keys.emplace_back();
        } else if (event == event_t::object_end) {
            keys.pop_back();
        } else if (event == event_t::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second) {
                throw usage_error("the key " + printable(key) + " comes twice in the header");
            }
        }
        return true;
    };
    try {
        return nlohmann::json::parse(text, guard);
    } catch (const nlohmann::json::parse_error& problem) {
        throw usage_error("the header is not valid JSON (at byte " + std::to_string(problem.byte) + " of " +
                          std::to_string(text.size()) + ")");
    } catch (const nlohmann::json::out_of_range&) {
        throw usage_error("the header is not valid JSON (it holds a number that is out of range)");
    }
}

/// Converts a header value to a count: only an integer in [0, 2^63) is valid.
std::optional<std::int64_t> as_count(const nlohmann::json& value) {
    if (!value.is_number_unsigned()) {
        return std::nullopt;
    }
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(number);
}

/// Parses one tensor's description. \param available size of the data section. Throws usage_error without the file
/// name, which the caller adds.
safetensors_entry parse_entry(const std::string& name, const nlohmann::json& value, std::size_t available) {
    const std::string tensor = "tensor " + printable(name);
    if (!value.is_object()) {
        throw usage_error(tensor + " is not described by a JSON object");
    }
    for (const auto& item : value.items()) {
        if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets") {
            throw usage_error(tensor + " has the unknown field " + printable(item.key()) +
                              "; accepted: dtype, shape, data_offsets");
        }
    }
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (!value.contains(field)) {
            throw usage_error(tensor + " has no field '" + field + "'");
        }
    }

    safetensors_entry entry;
    entry.name = name;
    if (!value["dtype"].is_string() || !dtype_bytes(value["dtype"].get_ref<const std::string&>())) {
        throw usage_error(tensor + " has the unknown dtype " + printable(value["dtype"].dump()));
    }
    entry.dtype = value["dtype"].get<std::string>();

    const auto& shape = value["shape"];
    if (!shape.is_array()) {
        throw usage_error(tensor + " has a shape that is not an array");
    }
    for (const auto& extent : shape) {
        const auto count = as_count(extent);
        if (!count) {
            throw usage_error(tensor + " has the extent " + printable(extent.dump()) +
                              " in its shape; accepted: integers from 0 to 2^63 - 1");
        }
        entry.shape.push_back(*count);
        if (__builtin_mul_overflow(entry.elements, *count, &entry.elements)) {
            throw usage_error(tensor + " has a shape whose number of elements overflows 64 bits: " + shape.dump());
        }
    }
    const auto width = static_cast<std::int64_t>(*dtype_bytes(entry.dtype));
    std::int64_t size = 0;
    if (__builtin_mul_overflow(entry.elements, width, &size)) {
        throw usage_error(tensor + " has a shape whose number of bytes overflows 64 bits: " + shape.dump());
    }

    const auto& offsets = value["data_offsets"];
    const bool pair = offsets.is_array() && offsets.size() == 2;
    const auto begin = pair ? as_count(offsets[0]) : std::nullopt;
    const auto end = pair ? as_count(offsets[1]) : std::nullopt;
    if (!begin || !end || *begin > *end) {
        throw usage_error(tensor + " has the data_offsets " + printable(offsets.dump()) +
                          "; accepted: [begin, end] with 0 <= begin <= end");
    }
    entry.begin = static_cast<std::size_t>(*begin);
    entry.end = static_cast<std::size_t>(*end);
    if (entry.end > available) {
        throw usage_error(tensor + " ends at byte " + std::to_string(entry.end) + " of the data, but only " +
                          std::to_string(available) +
                          " bytes of data are there: the file is truncated or the offset is wrong");
    }
    if (*end - *begin != size) {
        throw usage_error(tensor + " has " + std::to_string(*end - *begin) + " bytes, but its shape " +
                          shape_text(entry.shape) + " of " + entry.dtype + " needs " + std::to_string(size));
    }
    return entry;
}

} // namespace

std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (const auto extent : shape) {
        text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    }
    return text + "]";
}

float float16_to_float32(std::uint16_t bits) {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fU;
    const std::uint32_t fraction = bits & 0x3ffU;
    if (exponent == 0) {
        // Zero and subnormals: fraction * 2^-24, exact in float32.
        const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    const std::uint32_t wide = exponent == 0x1f ? 0xffU : exponent + (127 - 15);
    return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

float bfloat16_to_float32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

// ---------------------------------------------------------------------------------------------------------------------
// safetensors_file

safetensors_file::safetensors_file(const std::filesystem::path& path): safetensors_file(model_file(path), true) {}

safetensors_file::safetensors_file(const std::filesystem::path& path, bool may_be_index): path_(path) {
    std::error_code code;
    file_ = mapped_file::open(path_, code);
    if (code) {
        throw usage_error("cannot read the safetensors file " + printable(path_.string()) + ": " + code.message());
    }
    const std::string_view text(reinterpret_cast<const char*>(file_.bytes().data()), file_.bytes().size());
    constexpr std::size_t looked_at = 4096;
    const bool is_index =
        may_be_index && text.starts_with('{') &&
        (text.substr(0, looked_at).find("\"weight_map\"") != text.npos || path_.string().ends_with(".index.json"));
    try {
        if (is_index) {
            open_parts(text);
            return;
        }
        parse_header();
        order_and_check();
    } catch (const usage_error& problem) {
        reject(problem.what());
    }
}

void safetensors_file::reject(const std::string& reason) const {
    throw usage_error("safetensors file " + printable(path_.string()) + ": " + reason);
}

/// \param index JSON: {"weight_map": {tensor: file}, ...}; the files are in the same folder.
void safetensors_file::open_parts(std::string_view index) {
    constexpr std::size_t most = 1000;
    std::map<std::string, std::size_t> part_of; // indexed by file name
    const auto all = nlohmann::json::parse(index, nullptr, false);
    const auto found = all.is_object() ? all.find("weight_map") : all.end();
    if (found == all.end() || !found->is_object() || found->empty()) {
        throw usage_error("it is no index of a model in several files: it has no weight_map");
    }
    for (const auto& [tensor, name] : found->items()) {
        const auto file = name.is_string() ? name.get<std::string>() : std::string();
        if (file.empty() || std::filesystem::path(file).filename() != file || !file.ends_with(".safetensors")) {
            throw usage_error("its weight_map gives tensor " + printable(tensor) + " no .safetensors file beside it");
        }
        part_of.try_emplace(file, part_of.size());
    }
    if (part_of.size() > most) {
        throw usage_error("its weight_map names " + std::to_string(part_of.size()) + " files; 1000 are accepted");
    }
    for (auto& [file, part] : part_of) {
        part = parts_.size();
        parts_.push_back(safetensors_file(path_.parent_path() / file, false));
        metadata_.insert(parts_.back().metadata_.begin(), parts_.back().metadata_.end());
        for (auto tensor : parts_.back().tensors_) {
            tensor.part = part;
            if (!index_.try_emplace(tensor.name, tensors_.size()).second) {
                throw usage_error("tensor " + printable(tensor.name) + " is in two of its files");
            }
            tensors_.push_back(std::move(tensor));
        }
    }
    for (const auto& [tensor, name] : found->items()) {
        const auto* entry = find(tensor);
        if (entry == nullptr || entry->part != part_of.at(name.get<std::string>())) {
            throw usage_error("tensor " + printable(tensor) + " is not in " + name.get<std::string>() +
                              ", as its weight_map says");
        }
    }
}

void safetensors_file::parse_header() {
    const auto bytes = file_.bytes();
    std::uint64_t length = 0;
    std::copy_n(bytes.begin(), std::min(bytes.size(), sizeof length), reinterpret_cast<std::byte*>(&length));
    const bool follows =
        bytes.size() >= length_bytes && length <= bytes.size() - length_bytes && length <= header_limit;
    if (const auto other = name_format(bytes); !follows && !other.empty()) {
        throw usage_error("this is no safetensors file: " + other);
    }
    if (bytes.size() < length_bytes) {
        throw usage_error("it has only " + std::to_string(bytes.size()) + " bytes; the header length alone takes 8");
    }
    if (length > header_limit) {
        throw usage_error("the header length is " + std::to_string(length) + " bytes; accepted: at most " +
                          std::to_string(header_limit));
    }
    if (length > bytes.size() - length_bytes) {
        throw usage_error("the header length is " + std::to_string(length) + " bytes, but only " +
                          std::to_string(bytes.size() - length_bytes) + " follow: the file is truncated");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + length_bytes, length);
    if (!text.starts_with('{')) {
        throw usage_error("the header is not a JSON object (it must start with '{')");
    }
    data_ = bytes.subspan(length_bytes + length);

    const auto header = parse_strictly(text);
    for (const auto& item : header.items()) {
        if (item.key() != "__metadata__") {
            tensors_.push_back(parse_entry(item.key(), item.value(), data_.size()));
            continue;
        }
        if (!item.value().is_object()) {
            throw usage_error("__metadata__ is not a JSON object of strings");
        }
        for (const auto& entry : item.value().items()) {
            if (!entry.value().is_string()) {
                throw usage_error("the value of " + printable(entry.key()) + " in __metadata__ is not a string");
            }
            metadata_[entry.key()] = entry.value().get<std::string>();
        }
    }
}

void safetensors_file::order_and_check() {
    std::sort(tensors_.begin(), tensors_.end(), [](const safetensors_entry& a, const safetensors_entry& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::size_t covered = 0;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
        const auto& tensor = tensors_[i];
        if (tensor.begin < covered) {
            throw usage_error("tensor " + printable(tensor.name) + " starts at byte " + std::to_string(tensor.begin) +
                              " of the data and overlaps tensor " + printable(tensors_[i - 1].name) +
                              ", which ends at " + std::to_string(covered));
        }
        if (tensor.begin > covered) {
            throw usage_error("there is a gap of " + std::to_string(tensor.begin - covered) + " bytes before tensor " +
                              printable(tensor.name) + " (bytes " + std::to_string(covered) + " to " +
                              std::to_string(tensor.begin) + " of the data belong to no tensor)");
        }
        covered = tensor.end;
        index_[tensor.name] = i;
    }
    if (covered != data_.size()) {
        throw usage_error(std::to_string(data_.size() - covered) +
                          " trailing bytes follow the last tensor, which "
                          "ends at byte " +
                          std::to_string(covered) + " of " + std::to_string(data_.size()) + " bytes of data");
    }
}

const safetensors_entry* safetensors_file::find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
}

const safetensors_entry& safetensors_file::at(std::string_view name) const {
    const auto* tensor = find(name);
    if (tensor == nullptr) {
        reject("it holds no tensor " + printable(name));
    }
    return *tensor;
}

std::vector<const mapped_file*> safetensors_file::files() const {
    std::vector<const mapped_file*> all;
    for (const auto& part : parts_) {
        all.push_back(&part.file_);
    }
    return parts_.empty() ? std::vector{&file_} : all;
}

std::span<const std::byte> safetensors_file::bytes(const safetensors_entry& tensor) const {
    const auto& data = parts_.empty() ? data_ : parts_[tensor.part].data_;
    return data.subspan(tensor.begin, tensor.end - tensor.begin);
}

void safetensors_file::read_float32(std::string_view name, std::span<float> out) const {
    const auto& tensor = at(name);
    if (static_cast<std::size_t>(tensor.elements) != out.size()) {
        reject("tensor " + printable(name) + " has " + std::to_string(tensor.elements) + " elements, not " +
               std::to_string(out.size()));
    }
    const auto source = bytes(tensor);
    if (out.empty()) {
        return;
    }
    if (tensor.dtype == "F32") {
        std::memcpy(out.data(), source.data(), source.size());
        return;
    }
    if (tensor.dtype != "F16" && tensor.dtype != "BF16") {
        reject("tensor " + printable(name) + " has the dtype " + tensor.dtype + "; accepted here: F32, F16, BF16");
    }
    const auto convert = tensor.dtype == "F16" ? float16_to_float32 : bfloat16_to_float32;
    for (std::size_t i = 0; i < out.size(); ++i) {
        std::uint16_t half = 0;
        std::memcpy(&half, source.data() + i * sizeof half, sizeof half);
        out[i] = convert(half);
    }
}

std::vector<float> safetensors_file::float32(std::string_view name) const {
    std::vector<float> values(static_cast<std::size_t>(at(name).elements));
    read_float32(name, values);
    return values;
}

std::vector<std::int64_t> safetensors_file::int64(std::string_view name) const {
    const auto& tensor = at(name);
    if (tensor.dtype != "I64") {
        reject("tensor " + printable(name) + " has the dtype " + tensor.dtype + "; accepted here: I64");
    }
    std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.elements));
    if (!values.empty()) {
        std::memcpy(values.data(), bytes(tensor).data(), values.size() * sizeof(std::int64_t));
    }
    return values;
}

// ---------------------------------------------------------------------------------------------------------------------
// Writer

namespace {

std::string json_text(const std::filesystem::path& path, const std::string& text) {
    try {
        return nlohmann::json(text).dump();
    } catch (const nlohmann::json::type_error&) {
        throw runtime_failure("cannot write " + printable(path.string()) + ": " + printable(text) + " is not UTF-8");
    }
}

void check_tensor(const std::filesystem::path& path, const tensor_to_write& tensor) {
    std::int64_t size = static_cast<std::int64_t>(element_bytes(tensor.type));
    bool valid = true;
    for (const auto extent : tensor.shape) {
        valid = valid && extent >= 0 && !__builtin_mul_overflow(size, extent, &size);
    }
    if (!valid || static_cast<std::size_t>(size) != tensor.data.size()) {
        throw runtime_failure("cannot write " + printable(path.string()) + ": tensor " + printable(tensor.name) +
                              " has " + std::to_string(tensor.data.size()) + " bytes, which do not match its shape " +
                              shape_text(tensor.shape));
    }
}

} // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<tensor_to_write>& tensors,
                       const std::map<std::string, std::string>& metadata) {
    std::vector<const tensor_to_write*> order;
    std::set<std::string_view> names = {"__metadata__"};
    for (const auto& tensor : tensors) {
        check_tensor(path, tensor);
        if (!names.insert(tensor.name).second) {
            throw runtime_failure("cannot write " + printable(path.string()) + ": the tensor name " +
                                  printable(tensor.name) + " is taken");
        }
        order.push_back(&tensor);
    }
    std::stable_partition(order.begin(), order.end(),
                          [](const auto* tensor) { return tensor->type == element_type::int64; });

    std::string header = "{";
    if (!metadata.empty()) {
        header += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            header += (header.back() == '{' ? "" : ",") + json_text(path, key) + ":" + json_text(path, value);
        }
        header += '}';
    }
    std::size_t offset = 0;
    for (const auto* tensor : order) {
        header += (header.size() == 1 ? "" : ",") + json_text(path, tensor->name) + ":{\"dtype\":\"" +
                  (tensor->type == element_type::int64 ? "I64" : "F32") +
                  "\",\"shape\":" + nlohmann::json(tensor->shape).dump() + ",\"data_offsets\":[" +
                  std::to_string(offset) + "," + std::to_string(offset + tensor->data.size()) + "]}";
        offset += tensor->data.size();
    }
    header += '}';
    header.resize((header.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');
    const std::uint64_t length = header.size();

    atomic_file file(path);
    file.write_at(0, std::as_bytes(std::span(&length, 1)));
    file.write_at(length_bytes, std::as_bytes(std::span(header)));
    offset = length_bytes + header.size();
    for (const auto* tensor : order) {
        file.write_at(offset, tensor->data);
        offset += tensor->data.size();
    }
    file.commit();
}

} // namespace gaisnet
