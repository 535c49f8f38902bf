#include "base/error.hpp"
#include "data/image_codec.hpp"
#include "data/image_folder.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>

namespace gaisnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class folder : public in_temporary_folder {
protected:
    void picture(const std::string& name, std::uint8_t grey = 100) const {
        fs::create_directories((root_ / name).parent_path());
        write_png(root_ / name, {4, 4, std::vector<std::uint8_t>(48, grey)});
    }
    void text(const std::string& name) const {
        fs::create_directories((root_ / name).parent_path());
        std::ofstream(root_ / name) << "no image";
    }
    static std::string refusal(const std::function<void()>& act) {
        try {
            act();
        } catch (const usage_error& problem) {
            return problem.what();
        }
        ADD_FAILURE() << "nothing was refused";
        return {};
    }

    fs::path root_ = temporary;
};

TEST_F(folder, classes_and_files_come_in_the_order_of_their_names) {
    for (const auto* name :
         {"tulip/b.PNG", "tulip/a.png", "daisy/z.Jpeg", "daisy/y.jpg", ".cache/a.png", ".cache/b.png"}) {
        picture(name);
    }
    text("tulip/readme.txt");
    text("daisy/list.csv");
    text("LICENSE.txt");
    const image_folder data(root_);
    EXPECT_THAT(data.class_names(), ElementsAre("daisy", "tulip"));
    ASSERT_EQ(data.size(), 4U);
    EXPECT_EQ(data.name(0), "daisy/y.jpg");
    EXPECT_EQ(data.name(1), "daisy/z.Jpeg");
    EXPECT_EQ(data.name(2), "tulip/a.png");
    EXPECT_EQ(data.name(3), "tulip/b.PNG");
    EXPECT_EQ(data.label(1), 0);
    EXPECT_EQ(data.label(2), 1);
    EXPECT_THAT(data.notes(), ElementsAre(HasSubstr("2 file(s) in the class folders")));
    EXPECT_EQ(data.load(3).width, 4);
}

TEST_F(folder, unusable_roots_are_named) {
    EXPECT_THAT(refusal([&] { image_folder(root_ / "nowhere"); }), HasSubstr((root_ / "nowhere").string()));
    EXPECT_THAT(refusal([&] { image_folder(root_ / "nowhere"); }), HasSubstr("does not exist"));
    text("file");
    EXPECT_THAT(refusal([&] { image_folder(root_ / "file"); }), HasSubstr("is no folder"));
    EXPECT_THAT(refusal([&] { image_folder{root_}; }), HasSubstr("holds 0 folders"));
    picture("only/a.png");
    picture("only/b.png");
    EXPECT_THAT(refusal([&] { image_folder{root_}; }), HasSubstr("holds 1 folders"));
    text("empty/notes.txt");
    EXPECT_THAT(refusal([&] { image_folder{root_}; }), HasSubstr((root_ / "empty").string() + " holds 0 JPEG or PNG"));
}

TEST_F(folder, damaged_images_are_found_by_any_share_of_the_work) {
    for (int i = 0; i < 10; ++i) {
        picture("a/" + std::to_string(i) + ".png");
        picture("b/" + std::to_string(i) + ".png");
    }
    text("a/3.png");
    text("b/8.png");
    fs::resize_file(root_ / "b/2.png", fs::file_size(root_ / "b/2.png") / 2);
    image_folder data(root_);
    const auto all = data.check(0, 1, 1).damaged;
    ASSERT_EQ(all.size(), 3U);
    EXPECT_THAT(all[0], testing::StartsWith("a/3.png\t" + (root_ / "a/3.png").string()));
    EXPECT_THAT(all[1], testing::StartsWith("b/2.png\t"));
    EXPECT_THAT(all[2], testing::StartsWith("b/8.png\t"));
    EXPECT_EQ(data.check(0, 1, 4).damaged, all);
    for (const std::size_t ranks : {2U, 3U, 30U}) {
        std::vector<std::string> merged;
        std::uint64_t content = 0;
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            const auto checked = data.check(rank, ranks);
            const auto& part = checked.damaged;
            content += checked.content;
            merged.insert(merged.end(), part.begin(), part.end());
        }
        std::sort(merged.begin(), merged.end());
        EXPECT_EQ(merged, all) << ranks;
        EXPECT_EQ(content, data.check(0, 1).content) << ranks;
    }
    data.remove({"a/3.png", "b/2.png", "b/8.png"});
    EXPECT_EQ(data.size(), 17U);
    EXPECT_EQ(data.name(3), "a/4.png");
    EXPECT_THAT(data.check(0, 1).damaged, testing::IsEmpty());
}

