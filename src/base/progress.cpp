#include "base/progress.hpp"

#include "base/error.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gaisnet {

namespace {

constexpr std::chrono::milliseconds live_interval{100}; // Updating faster than this wastes time.

std::string duration_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
    if (whole < 60) {
        return fmt::format("{} s", whole);
    }
    if (whole < 3600) {
        return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    }
    return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::size_t columns_of(std::FILE* stream) {
    winsize size{};
    const bool known = ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 10;
    return known ? size.ws_col : 80;
}

} // namespace

progress_mode parse_progress_mode(const std::string& text) {
    if (text == "auto") {
        return progress_mode::automatic;
    }
    if (text == "plain") {
        return progress_mode::plain;
    }
    if (text == "none") {
        return progress_mode::none;
    }
    throw usage_error("progress '" + text + "': accepted are auto, plain and none");
}

progress::progress(progress_mode mode, std::FILE* stream, std::chrono::duration<double> interval)
    : stream_(stream)
    , enabled_(mode != progress_mode::none)
    , live_(mode == progress_mode::automatic && ::isatty(::fileno(stream)) == 1)
    , interval_(live_ ? std::chrono::duration<double>(live_interval) : interval) {}

progress::~progress() { finish(); }

void progress::update(std::uint64_t done, std::uint64_t total, const std::string& text) {
    if (!enabled_) {
        return;
    }
    const std::lock_guard lock(mutex_);
    const auto now = clock::now();
    if (!started_ || done < done_ || total != total_) {
        begin_ = now;
        base_ = done;
    }
    const bool first = !started_;
    started_ = true;
    done_ = done;
    total_ = total;
    text_ = text;
    pending_ = true;
    if (first || now - shown_ >= interval_) {
        show(now);
    }
}

std::string progress::line(clock::time_point now) const {
    const auto percent = total_ > 0 ? 100 * static_cast<double>(done_) / static_cast<double>(total_) : 100.0;
    auto text = fmt::format("{}/{} {:3.0f} %", done_, total_, percent);
    const auto elapsed = std::chrono::duration<double>(now - begin_).count();
    if (done_ > base_ && done_ < total_) {
        const auto left = elapsed * static_cast<double>(total_ - done_) / static_cast<double>(done_ - base_);
        text += ", " + duration_text(left) + " left";
    } else if (done_ >= total_) {
        text += ", " + duration_text(elapsed);
    }
    return text_.empty() ? text : text + ", " + text_;
}

void progress::show(clock::time_point now) {
    const auto text = line(now);
    if (live_) {
        // One column is left free, because some terminals wrap when the last one is filled.
        fmt::print(stream_, "\r\033[K{}", text.substr(0, columns_of(stream_) - 1));
        on_screen_ = true;
    } else {
        fmt::print(stream_, "{}\n", text);
    }
    std::fflush(stream_);
    shown_ = now;
    pending_ = false;
}

void progress::clear() {
    const std::lock_guard lock(mutex_);
    if (on_screen_) {
        std::fputs("\r\033[K", stream_);
        std::fflush(stream_);
        on_screen_ = false;
        shown_ = {};
    }
}

void progress::finish() {
    const std::lock_guard lock(mutex_);
    if (pending_) {
        show(clock::now());
    }
    if (on_screen_) {
        std::fputc('\n', stream_);
        std::fflush(stream_);
        on_screen_ = false;
    }
    started_ = false;
}

} // namespace gaisnet
