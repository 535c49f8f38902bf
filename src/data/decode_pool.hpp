#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace gaisnet {

/// Background threads of a process that decode images, for any number of start points. Jobs start in the order in which
/// they were submitted, urgent ones first. When the pool ends, jobs that have not started are dropped, and their
/// futures throw std::future_error (broken promise).
class decode_pool {
public:
    explicit decode_pool(std::size_t threads = 1) {
        for (std::size_t i = 0; i < threads; ++i) {
            workers_.emplace_back([this](std::stop_token stop) { work(stop); });
        }
    }
    ~decode_pool() {
        {
            // Locked, because otherwise the notification could be lost between a worker's test of the stop flag and its
            // sleep.
            const std::lock_guard lock(guard_);
            for (auto& worker : workers_) {
                worker.request_stop();
            }
        }
        changed_.notify_all();
    }
    decode_pool(const decode_pool&) = delete;
    decode_pool& operator=(const decode_pool&) = delete;

    std::size_t threads() const { return workers_.size(); }

    enum class haste { later, now };
    /// Runs `job` in the background; the future rethrows its exception. Everything that the job refers to must live
    /// until the future is ready.
    template <typename T>
    std::future<T> submit(std::function<T()> job, haste when = haste::later) {
        auto task = std::make_shared<std::packaged_task<T()>>(std::move(job));
        auto future = task->get_future();
        {
            const std::lock_guard lock(guard_);
            (when == haste::now ? urgent_ : jobs_).emplace_back([task] { (*task)(); });
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
                changed_.wait(lock, [&] { return stop.stop_requested() || !jobs_.empty() || !urgent_.empty(); });
                if (stop.stop_requested()) {
                    return;
                }
                auto& next = urgent_.empty() ? jobs_ : urgent_;
                job = std::move(next.front());
                next.pop_front();
            }
            job();
        }
    }

    std::mutex guard_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> urgent_, jobs_;
    std::vector<std::jthread> workers_;
};

/// A group of jobs that run in a pool.
class decode_jobs {
public:
    void add(std::future<void> job) { jobs_.push_back(std::move(job)); }
    /// Waits until all jobs have ended, whether they succeeded or not.
    void wait() const {
        for (const auto& job : jobs_) {
            job.wait();
        }
    }
    /// Waits for all jobs, then throws the exception of the first one that failed.
    void get() {
        wait();
        for (auto& job : std::exchange(jobs_, {})) {
            job.get();
        }
    }

private:
    std::vector<std::future<void>> jobs_;
};

} // namespace gaisnet
