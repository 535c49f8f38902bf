#include "model/files/weight_store.hpp"

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "model/files/backbone_match.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace gaisnet {

namespace {

constexpr std::size_t tensor_alignment = 64;
/// The tensors start on a page boundary.
constexpr std::size_t image_data_offset = 4096;
constexpr std::array<char, 8> image_magic = {'G', 'A', 'I', 'S', 'N', 'E', 'T', 'W'};
constexpr std::uint32_t image_version = 2;

std::size_t round_up(std::size_t value, std::size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

template <typename T>
std::string_view object_bytes(const T& object, std::size_t size = sizeof(T)) {
    return {reinterpret_cast<const char*>(&object), size};
}

/// 64-bit hash of many bytes at memory speed: four independent lanes take 64-bit words; stable_hash (which takes single
/// bytes) combines the lanes, the remaining bytes and the length. Each step of a lane is a bijection of the lane and of
/// the word, so a change of one word always changes its lane.
std::uint64_t content_hash(std::span<const std::byte> bytes) {
    constexpr std::array<std::uint64_t, 4> multipliers = {0xd1342543de82ef95ULL, 0xaf251af3b0f025b5ULL,
                                                          0x9fb21c651e98df25ULL, 0xa0761d6478bd642fULL};
    std::array<std::uint64_t, 4> lanes = multipliers;
    constexpr std::size_t stride = sizeof lanes;
    const std::size_t whole = bytes.size() / stride * stride;
    for (std::size_t i = 0; i < whole; i += stride) {
        std::array<std::uint64_t, 4> words;
        std::memcpy(words.data(), bytes.data() + i, stride);
        for (std::size_t lane = 0; lane < 4; ++lane) {
            lanes[lane] = (std::rotl(lanes[lane], 29) ^ words[lane]) * multipliers[lane];
        }
    }
    const std::uint64_t size = bytes.size();
    const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + whole, bytes.size() - whole);
    return stable_hash(rest, stable_hash(object_bytes(lanes), stable_hash(object_bytes(size))));
}

std::uint64_t fold(std::uint64_t hash, std::uint64_t next) { return stable_hash(object_bytes(next), hash); }

std::string hexadecimal(std::uint64_t value) {
    std::array<char, 17> text{};
    std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
    return text.data();
}

/// Lets only one process of a host at a time write images to a folder, so that many ranks that start together convert a
/// checkpoint once. It is only an optimisation: if the lock is unavailable or its holder hangs, work goes on without
/// it, since images appear atomically. The system releases it when a process dies.
class folder_lock {
public:
    explicit folder_lock(const std::filesystem::path& folder)
        : descriptor_(::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
        constexpr std::chrono::milliseconds pause(20);
        constexpr int attempts = 3000;
        for (int attempt = 0; descriptor_ >= 0 && attempt < attempts; ++attempt) {
            if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
                return;
            }
            std::this_thread::sleep_for(pause);
        }
    }
    ~folder_lock() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    folder_lock(const folder_lock&) = delete;
    folder_lock& operator=(const folder_lock&) = delete;

private:
    int descriptor_;
};

void fill_random(const tensor_spec& spec, std::uint64_t seed, std::span<float> values) {
    if (spec.name.ends_with(".bias")) {
        std::fill(values.begin(), values.end(), 0.0F);
        return;
    }
    if (spec.shape.size() == 1) { // of a norm
        std::fill(values.begin(), values.end(), 1.0F);
        return;
    }
    constexpr double deviation = 0.02;
    constexpr double limit = 2.0;
    random_stream stream(seed, "backbone", spec.name);
    for (auto& value : values) {
        double normal = stream.normal();
        while (std::abs(normal) > limit) {
            normal = stream.normal();
        }
        value = static_cast<float>(deviation * normal);
    }
}

} // namespace

/// The header of an image file. The tensors follow at image_data_offset, laid out like the slots of the store.
struct weight_store::image_header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t tensors;
    std::uint64_t source_hash;
    std::uint64_t source_bytes;
    std::uint64_t image_bytes;
    std::uint64_t layout_hash; ///< Hash of names, shapes and offsets.
    std::array<std::int64_t, 5> sizes;
    std::uint64_t data_hash; ///< fingerprint() of the store.
    std::uint64_t checksum;  ///< Hash of the members above.

    std::uint64_t own_checksum() const { return stable_hash(object_bytes(*this, offsetof(image_header, checksum))); }
};

weight_store::weight_store(passkey, std::shared_ptr<const foundation_model> model): model_(std::move(model)) {
    for (auto& spec : model_->tensors()) {
        index_[spec.name] = slots_.size();
        const auto bytes = static_cast<std::size_t>(spec.elements()) * sizeof(float);
        slots_.push_back({std::move(spec), data_bytes_});
        data_bytes_ = round_up(data_bytes_ + bytes, tensor_alignment);
    }
}

