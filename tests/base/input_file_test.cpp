#include "base/input_file.hpp"

#include "base/csv.hpp"
#include "base/error.hpp"
#include "scenario/scenario.hpp"
#include "settings/quantity.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>

#include <sys/stat.h>
#include <unistd.h>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class input_file : public in_temporary_folder {
protected:
    std::string file(const std::string& name, const std::string& text) const {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return (folder_ / name).string();
    }
    static void refuses(const std::string& path, const char* because) {
        EXPECT_THAT([&] { open_input(path, "--config "); },
                    ThrowsMessage<usage_error>(testing::AllOf(HasSubstr("--config " + path), HasSubstr(because))));
    }

    fs::path folder_ = temporary;
};

TEST_F(input_file, only_regular_files_with_content_are_opened) {
    const auto pipe = (folder_ / "pipe").string(), link = (folder_ / "link").string();
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    fs::create_symlink("pipe", link);
    refuses(pipe, "a pipe");
    refuses(link, "a pipe");
    refuses(folder_.string(), "a folder");
    refuses("/dev/zero", "a device");
    refuses("/nowhere/at/all", "cannot be read: No such file");
    refuses(file("empty", ""), "is empty");
    refuses(file("wide", std::string("\xff\xfe"
                                     "a\0",
                                     4)),
            "UTF-16");
}

TEST_F(input_file, byte_order_mark_is_passed_over) {
    for (const auto* text : {"x", "xyzuvw"}) {
        for (const auto* mark : {"", "\xef\xbb\xbf"}) {
            auto in = open_input(file("text", std::string(mark) + text));
            EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
        }
    }
    const auto marked = [&](const char* name, const std::string& text) { return file(name, "\xef\xbb\xbf" + text); };
    EXPECT_THAT(read_request_trace(marked("requests.csv", "0.5\n1\n2\n"))->at(""), ElementsAre(0.5, 1.0, 2.0));
    EXPECT_THAT(read_rate_trace(marked("trace.csv", "0,20 Mbit/s\n0.1,5 Mbit/s\n"))->times, ElementsAre(0.0, 0.1));
    EXPECT_THAT(
        parse_distribution("file(" + marked("a (b)/rates.txt", "10\n20\n") + ") Mbit/s", dimension::rate).parameters,
        ElementsAre(10e6, 20e6));
}

TEST_F(input_file, csv_cells_may_be_quoted) {
    const auto lines = read_csv(file("quoted.csv", "\"time\",\"rate\"\r\n\"0\", \"20 Mbit/s\" \r\n"
                                                   "\"a, \"\"b\"\" # c\",d # comment\n\n# all\nx,\n"));
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_THAT(lines[0].cells, ElementsAre("time", "rate"));
    EXPECT_THAT(lines[1].cells, ElementsAre("0", "20 Mbit/s"));
    EXPECT_THAT(lines[2].cells, ElementsAre("a, \"b\" # c", "d"));
    EXPECT_THAT(lines[3].cells, ElementsAre("x", ""));
    EXPECT_EQ(lines[3].number, 6);
    EXPECT_THAT([&] { read_csv(file("open.csv", "a,\"b\n")); },
                ThrowsMessage<usage_error>(testing::AllOf(HasSubstr("open.csv:1"), HasSubstr("quote is open"))));
    EXPECT_THAT([&] { read_csv(file("behind.csv", "\"a\" b,c\n")); },
                ThrowsMessage<usage_error>(HasSubstr("behind a closing quote")));
    EXPECT_THAT(
        read_rate_trace(file("rates.csv", "\"time\",\"rate\"\n\"0\",\"20 Mbit/s\"\n\"0.1\",\"5 Mbit/s\"\n"))->times,
        ElementsAre(0.0, 0.1));
}

// Only the names of columns are a header: a request in the first line is not lost.
TEST_F(input_file, first_line_is_a_header_only_when_it_names_columns) {
    EXPECT_THAT(read_request_trace(file("names.csv", "Client, Time\nc0.0,1\n"))->at("c0.0"), ElementsAre(1.0));
    EXPECT_THAT([&] { read_request_trace(file("half.csv", "c0.0,half\nc0.0,1\n")); },
                ThrowsMessage<usage_error>(testing::AllOf(HasSubstr("half.csv:1"), HasSubstr("half"))));
    EXPECT_THAT([&] { read_request_trace(file("nobody.csv", "0.5\n,1\n")); },
                ThrowsMessage<usage_error>(testing::AllOf(HasSubstr("nobody.csv:2"), HasSubstr("names no client"))));
    EXPECT_THAT([&] { read_request_trace(file("alone.csv", ",1\n")); },
                ThrowsMessage<usage_error>(HasSubstr("alone.csv:1")));
    EXPECT_THAT([&] { read_rate_trace(file("typo.csv", "tme,rate\n0,1 Mbit/s\n")); },
                ThrowsMessage<usage_error>(HasSubstr("typo.csv:1")));
    EXPECT_THAT([&] { read_paths(file("paths.csv", "c0.0,start,0,0\nc0.0,1,0,0\n")); },
                ThrowsMessage<usage_error>(HasSubstr("paths.csv:1")));
}

} // namespace
} // namespace gaisnet
