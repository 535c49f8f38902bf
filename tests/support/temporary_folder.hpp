#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace gaisnet {

/// A test with a folder of its own, which is empty at its start and gone after it.
class in_temporary_folder : public testing::Test {
protected:
    in_temporary_folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "gaisnet-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("cannot make a folder for the test");
        }
        temporary = pattern;
    }
    ~in_temporary_folder() override {
        std::error_code ignored;
        std::filesystem::remove_all(temporary, ignored);
    }

    std::filesystem::path temporary;
};

} // namespace gaisnet
