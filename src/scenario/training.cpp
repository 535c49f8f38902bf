#include "scenario/training.hpp"

#include "scenario/scenario.hpp"
#include "settings/value_reader.hpp"

namespace gaisnet {

stop_rule training_settings::parse_stop(const std::string& text) {
    stop_rule rule;
    if (text == "rounds") {
        return rule;
    }
    const auto open = text.find('(');
    const bool has_arguments = open != std::string::npos && text.ends_with(')');
    const auto name = text.substr(0, open);
    const auto words =
        has_arguments ? split_text(text.substr(open + 1, text.size() - open - 2), ',') : std::vector<std::string>();
    if (name == "target" && words.size() == 1) {
        rule.kind = stop_kind::target;
        rule.accuracy = parse_number(words[0], above_to(0, 1));
    } else if (name == "plateau" && words.size() == 3 && (words[0] == "accuracy" || words[0] == "loss")) {
        rule.kind = stop_kind::plateau;
        rule.metric = words[0] == "loss" ? stop_metric::loss : stop_metric::accuracy;
        rule.min_delta = parse_number(words[1], at_least(0));
        rule.patience = static_cast<int>(parse_integer(words[2], within(1, 1e6)));
    } else {
        throw usage_error("accepted: rounds, plateau(accuracy|loss, MIN_DELTA, PATIENCE), target(ACCURACY)");
    }
    return rule;
}

void check_training(const scenario& scene, const value_reader& in) {
    const auto& train = scene.train;
    if (train.micro_batches > train.batch) {
        in.reject("train.micro_batches",
                  "there are not more micro-batches than samples, train.batch = " + std::to_string(train.batch));
    }
    if (train.schedule == schedule_kind::serial && train.micro_batches != 1) {
        in.reject("train.micro_batches", "train.schedule = serial has one; gpipe and 1f1b accept more");
    }
    if (train.cache && scene.data.augment && scene.data.source == data_source::folder) {
        in.reject("cache", "with data.augment = on a sample looks different in every epoch: data.augment = off is "
                           "accepted");
    }
}

} // namespace gaisnet