const weight_store::slot& weight_store::find(std::string_view name) const {
    const auto found = index_.find(name);
    if (found == index_.end()) {
        throw runtime_failure("the backbone has no tensor " + printable(name));
    }
    return slots_[found->second];
}

std::span<const float> weight_store::tensor(std::string_view name) const {
    const auto& wanted = find(name);
    return {reinterpret_cast<const float*>(data_ + wanted.offset), static_cast<std::size_t>(wanted.spec.elements())};
}

const std::vector<std::int64_t>& weight_store::shape(std::string_view name) const { return find(name).spec.shape; }

void weight_store::allocate_private() {
    private_.resize(data_bytes_ / sizeof(cache_line));
    data_ = reinterpret_cast<const std::byte*>(private_.data());
}

std::span<float> weight_store::private_values(const slot& place) {
    return {reinterpret_cast<float*>(reinterpret_cast<std::byte*>(private_.data()) + place.offset),
            static_cast<std::size_t>(place.spec.elements())};
}

void weight_store::fingerprint_private() {
    fingerprint_ = 0;
    for (const auto& place : slots_) {
        fingerprint_ = fold(fingerprint_, content_hash(std::as_bytes(private_values(place))));
    }
}

std::shared_ptr<const weight_store> weight_store::random(std::shared_ptr<const foundation_model> model,
                                                         std::uint64_t seed) {
    auto store = std::make_shared<weight_store>(passkey{}, std::move(model));
    store->allocate_private();
    // Each tensor has its own random numbers, so threads do not change them; a ViT-B takes one core about ten seconds.
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (auto i = next++; i < store->slots_.size(); i = next++) {
            fill_random(store->slots_[i].spec, seed, store->private_values(store->slots_[i]));
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (unsigned i = 1; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
            helpers.emplace_back(work);
        }
        work();
    }
    store->fingerprint_private();
    return store;
}

std::shared_ptr<const weight_store>
weight_store::from_tensors(std::shared_ptr<const foundation_model> model,
                           const std::map<std::string, std::vector<float>>& tensors) {
    auto store = std::make_shared<weight_store>(passkey{}, std::move(model));
    for (const auto& [name, values] : tensors) {
        if (!store->index_.contains(name)) {
            throw usage_error("backbone tensors: " + printable(name) + " is unknown");
        }
    }
    store->allocate_private();
    for (const auto& place : store->slots_) {
        const auto found = tensors.find(place.spec.name);
        if (found == tensors.end()) {
            throw usage_error("backbone tensors: " + printable(place.spec.name) + " is missing");
        }
        const auto out = store->private_values(place);
        if (found->second.size() != out.size()) {
            throw usage_error("backbone tensors: " + printable(place.spec.name) + " has " +
                              std::to_string(found->second.size()) + " values, wants " + std::to_string(out.size()) +
                              " (" + shape_text(place.spec.shape) + ")");
        }
        std::copy(found->second.begin(), found->second.end(), out.begin());
    }
    store->fingerprint_private();
    return store;
}

std::filesystem::path weight_store::default_cache_dir() {
    // The XDG base directory specification says that a relative path in XDG_CACHE_HOME must be ignored.
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/') {
        return std::filesystem::path(cache) / "gaisnet";
    }
    if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
        return std::filesystem::path(home) / ".cache" / "gaisnet";
    }
    std::error_code code;
    const auto temporary = std::filesystem::temp_directory_path(code);
    return (code ? std::filesystem::path("/tmp") : temporary) / ("gaisnet-" + std::to_string(::getuid()));
}

weight_store::image_header weight_store::expected_header(std::uint64_t source_hash, std::size_t source_bytes) const {
    static_assert(std::has_unique_object_representations_v<image_header>, "padding would make the checksum random");
    image_header header{};
    header.magic = image_magic;
    header.version = image_version;
    header.tensors = static_cast<std::uint32_t>(slots_.size());
    header.source_hash = source_hash;
    header.source_bytes = source_bytes;
    header.image_bytes = image_data_offset + data_bytes_;
    for (const auto& place : slots_) {
        header.layout_hash = stable_hash(place.spec.name + shape_text(place.spec.shape), header.layout_hash);
        header.layout_hash = fold(header.layout_hash, place.offset);
    }
    const auto& shape = model_->shape();
    // The weights of a model of texts do not depend on their length.
    header.sizes = {model_->takes_tokens() ? 0 : shape.tokens, shape.dim, model_->depth(), shape.heads, shape.hidden};
    return header;
}

