#include "model/torch/sample_sources.hpp"

#include "data/sample_schedule.hpp"
#include "model/torch/torch_support.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gaisnet {

namespace {

/// Rows of a tensor, without a copy.
tensor_view rows_of(const tensor_view& whole, std::int64_t first, std::int64_t count) {
    auto part = whole;
    const auto row_bytes = whole.bytes() / static_cast<std::size_t>(whole.shape[0]);
    part.data += static_cast<std::size_t>(first) * row_bytes;
    part.shape[0] = count;
    return part;
}

class loader_source final : public sample_source {
public:
    explicit loader_source(std::unique_ptr<batch_loader> loader): loader_(std::move(loader)) {}
    tensor_view inputs(const micro_batch& micro) override {
        return rows_of(loader_->get(micro.epoch, micro.batch).inputs, micro.first, micro.count);
    }
    tensor_view labels(const micro_batch& micro) override {
        return rows_of(loader_->labels(micro.epoch, micro.batch), micro.first, micro.count);
    }
    tensor_view padding(const micro_batch& micro) override {
        return rows_of(loader_->get(micro.epoch, micro.batch).padding, micro.first, micro.count);
    }

private:
    std::unique_ptr<batch_loader> loader_;
};

class device_source final : public sample_source {
public:
    device_source(std::shared_ptr<device_images> images, const dataset& data, std::vector<std::size_t> samples,
                  const loader_settings& settings)
        : images_(std::move(images))
        , wanted_{&data, {}, settings.quality}
        , settings_(settings)
        , schedule_(std::move(samples), settings.batch, settings.seed, settings.owner, settings.stream) {}

    tensor_view inputs(const micro_batch& micro) override {
        const auto all = schedule_.batch(micro.epoch, micro.batch);
        if (micro.first == 0) {
            wanted_.samples = all;
            images_->expect(wanted_, decode_pool::haste::now);
            look_ahead(micro.epoch, micro.batch);
        }
        const auto first = all.begin() + micro.first;
        wanted_.samples.assign(first, first + micro.count);
        return to_view(settings_.augment ? images_->training_batch(wanted_, static_cast<std::uint32_t>(micro.epoch))
                                         : images_->validation_batch(wanted_));
    }
    tensor_view labels(const micro_batch& micro) override {
        const auto all = sensed_labels(*wanted_.data, schedule_.batch(micro.epoch, micro.batch), settings_);
        return rows_of(all, micro.first, micro.count);
    }

private:
    void look_ahead(std::int64_t epoch, std::int64_t batch) {
        for (int ahead = 0; ahead < 2; ++ahead) {
            if (++batch == schedule_.batches()) {
                batch = 0;
                ++epoch;
            }
            wanted_.samples = schedule_.batch(epoch, batch);
            images_->expect(wanted_);
        }
    }

    std::shared_ptr<device_images> images_;
    device_images::request wanted_;
    loader_settings settings_;
    sample_schedule schedule_;
};

class listed_source final : public sample_source {
public:
    listed_source(const dataset& data, std::vector<std::size_t> samples, input_form form, image_supply& supply)
        : data_(data)
        , samples_(std::move(samples))
        , form_(std::move(form))
        , supply_(supply) {}
    tensor_view inputs(const micro_batch& micro) override { return batch_of(micro).inputs; }
    tensor_view labels(const micro_batch& micro) override { return batch_of(micro).labels; }
    tensor_view padding(const micro_batch& micro) override { return batch_of(micro).padding; }

private:
    labelled_batch batch_of(const micro_batch& micro) {
        const auto first = samples_.begin() + micro.first;
        return load_batch(data_, {first, first + micro.count}, form_, supply_);
    }

    const dataset& data_;
    std::vector<std::size_t> samples_;
    input_form form_;
    image_supply& supply_;
};

class prompt_source final : public sample_source {
public:
    explicit prompt_source(std::function<std::vector<std::int32_t>(std::int64_t)> prompts)
        : prompts_(std::move(prompts)) {}
    tensor_view inputs(const micro_batch&) override { return {}; }
    tensor_view labels(const micro_batch&) override { return {}; }
    tensor_view prompt(const micro_batch& micro) override {
        const auto tokens = prompts_(micro.first);
        auto out = tensor_view::allocate({1, static_cast<std::int64_t>(tokens.size())}, element_type::int64);
        std::copy(tokens.begin(), tokens.end(), out.as<std::int64_t>());
        return out;
    }

private:
    std::function<std::vector<std::int32_t>(std::int64_t)> prompts_;
};

} // namespace

std::shared_ptr<sample_source> listed_prompts(std::function<std::vector<std::int32_t>(std::int64_t request)> prompts) {
    return std::make_shared<prompt_source>(std::move(prompts));
}

std::shared_ptr<sample_source> loaded_samples(std::unique_ptr<batch_loader> loader) {
    return std::make_shared<loader_source>(std::move(loader));
}

std::shared_ptr<sample_source> device_samples(std::shared_ptr<device_images> images, const dataset& data,
                                              std::vector<std::size_t> samples, const loader_settings& how) {
    return std::make_shared<device_source>(std::move(images), data, std::move(samples), how);
}

std::shared_ptr<sample_source> listed_samples(const dataset& data, std::vector<std::size_t> samples, input_form form,
                                              image_supply& supply) {
    return std::make_shared<listed_source>(data, std::move(samples), std::move(form), supply);
}

} // namespace gaisnet
