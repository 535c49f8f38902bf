#include "runtime/task.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace gaisnet {
namespace {

task<int> answer() { co_return 42; }

task<long> sum_of_children(int count) {
    long sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += co_await answer();
    }
    co_return sum;
}

task<> fails() {
    throw std::runtime_error("from the inner task");
    co_return;
}

task<std::string> catches() {
    try {
        co_await fails();
    } catch (const std::runtime_error& problem) {
        co_return problem.what();
    }
    co_return "nothing was thrown";
}

task<> append(std::string& text, char letter) {
    text += letter;
    co_return;
}

task<> append_all(std::string& text) {
    std::vector<task<>> children;
    children.push_back(append(text, 'a'));
    children.push_back(append(text, 'b'));
    children.push_back(append(text, 'c'));
    co_await when_all(std::move(children));
    text += '.';
}

template <typename T>
void run(task<T>& root) {
    trampoline runner;
    runner.run(root.start_on(runner));
}

TEST(task, a_million_awaits_do_not_grow_the_stack) {
    // At -O0 and under sanitizers symmetric transfer would overflow here.
    auto root = sum_of_children(1'000'000);
    run(root);
    ASSERT_TRUE(root.done());
    EXPECT_EQ(root.result(), 42'000'000L);
}

TEST(task, an_exception_arrives_where_the_task_is_awaited) {
    auto root = catches();
    run(root);
    EXPECT_EQ(root.result(), "from the inner task");
}

TEST(task, when_all_resumes_once_after_all_children) {
    std::string text;
    auto root = append_all(text);
    run(root);
    ASSERT_TRUE(root.done());
    EXPECT_EQ(text, "abc.");
}

/// Waits until somebody resumes it, which nobody does.
struct forever {
    static bool await_ready() noexcept { return false; }
    static void await_suspend(std::coroutine_handle<>) noexcept {}
    static void await_resume() noexcept {}
};

task<> waits_forever(std::string& text) {
    text += 'w';
    co_await forever();
    text += '!';
}

task<std::string> group_of_which_some_fail(std::string& text, int waiting, int failing) {
    std::vector<task<>> children;
    for (int i = 0; i < waiting; ++i) {
        children.push_back(waits_forever(text));
    }
    for (int i = 0; i < failing; ++i) {
        children.push_back(fails());
    }
    try {
        co_await when_all(std::move(children));
    } catch (const std::runtime_error& problem) {
        co_return problem.what();
    }
    co_return "nothing was thrown";
}

TEST(task, when_all_throws_while_others_wait_for_the_one_that_failed) {
    for (const auto& [waiting, failing] : std::vector<std::pair<int, int>>{{1, 1}, {3, 1}, {0, 2}, {2, 3}}) {
        std::string text;
        auto root = group_of_which_some_fail(text, waiting, failing);
        run(root);
        ASSERT_TRUE(root.done());
        EXPECT_EQ(root.result(), "from the inner task");
        EXPECT_EQ(text, std::string(static_cast<std::size_t>(waiting), 'w'));
    }
}

TEST(task, a_task_that_never_ran_is_destroyed_cleanly) {
    std::string text;
    { auto never = append_all(text); }
    EXPECT_TRUE(text.empty());
}

} // namespace
} // namespace gaisnet
