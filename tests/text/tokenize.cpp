// Tokenizes what comes from standard input, for tokenizer_test.py:
//
//   tokenize TOKENIZER
//
// Every line is JSON: a text, which is answered by {"ids": with special tokens, "plain": without}, or a list of ids,
// which is answered by {"text": all, "skipped": without special tokens, "streamed": the parts that a stream gives}; or
// {"repeat": N, "texts": [...]}, which is answered by the processor's seconds that it took to encode them N times.
// What is refused is answered by {"error": why}.

#include "base/error.hpp"
#include "text/tokenizer.hpp"

#include <nlohmann/json.hpp>

#include <ctime>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace gaisnet;

nlohmann::json answer(const tokenizer& words, const nlohmann::json& asked) {
    if (asked.is_string()) {
        const auto text = asked.get<std::string>();
        return {{"ids", words.encode(text, true)}, {"plain", words.encode(text, false)}};
    }
    if (asked.is_object()) {
        const auto texts = asked.at("texts").get<std::vector<std::string>>();
        const auto start = std::clock();
        std::size_t tokens = 0;
        for (int i = asked.at("repeat").get<int>(); i > 0; --i) {
            for (const auto& text : texts) {
                tokens += words.encode(text, false).size();
            }
        }
        const auto seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        return {{"seconds", seconds}, {"tokens", tokens}};
    }
    const auto ids = asked.get<std::vector<std::int32_t>>();
    auto stream = words.stream(false);
    auto parts = nlohmann::json::array();
    for (const auto id : ids) {
        parts.push_back(stream->push(id));
    }
    parts.push_back(stream->finish());
    return {{"text", words.decode(ids, false)}, {"skipped", words.decode(ids, true)}, {"streamed", parts}};
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: tokenize TOKENIZER\n";
        return 2;
    }
    try {
        const auto words = read_tokenizer(argv[1]);
        for (std::string line; std::getline(std::cin, line);) {
            try {
                std::cout << answer(*words, nlohmann::json::parse(line)).dump() << '\n';
            } catch (const usage_error& problem) {
                std::cout << nlohmann::json{{"error", problem.what()}}.dump() << '\n';
            }
        }
    } catch (const std::exception& problem) {
        std::cerr << "error: " << problem.what() << '\n';
        return 1;
    }
    return 0;
}
