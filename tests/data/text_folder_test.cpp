#include "base/error.hpp"
#include "base/utf8.hpp"
#include "data/partition.hpp"
#include "data/text_folder.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class text_folders : public in_temporary_folder {
protected:
    void file(const std::string& name, const std::string& content) const {
        fs::create_directories((temporary / name).parent_path());
        std::ofstream(temporary / name, std::ios::binary) << content;
    }
    std::string refusal(const text_folder_rules& rules = {}) const {
        try {
            text_folder data(temporary, rules);
        } catch (const usage_error& problem) {
            return problem.what();
        }
        ADD_FAILURE() << "nothing was refused";
        return {};
    }
    static std::vector<std::string> names(const text_folder& data) {
        std::vector<std::string> out;
        for (std::size_t i = 0; i < data.size(); ++i) {
            out.push_back(data.name(i));
        }
        return out;
    }
    static std::vector<std::string> contents(const text_folder& data) {
        std::vector<std::string> out;
        for (std::size_t i = 0; i < data.size(); ++i) {
            out.push_back(data.text(i));
        }
        return out;
    }
};

TEST_F(text_folders, paragraphs_end_at_blank_lines) {
    file("a.txt", "\xef\xbb\xbf\n \t\nfirst line\n  second line \n\n\n\nof two\r\nlines\r\n\r\nlast");
    const text_folder data(temporary);
    EXPECT_THAT(contents(data), ElementsAre("first line\n  second line ", "of two\nlines", "last"));
    EXPECT_THAT(names(data), ElementsAre("a.txt#1", "a.txt#2", "a.txt#3"));
    EXPECT_THAT(data.class_names(), ElementsAre("a"));
    EXPECT_THAT(data.notes(), IsEmpty());
    text_folder_rules whole;
    whole.unit = text_unit::file;
    EXPECT_THAT(contents(text_folder(temporary, whole)),
                ElementsAre("first line\n  second line \n\n\n\nof two\nlines\n\nlast"));
}

TEST_F(text_folders, fortunes_are_separated_by_a_percent_sign_alone) {
    file("tea", "%\nUp 5 %\n% not yet\n\nso far\n%\n%\r\nsecond\r\n%\n \n%\nlast");
    file("more.fortunes", "without a separator\n");
    file("tea.dat", "index");
    file("LICENSE", "You may.\n100 %\n");
    fs::create_symlink("tea", temporary / "tea.u8");
    const text_folder data(temporary);
    EXPECT_THAT(names(data), ElementsAre("more.fortunes#1", "tea#1", "tea#2", "tea#3"));
    EXPECT_THAT(contents(data), ElementsAre("without a separator", "Up 5 %\n% not yet\n\nso far", "second", "last"));
    EXPECT_THAT(data.notes(), ElementsAre(HasSubstr("2 file(s) in " + temporary.string() + " are .dat or .u8 files"),
                                          AllOf(HasSubstr("1 file(s)"), HasSubstr("nor a line with only %"),
                                                HasSubstr("'LICENSE'"))));
}

TEST_F(text_folders, json_lines_may_say_the_class) {
    file("train.jsonl", "{\"text\": \"two \\u00fc\\nlines\", \"label\": 10, \"more\": [1]}\r\n"
                        "\n{\"label\": 9, \"text\": \"nine\"}\n{\"text\": \" \", \"label\": 3}\n"
                        "{\"text\": \"ten\", \"label\": 10}");
    const text_folder data(temporary);
    EXPECT_THAT(contents(data), ElementsAre("two \u00fc\nlines", "nine", "ten"));
    EXPECT_THAT(data.class_names(), ElementsAre("9", "10")) << "as numbers";
    EXPECT_EQ(data.label(0), 1);
    EXPECT_EQ(data.label(1), 0);
    EXPECT_EQ(data.name(2), "train.jsonl#3");
    EXPECT_THAT(data.notes(), ElementsAre(HasSubstr("1 record(s)")));
}

