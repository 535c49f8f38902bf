#pragma once

#include "runtime/frame_pool.hpp"

#include <coroutine>
#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace gaisnet {

/// Runs coroutines without nesting one resume in another. A coroutine that starts or finishes another one leaves the
/// handle here; run() resumes handles until none is left. Symmetric transfer would have the same effect only if the
/// compiler made it a tail call, which g++ does not do at -O0 or under sanitizers.
class trampoline {
public:
    void push(std::coroutine_handle<> next) { next_.push_back(next); }

    void run(std::coroutine_handle<> first) {
        next_.push_back(first);
        while (!next_.empty()) {
            const auto current = next_.front();
            next_.pop_front();
            current.resume();
        }
    }

private:
    std::deque<std::coroutine_handle<>> next_;
};

namespace detail {

/// Tasks that run concurrently. The last one to finish, or the first to fail, resumes who waits for them: the others of a
/// failed one may wait for it forever.
struct task_group {
    std::size_t unfinished = 0;
    bool failed = false;
    bool is_over(bool by_failure) {
        --unfinished;
        if (failed) {
            return false; // the waiter has been resumed
        }
        failed = by_failure;
        return failed || unfinished == 0;
    }
};

struct promise_base {
    trampoline* runner = nullptr;
    std::coroutine_handle<> continuation;
    task_group* group = nullptr; ///< Of a when_all.
    std::exception_ptr failure;

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <typename Promise>
        void await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
            promise_base& promise = finished.promise();
            if (promise.group && !promise.group->is_over(promise.failure != nullptr)) {
                return;
            }
            if (promise.continuation) {
                promise.runner->push(promise.continuation);
            }
        }
        void await_resume() const noexcept {}
    };

    static void* operator new(std::size_t bytes) { return frame_pool::take(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { frame_pool::give_back(frame, bytes); }

    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }
};

} // namespace detail

/// A lazy coroutine: it starts when it is awaited (or given to a pass) and is destroyed with its task object. Its
/// exception is rethrown where it is awaited.
template <typename T = void>
class [[nodiscard]] task;

namespace detail {

template <typename T>
struct promise : promise_base {
    std::optional<T> value;
    task<T> get_return_object();
    void return_value(T result) { value.emplace(std::move(result)); }
    T take() {
        if (failure) {
            std::rethrow_exception(failure);
        }
        return std::move(*value);
    }
};

template <>
struct promise<void> : promise_base {
    task<void> get_return_object();
    void return_void() const noexcept {}
    void take() const {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
};

} // namespace detail

template <typename T>
class [[nodiscard]] task {
public:
    using promise_type = detail::promise<T>;
    using handle = std::coroutine_handle<promise_type>;

    explicit task(handle coroutine): coroutine_(coroutine) {}
    task(task&& other) noexcept: coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    task(const task&) = delete;
    task& operator=(const task&) = delete;
    ~task() {
        if (coroutine_) {
            coroutine_.destroy();
        }
    }

    bool done() const { return coroutine_.done(); }
    /// Returns the result of a finished task; rethrows the coroutine's exception.
    decltype(auto) result() { return coroutine_.promise().take(); }

    /// Prepares a root task to be run by `runner`; returns the handle to resume.
    std::coroutine_handle<> start_on(trampoline& runner) {
        coroutine_.promise().runner = &runner;
        return coroutine_;
    }

    struct awaiter {
        handle child;
        bool await_ready() const noexcept { return false; }
        template <typename Promise>
        void await_suspend(std::coroutine_handle<Promise> parent) const {
            child.promise().runner = parent.promise().runner;
            child.promise().continuation = parent;
            parent.promise().runner->push(child);
        }
        decltype(auto) await_resume() const { return child.promise().take(); }
    };
    awaiter operator co_await() && noexcept { return awaiter{coroutine_}; }

    handle coroutine() const { return coroutine_; }

private:
    handle coroutine_;
};

namespace detail {

template <typename T>
task<T> promise<T>::get_return_object() {
    return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() {
    return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

} // namespace detail

/// Runs several tasks of one role concurrently and resumes the waiter when all have finished. When one has failed, the
/// waiter is resumed at once, the others end where they are, and its exception is thrown.
class when_all {
public:
    explicit when_all(std::vector<task<>> children): children_(std::move(children)), group_{children_.size(), false} {}
    when_all(const when_all&) = delete;
    when_all& operator=(const when_all&) = delete;

    bool await_ready() const noexcept { return children_.empty(); }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> parent) {
        for (auto& child : children_) {
            auto& promise = child.coroutine().promise();
            promise.runner = parent.promise().runner;
            promise.continuation = parent;
            promise.group = &group_;
            promise.runner->push(child.coroutine());
        }
    }
    void await_resume() {
        for (auto& child : children_) {
            child.result();
        }
    }

private:
    std::vector<task<>> children_;
    detail::task_group group_;
};

} // namespace gaisnet
