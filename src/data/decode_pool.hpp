#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

namespace gaisnet {

/// One background thread a process that decodes images ahead of the training step, for any number of start points. Work
/// comes out in the order it went in; what is left when the pool ends is dropped, and its futures throw
/// std::future_error (broken promise).
class decode_pool {
public:
    decode_pool(): worker_([this](std::stop_token stop) { work(stop); }) {}
    ~decode_pool() {
        {
            // Under the lock: between the worker's look at the stop flag and its sleep, the wake-up would be lost.
            const std::lock_guard lock(guard_);
            worker_.request_stop();
        }
        changed_.notify_all();
    }
    decode_pool(const decode_pool&) = delete;
    decode_pool& operator=(const decode_pool&) = delete;

    /// Runs `job` in the background; an exception goes to whoever asks the future. What the job refers to must live
    /// until the future is ready.
    template <typename T>
    std::future<T> submit(std::function<T()> job) {
        auto task = std::make_shared<std::packaged_task<T()>>(std::move(job));
        auto future = task->get_future();
        {
            const std::lock_guard lock(guard_);
            jobs_.emplace_back([task] { (*task)(); });
        }
        changed_.notify_one();
        return future;
    }

private:
    void work(const std::stop_token& stop) {
        for (;;) {
            std::function<void()> job;
            {
                std::unique_lock lock(guard_);
                changed_.wait(lock, [&] { return stop.stop_requested() || !jobs_.empty(); });
                if (stop.stop_requested()) {
                    return;
                }
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
            job();
        }
    }

    std::mutex guard_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    std::jthread worker_;
};

} // namespace gaisnet