TEST_F(text_folders, the_class_is_the_first_folder_or_the_file) {
    file("de/a.txt", "eins\n\nzwei");
    file("de/deep/deeper/b.jsonl", "{\"text\": \"drei\", \"label\": null}");
    file("fr.TXT", "un");
    file("fr/c", "deux\n%\ntrois\n%\n");
    file("zz.ndjson", "{\"text\": \"z\", \"label\": \"eo\"}");
    const text_folder data(temporary);
    EXPECT_THAT(data.class_names(), ElementsAre("de", "eo", "fr"));
    EXPECT_THAT(names(data), ElementsAre("de/a.txt#1", "de/a.txt#2", "de/deep/deeper/b.jsonl#1", "fr.TXT#1", "fr/c#1",
                                         "fr/c#2", "zz.ndjson#1"));
    EXPECT_THAT(label_histogram(data, {0, 1, 2, 3, 4, 5, 6}), ElementsAre(3, 1, 3));
    EXPECT_EQ(data.bytes(), 4U + 4U + 31U + 2U + 4U + 5U + 28U);
}

TEST_F(text_folders, a_partition_by_classes_works_on_texts) {
    file("a", "1\n%\n2\n%\n3\n%\n4");
    file("b", "1\n%\n2\n%\n3\n%\n4");
    const text_folder data(temporary);
    const auto split = stratified_split(data, 0.5, 1);
    EXPECT_EQ(split.train.size(), 4U);
    EXPECT_THAT(label_histogram(data, split.train), ElementsAre(2, 2));
}

TEST_F(text_folders, no_file_is_read_twice_and_no_link_leads_in_circles) {
    file("de/a.txt", "a");
    file("outside/x.txt", "x");
    fs::rename(temporary / "outside", temporary.string() + "-outside");
    fs::create_symlink("de/a.txt", temporary / "again.txt");
    fs::create_directory_symlink("de", temporary / "also");
    fs::create_directory_symlink(".", temporary / "de" / "self");
    fs::create_directory_symlink("..", temporary / "de" / "up");
    fs::create_directory_symlink("/", temporary / "de" / "top");
    fs::create_symlink("gone.txt", temporary / "dangling.txt");
    fs::create_symlink("circle.txt", temporary / "circle.txt");
    fs::create_symlink("/dev/zero", temporary / "device.txt");
    ASSERT_EQ(::mkfifo((temporary / "pipe.txt").c_str(), 0600), 0);
    fs::create_directory_symlink(temporary.string() + "-outside", temporary / "x1");
    fs::create_directory_symlink(temporary.string() + "-outside", temporary / "x2");
    const text_folder data(temporary);
    fs::remove_all(temporary.string() + "-outside");
    EXPECT_THAT(names(data), ElementsAre("de/a.txt#1", "x1/x.txt#1"));
    EXPECT_THAT(
        data.notes(),
        ElementsAre(
            AllOf(HasSubstr("2 file(s)"), HasSubstr("lead nowhere"), HasSubstr("'circle.txt'")),
            AllOf(HasSubstr("2 file(s)"), HasSubstr("a folder around them"), HasSubstr("'de/top', 'de/up'")),
            AllOf(HasSubstr("4 file(s)"), HasSubstr("read anyway"), HasSubstr("'again.txt', 'also', 'de/self', ...")),
            AllOf(HasSubstr("2 file(s)"), HasSubstr("pipes, sockets or devices"))));
}

