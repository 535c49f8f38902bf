#include "text/special_frame.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

namespace gaisnet {

namespace {

std::int32_t checked_id(const json_part& part, std::size_t ids) {
    if (part.count() >= ids) {
        part.refuse("is " + std::to_string(part.count()) + ", but there are " + std::to_string(ids) + " tokens only");
    }
    return static_cast<std::int32_t>(part.count());
}

/// ["[CLS]", 101]
std::int32_t id_of_pair(const json_part& part, std::size_t ids) {
    const auto parts = part.elements();
    if (parts.size() != 2) {
        part.refuse("has " + std::to_string(parts.size()) + " elements; a token and its id are accepted");
    }
    return checked_id(parts[1], ids);
}

void add_around(special_frame& frame, const std::vector<std::int32_t>& before,
                const std::vector<std::int32_t>& behind) {
    frame.before.insert(frame.before.begin(), before.begin(), before.end());
    frame.behind.insert(frame.behind.end(), behind.begin(), behind.end());
}

void add_template(special_frame& frame, const json_part& part, std::size_t ids) {
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> behind;
    int texts = 0;
    const auto single = part.at("single");
    for (const auto& piece : single.elements()) {
        if (const auto sequence = piece.find("Sequence")) {
            ++texts;
            if (sequence->text_or("id", "A") != "A") {
                piece.refuse("has the text B; the text A alone is accepted");
            }
            continue;
        }
        const auto name = piece.at("SpecialToken").at("id").text();
        const auto token = part.at("special_tokens").find(name);
        if (!token) {
            piece.refuse("names the token " + printable(name) + ", which special_tokens lacks");
        }
        for (const auto& id : token->at("ids").elements()) {
            (texts == 0 ? before : behind).push_back(checked_id(id, ids));
        }
    }
    if (texts != 1) {
        single.refuse("has the text " + std::to_string(texts) + " times; once is accepted");
    }
    add_around(frame, before, behind);
}

void add_part(special_frame& frame, const json_part& part, std::size_t ids) {
    const auto type = part.text_or("type", "");
    if (type == "Sequence") {
        for (const auto& each : part.at("processors").elements()) {
            add_part(frame, each, ids);
        }
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
        frame.classify = id_of_pair(part.at("cls"), ids);
        frame.separate = id_of_pair(part.at("sep"), ids);
        add_around(frame, {*frame.classify}, {*frame.separate});
    } else if (type == "TemplateProcessing") {
        add_template(frame, part, ids);
    } else if (type != "ByteLevel") { // which moves offsets only
        part.refuse_type("post_processor",
                         "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence, null");
    }
}

} // namespace

special_frame read_special_frame(const std::optional<json_part>& part, std::size_t ids) {
    special_frame frame;
    if (part) {
        add_part(frame, *part, ids);
    }
    return frame;
}

} // namespace gaisnet
