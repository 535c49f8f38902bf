#pragma once

#include "data/batch_loader.hpp"
#include "data/dataset.hpp"
#include "data/image_supply.hpp"
#include "model/torch/device_images.hpp"
#include "model/torch/sample_source.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace gaisnet {

/// What a start point trains on, made on the host, an epoch after another.
std::shared_ptr<sample_source> loaded_samples(std::unique_ptr<batch_loader>);

/// The same of images, made into inputs on a device. While one batch is trained on, the next two are decoded. The data must outlive
/// the source. \throws usage_error without samples or with a batch below 1.
std::shared_ptr<sample_source> device_samples(std::shared_ptr<device_images>, const dataset&,
                                              std::vector<std::size_t> samples, const loader_settings&);

/// Given samples one after another: micro_batch::first counts them. Data and supply must outlive the source.
std::shared_ptr<sample_source> listed_samples(const dataset&, std::vector<std::size_t> samples, input_form,
                                              image_supply&);

/// The prompts of requests: micro_batch::first counts them.
std::shared_ptr<sample_source> listed_prompts(std::function<std::vector<std::int32_t>(std::int64_t request)>);

} // namespace gaisnet
