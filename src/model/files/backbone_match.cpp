#include "model/files/backbone_match.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

namespace gaisnet {

namespace {

/// Number of problems of one kind that a message lists; the others are only counted.
constexpr std::size_t listed = 3;

std::string nearest_name(std::string_view name, const std::set<std::string>& known) {
    // Edit distance is quadratic in the length, and a hostile name may have megabytes.
    const auto start = name.substr(0, 200);
    return *std::min_element(known.begin(), known.end(), [start](const auto& a, const auto& b) {
        return edit_distance(start, a) < edit_distance(start, b);
    });
}

/// Problems of one kind: descriptions of the first few, and the number of all.
class culprits {
public:
    explicit culprits(std::string kind): kind_(std::move(kind)) {}
    bool wants_more() const { return count_ < listed; }
    void add(const std::string& description) {
        if (wants_more()) {
            text_ += (count_ == 0 ? "" : ", ") + description;
        }
        ++count_;
    }
    void append_to(std::string& message) const {
        if (count_ > 0) {
            message += (message.empty() ? "" : "; ") + std::to_string(count_) + " " + kind_ + ": " + text_ +
                       (count_ > listed ? ", ..." : "");
        }
    }

private:
    std::string kind_;
    std::string text_;
    std::size_t count_ = 0;
};

/// A counter, as optimisers and batch norms store it.
bool is_counter(const safetensors_entry& tensor) {
    return tensor.elements == 1 && (tensor.dtype.starts_with("I") || tensor.dtype.starts_with("U"));
}

} // namespace

void reject_weights(const safetensors_file& file, const std::string& reason) {
    throw usage_error("weights " + printable(file.path().string()) + ": " + reason);
}

backbone_match match_backbone(const safetensors_file& file, const foundation_model& model, const weight_naming& names) {
    backbone_match match;
    culprits missing("missing tensors");
    culprits misshapen("tensors of a wrong shape");
    culprits mistyped("tensors of a dtype other than F32, F16, BF16");
    culprits unknown("unknown tensors");
    std::set<std::string> known;
    for (auto& spec : model.tensors()) {
        auto parts = names.parts ? names.parts(spec.name) : std::vector{spec.name};
        auto conversion = names.conversion ? names.conversion(spec) : std::nullopt;
        auto wanted = conversion ? conversion->file_shape : spec.shape;
        wanted[0] /= static_cast<std::int64_t>(parts.size());
        for (const auto& part : parts) {
            known.insert(part);
            const auto* tensor = file.find(part);
            if (tensor == nullptr) {
                missing.add(printable(part));
            } else if (tensor->shape != wanted) {
                misshapen.add(printable(part) + " has " + shape_text(tensor->shape) + ", wants " + shape_text(wanted));
            } else if (tensor->dtype != "F32" && tensor->dtype != "F16" && tensor->dtype != "BF16") {
                mistyped.add(printable(part) + " is " + tensor->dtype);
            }
        }
        match.tensors.push_back({std::move(spec), std::move(parts), std::move(conversion)});
    }
    for (const auto& tensor : file.tensors()) {
        if (known.contains(tensor.name)) {
            continue;
        }
        if (is_counter(tensor)) {
            match.notes.push_back("weights " + printable(file.path().string()) + ": the integer " +
                                  printable(tensor.name) + " is ignored");
        } else if (!names.ignored || !names.ignored(tensor)) {
            unknown.add(unknown.wants_more() ? printable(tensor.name) + " (nearest known name: " +
                                                   printable(nearest_name(tensor.name, known)) + ")"
                                             : std::string());
        }
    }
    std::string message;
    missing.append_to(message);
    misshapen.append_to(message);
    mistyped.append_to(message);
    unknown.append_to(message);
    if (!message.empty()) {
        reject_weights(file, message);
    }
    return match;
}

namespace {

void read_finite(const safetensors_file& file, const std::string& name, std::span<float> values) {
    file.read_float32(name, values);
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (bad != values.end()) {
        reject_weights(file, "tensor " + printable(name) + " holds " + std::to_string(*bad) + " at element " +
                                 std::to_string(bad - values.begin()) + "; accepted: finite values");
    }
}

} // namespace

weight_conversion transposition(const tensor_spec& spec) {
    const auto rows = static_cast<std::size_t>(spec.shape[0]), columns = static_cast<std::size_t>(spec.shape[1]);
    return {{spec.shape[1], spec.shape[0]}, [rows, columns](std::span<const float> in, std::span<float> out) {
                constexpr std::size_t tile = 64; // so that both matrices are read and written by cache lines
                for (std::size_t first = 0; first < rows; first += tile) {
                    for (std::size_t column = 0; column < columns; ++column) {
                        for (auto row = first; row < std::min(rows, first + tile); ++row) {
                            out[row * columns + column] = in[column * rows + row];
                        }
                    }
                }
            }};
}

void read_backbone_tensor(const safetensors_file& file, const backbone_source& source, std::span<float> out) {
    if (source.conversion) {
        std::vector<float> values(static_cast<std::size_t>(tensor_spec{{}, source.conversion->file_shape}.elements()));
        read_finite(file, source.parts.front(), values);
        source.conversion->apply(values, out);
        return;
    }
    const std::size_t share = out.size() / source.parts.size();
    for (std::size_t i = 0; i < source.parts.size(); ++i) {
        read_finite(file, source.parts[i], out.subspan(i * share, share));
    }
}

std::map<std::string, std::vector<float>> read_backbone(const safetensors_file& file, const foundation_model& model) {
    std::map<std::string, std::vector<float>> tensors;
    for (const auto& source : model.match(file).tensors) {
        auto& values = tensors[source.spec.name];
        values.resize(static_cast<std::size_t>(source.spec.elements()));
        read_backbone_tensor(file, source, values);
    }
    return tensors;
}

} // namespace gaisnet