TEST_F(text_folders, what_is_no_text_is_counted_and_named) {
    file("a.txt", "a");
    file("empty.txt", "");
    file("blank.txt", "\n\r\n \n");
    file(".hidden.txt", "h");
    file(".git/config.txt", "h");
    file("__MACOSX/a.txt", "a");
    for (int i = 0; i < 5; ++i) {
        file("picture" + std::to_string(i) + ".png", "p");
    }
    const text_folder data(temporary);
    EXPECT_THAT(names(data), ElementsAre("a.txt#1"));
    EXPECT_THAT(data.notes(),
                ElementsAre(AllOf(HasSubstr("1 file(s)"), HasSubstr("systems create")),
                            AllOf(HasSubstr("2 file(s)"), HasSubstr("are hidden"), HasSubstr("'.git', '.hidden.txt'")),
                            AllOf(HasSubstr("5 file(s)"), HasSubstr("neither .txt"),
                                  HasSubstr("'picture0.png', 'picture1.png', 'picture2.png', ...")),
                            AllOf(HasSubstr("2 file(s)"), HasSubstr("hold no text"), HasSubstr("blank.txt"))));
}

TEST_F(text_folders, unusable_roots_are_named) {
    text_folder_rules rules;
    rules.key = "data.text";
    EXPECT_THAT(refusal(rules), AllOf(HasSubstr("data.text = " + temporary.string()), HasSubstr("holds no text")));
    file("empty.txt", "");
    EXPECT_THAT(refusal(), AllOf(HasSubstr("holds no text;"), HasSubstr("'empty.txt'")));
    EXPECT_THROW(text_folder(temporary / "empty.txt"), usage_error);
    EXPECT_THROW(text_folder(temporary / "nowhere"), usage_error);
}

TEST_F(text_folders, classification_needs_a_text_in_every_class) {
    text_folder_rules rules;
    rules.for_classification = true;
    file("a.txt", "a");
    EXPECT_THAT(refusal(rules), HasSubstr("holds only class 'a'"));
    file("b/empty.txt", "");
    EXPECT_THAT(refusal(rules),
                AllOf(HasSubstr((temporary / "b/empty.txt").string()), HasSubstr("class 'b' is empty")));
    file("b/more.txt", "b");
    EXPECT_EQ(text_folder(temporary, rules).class_names().size(), 2U);
}

TEST_F(text_folders, what_is_not_utf8_is_refused_by_line_or_replaced) {
    file("a.txt", "fine\n\nalso fine \xc3\xbc\nand fl\xf6te\n");
    EXPECT_THAT(refusal(), AllOf(HasSubstr((temporary / "a.txt").string() + ", line 4 is not UTF-8"),
                                 HasSubstr("byte 0xf6, the file's byte 26")));
    file("b.jsonl", "{\"text\": \"caf\xe9\"}\n");
    text_folder_rules rules;
    rules.replace_invalid = true;
    const text_folder data(temporary, rules);
    EXPECT_THAT(contents(data), ElementsAre("fine", "also fine \u00fc\nand fl\ufffdte", "caf\ufffd"));
    EXPECT_THAT(data.notes(), ElementsAre(HasSubstr("2 sequence(s) of bytes")));
    file("a.txt", "\xff\xfe"
                  "a\0b\0");
    EXPECT_THAT(refusal(rules), HasSubstr("a.txt is UTF-16"));
}

TEST_F(text_folders, names_are_utf8) {
    file("fl\xf6te.txt", "a");
    EXPECT_THAT(refusal(), HasSubstr("the name of a file is not UTF-8"));
}

TEST_F(text_folders, json_that_is_none_is_refused_by_line) {
    const auto refuses = [&](const std::string& line, const std::string& reason) {
        file("a.jsonl", "{\"text\": \"good\"}\n\n" + line + "\n");
        EXPECT_THAT(refusal(), AllOf(HasSubstr((temporary / "a.jsonl").string() + ", line 3 "), HasSubstr(reason)))
            << line;
    };
    refuses("{\"text\": \"open", "is not JSON (byte");
    refuses("plain text", "is not JSON (byte");
    refuses("{\"text\": \"a\"} {\"text\": \"b\"}", "is not JSON (byte");
    refuses("{\"text\": \"\\ud800\"}", "is not JSON (byte");
    refuses(std::string(100000, '['), "is not JSON (byte");
    refuses("[\"a\"]", "is no JSON object but of kind array");
    refuses("{\"Text\": \"a\"}", "has no \"text\"");
    refuses("{\"text\": 3}", "has a \"text\" that is no string");
    refuses("{\"text\": \"a\", \"label\": 1.5}", "has a \"label\" that is neither");
    refuses("{\"text\": \"a\", \"label\": true}", "has a \"label\" that is neither");
    refuses("{\"text\": \"a\", \"label\": \"late\"}", "has a \"label\", but the lines before have none");
    file("a.jsonl", "{\"text\": \"good\", \"label\": 1}\n{\"text\": \"bad\"}\n");
    EXPECT_THAT(refusal(), HasSubstr("line 2 has no \"label\", but the lines before do"));
}