std::string weight_store::map_image(const std::filesystem::path& path, const image_header& expected) {
    std::error_code code;
    auto image = mapped_file::open(path, code);
    if (code) {
        return code.message();
    }
    const auto bytes = image.bytes();
    if (bytes.size() < sizeof(image_header)) {
        return "it has only " + std::to_string(bytes.size()) + " bytes";
    }
    image_header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != image_magic || header.version != image_version) {
        return "it is not an image of version " + std::to_string(image_version);
    }
    if (header.checksum != header.own_checksum()) {
        return "the checksum of its header is wrong";
    }
    if (header.tensors != expected.tensors || header.source_hash != expected.source_hash ||
        header.source_bytes != expected.source_bytes || header.layout_hash != expected.layout_hash ||
        header.sizes != expected.sizes) {
        return "it was made of other weights";
    }
    if (header.image_bytes != expected.image_bytes || bytes.size() != expected.image_bytes) {
        return "it has " + std::to_string(bytes.size()) + " bytes instead of " + std::to_string(expected.image_bytes);
    }
    std::uint64_t hash = 0;
    for (const auto& place : slots_) {
        const auto size = static_cast<std::size_t>(place.spec.elements()) * sizeof(float);
        hash = fold(hash, content_hash(bytes.subspan(image_data_offset + place.offset, size)));
    }
    if (hash != header.data_hash) {
        return "the checksum of its tensors is wrong";
    }
    // So that a process that uses a few blocks does not count the others as resident.
    image.drop_pages();
    image_ = std::move(image);
    data_ = image_.bytes().data() + image_data_offset;
    fingerprint_ = hash;
    return {};
}

void weight_store::write_image(const safetensors_file& source, const backbone_match& match, image_header header,
                               const std::filesystem::path& path) const {
    atomic_file file(path);
    std::vector<float> values;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        values.resize(static_cast<std::size_t>(slots_[i].spec.elements()));
        read_backbone_tensor(source, match.tensors[i], values);
        const auto bytes = std::as_bytes(std::span(values));
        header.data_hash = fold(header.data_hash, content_hash(bytes));
        file.write_at(image_data_offset + slots_[i].offset, bytes);
    }
    // The last tensor's padding determines the size of the file.
    const std::size_t end = image_data_offset + slots_.back().offset + values.size() * sizeof(float);
    file.write_at(end, std::vector<std::byte>(header.image_bytes - end));
    header.checksum = header.own_checksum();
    file.write_at(0, std::as_bytes(std::span(&header, 1)));
    file.commit();
}

std::shared_ptr<const weight_store> weight_store::open(const std::filesystem::path& file,
                                                       std::shared_ptr<const foundation_model> model,
                                                       const std::filesystem::path& cache_dir) {
    const safetensors_file source(file);
    auto match = model->match(source);
    auto store = std::make_shared<weight_store>(passkey{}, std::move(model));
    store->metadata_ = source.metadata();
    store->notes_ = std::move(match.notes);

    std::uint64_t source_hash = 0;
    std::size_t source_bytes = 0;
    for (const auto* part : source.files()) {
        const auto hash = content_hash(part->bytes());
        source_hash = source_bytes == 0 ? hash : fold(source_hash, hash);
        source_bytes += part->bytes().size();
        part->drop_pages();
    }
    const auto expected = store->expected_header(source_hash, source_bytes);
    const auto folder = cache_dir.empty() ? default_cache_dir() : cache_dir;
    std::string name = "backbone-v" + std::to_string(image_version) + "-" + store->model_->family();
    for (const auto extent : expected.sizes) {
        name += "-" + std::to_string(extent);
    }
    const auto path = folder / (name + "-" + hexadecimal(source_hash) + ".f32");

    std::string reason = store->map_image(path, expected);
    if (reason.empty()) {
        return store;
    }
    std::string failure;
    try {
        std::error_code code;
        std::filesystem::create_directories(folder, code);
        if (code) {
            throw runtime_failure("it cannot be made: " + code.message());
        }
        const folder_lock lock(folder);
        reason = store->map_image(path, expected);
        if (reason.empty()) {
            return store;
        }
        const bool damaged = std::filesystem::is_regular_file(path, code);
        store->write_image(source, match, expected, path);
        failure = store->map_image(path, expected);
        if (damaged && failure.empty()) {
            store->notes_.push_back("the weight cache " + printable(path.string()) + " was unusable (" + reason +
                                    ") and has been made again");
        }
    } catch (const runtime_failure& problem) {
        failure = problem.what();
    }
    if (failure.empty()) {
        return store;
    }
    store->notes_.push_back("the weight cache in " + printable(folder.string()) + " cannot be used (" + failure +
                            "); every rank keeps its own copy of the backbone, " +
                            std::to_string(store->data_bytes_ / 1'000'000) + " MB");
    store->allocate_private();
    for (std::size_t i = 0; i < store->slots_.size(); ++i) {
        read_backbone_tensor(source, match.tensors[i], store->private_values(store->slots_[i]));
    }
    store->fingerprint_private();
    return store;
}

} // namespace gaisnet