TEST_F(folder, other_pixels_under_the_same_names_are_told_apart) {
    for (const auto* name : {"a/0.png", "a/1.png", "b/0.png", "b/1.png"}) {
        picture(name);
    }
    const auto before = image_folder(root_).check(0, 1).content;
    EXPECT_EQ(image_folder(root_).check(0, 1).content, before);
    picture("b/1.png", 101); // of the same size
    EXPECT_NE(image_folder(root_).check(0, 1).content, before);
}

TEST_F(folder, class_names_are_utf8) {
    for (const auto* name : {"a/0.png", "a/1.png", "fl\xf6te/0.png", "fl\xf6te/1.png"}) {
        picture(name);
    }
    EXPECT_THAT(refusal([&] { image_folder{root_}; }), HasSubstr("UTF-8"));
}

TEST_F(folder, a_class_must_not_become_empty) {
    for (const auto* name : {"a/0.png", "a/1.png", "b/0.png", "b/1.png"}) {
        picture(name);
    }
    image_folder data(root_);
    EXPECT_THAT(refusal([&] { data.remove({"b/0.png", "b/1.png"}); }), HasSubstr((root_ / "b").string()));
}

// Only regular files are read, also behind links; what cannot be one is damaged, and what is no image by name is ignored.
TEST_F(folder, links_pipes_and_devices_are_told_apart) {
    for (const auto* name : {"a/0.png", "a/1.png", "b/0.png", "b/1.png", "elsewhere.png"}) {
        picture(name);
    }
    fs::create_symlink(root_ / "elsewhere.png", root_ / "a" / "good.png");
    fs::create_symlink("circle.png", root_ / "b" / "circle.png");
    fs::create_symlink("/dev/zero", root_ / "b" / "device.png");
    fs::create_symlink(root_ / "gone.png", root_ / "b" / "gone.png");
    ASSERT_EQ(::mkfifo((root_ / "b" / "pipe.png").c_str(), 0600), 0);
    fs::create_symlink("pipe.png", root_ / "b" / "to_pipe.png");
    fs::create_symlink("circle.md", root_ / "b" / "circle.md");
    fs::create_directory_symlink(root_ / "a", root_ / "b" / "to_folder.png");
    const image_folder data(root_);
    EXPECT_THAT(data.check(0, 1).damaged,
                ElementsAre(testing::AllOf(HasSubstr("b/circle.png\t"), HasSubstr("cannot be read")),
                            testing::AllOf(HasSubstr("b/device.png\t"), HasSubstr("is not a file")),
                            testing::AllOf(HasSubstr("b/gone.png\t"), HasSubstr("cannot be read")),
                            testing::AllOf(HasSubstr("b/pipe.png\t"), HasSubstr("is not a file")),
                            testing::AllOf(HasSubstr("b/to_pipe.png\t"), HasSubstr("is not a file"))));
    EXPECT_EQ(image_folder::without_labels(root_, "images").check(0, 1).damaged.size(), 5U);
}

TEST_F(folder, what_systems_leave_behind_is_no_class_and_no_image) {
    for (const auto* name : {"a/0.png", "a/1.jfif", "a/2.JPE", "a/._1.jpg", "a/.hidden.png", "b/0.png", "b/1.png",
                             "b/more/2.png", "b/more/3/3.png", "b/@eaDir/0.png", "__MACOSX/a/0.png", "@eaDir/0.png",
                             "lost+found/0.png", "#recycle/0.png"}) {
        picture(name);
    }
    const image_folder data(root_);
    EXPECT_THAT(data.class_names(), ElementsAre("a", "b"));
    EXPECT_EQ(data.size(), 5U);
    EXPECT_THAT(data.notes(),
                testing::UnorderedElementsAre(HasSubstr("#recycle"), HasSubstr("@eaDir"), HasSubstr("__MACOSX"),
                                              HasSubstr("lost+found"), HasSubstr("2 image(s) in folders below")));
}

TEST_F(folder, a_root_one_level_too_high_proposes_the_one_below) {
    for (const auto* split : {"test", "train", "validation"}) {
        for (const auto* name : {"a/0.png", "a/1.png", "b/0.png", "b/1.png"}) {
            picture(std::string(split) + "/" + name);
        }
    }
    EXPECT_THAT(refusal([&] { image_folder{root_}; }),
                testing::AllOf(HasSubstr("holds no JPEG or PNG image itself"),
                               HasSubstr("data.root = " + (root_ / "train").string())));
}

} // namespace
} // namespace gaisnet