TEST_F(text_folders, a_record_that_is_too_long_is_refused) {
    file("a.txt", "short\n\n" + std::string(2000, 'x') + "\n\nshort");
    text_folder_rules rules;
    rules.longest_record = 1999;
    EXPECT_THAT(refusal(rules), AllOf(HasSubstr("a.txt, line 3 begins a record of 2.000 kB"), HasSubstr("1.999 kB")));
    rules.longest_record = 2000;
    EXPECT_EQ(text_folder(temporary, rules).size(), 3U);
}

// Small files are read when a text is asked for, large ones stay mapped; both may be read by several threads.
TEST_F(text_folders, small_and_large_files_are_read_by_threads) {
    std::string large;
    for (int i = 0; i < 30000; ++i) {
        large += "record " + std::to_string(i) + " of a file of more than a mebibyte\n%\n";
    }
    file("large", large);
    file("small.txt", "one\n\ntwo");
    const text_folder data(temporary);
    ASSERT_EQ(data.size(), 30002U);
    const auto alone = contents(data);
    EXPECT_EQ(alone[29999], "record 29999 of a file of more than a mebibyte");
    EXPECT_EQ(alone[30001], "two");
    std::vector<std::vector<std::string>> found(4);
    {
        std::vector<std::jthread> helpers;
        for (auto& each : found) {
            helpers.emplace_back([&] { each = contents(data); });
        }
    }
    for (const auto& each : found) {
        EXPECT_EQ(each, alone);
    }
}

TEST_F(text_folders, a_file_that_changes_is_named) {
    file("a.txt", "one\n\ntwo");
    file("b.jsonl", "{\"text\": \"abc\"}");
    const text_folder data(temporary);
    file("a.txt", "one");
    file("b.jsonl", "{\"toast\": \"ab\"}");
    EXPECT_THROW(data.text(1), runtime_failure);
    EXPECT_THROW(data.text(2), runtime_failure);
    fs::remove(temporary / "a.txt");
    EXPECT_THROW(data.text(0), runtime_failure);
}

// The Unicode Standard, table 3-8: one U+FFFD for each longest beginning of a character.
TEST(text_records, broken_utf8_is_replaced_as_the_standard_proposes) {
    EXPECT_EQ(valid_utf8("a\xf1\x80\x80\xe1\x80\xc2"
                         "b\x80"
                         "c\x80\xbf"
                         "d"),
              "a\ufffd\ufffd\ufffd"
              "b\ufffd"
              "c\ufffd\ufffd"
              "d");
    EXPECT_EQ(count_invalid_utf8("a\xf1\x80\x80\xe1\x80\xc2"
                                 "b\x80"
                                 "c\x80\xbf"
                                 "d"),
              6U);
    for (const std::string good : {"", "plain", "\u00fc\u20ac\U0001f600", "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"}) {
        EXPECT_EQ(find_invalid_utf8(good), std::nullopt);
        EXPECT_EQ(valid_utf8(good), good);
    }
    for (const std::string bad :
         {"\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5", "\xe2\x82"}) {
        EXPECT_EQ(find_invalid_utf8("eight or nine " + bad), 14U);
    }
}

} // namespace
} // namespace gaisnet
