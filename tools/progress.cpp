#include "lathe/tools/progress.h"

#include <cmath>
#include <unistd.h>

#include <fmt/format.h>

namespace lathe::tools {
namespace {

constexpr size_t kBarWidth = 30;
constexpr double kDrawInterval = 0.1;

double Now() {
  const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
  return now.count();
}

}  // namespace

std::string TimeText(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Progress() : Progress(stderr, isatty(STDERR_FILENO) != 0, Now) {}

Progress::Progress(std::FILE* file, bool is_terminal, Clock clock)
    : file_(file), is_terminal_(is_terminal), clock_(std::move(clock)) {}

Progress::~Progress() { EndBar(); }

void Progress::Update(std::string_view stage, size_t done, size_t total) {
  const double now = clock_();
  if (stage != stage_) {
    EndBar();
    stage_ = stage;
    started_ = now;
    drawn_ = now - 2 * kDrawInterval;
    tenths_ = 0;
  }
  if (total == 0) return;
  is_terminal_ ? Draw(done, total, now) : WriteLine(done, total, now);
}

void Progress::Draw(size_t done, size_t total, double now) {
  if (done < total && now - drawn_ < kDrawInterval) return;
  drawn_ = now;
  const size_t filled = kBarWidth * done / total;
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  std::string time;
  if (done >= total) {
    time = fmt::format("{} in all", TimeText(now - started_));
  } else if (done > 0) {
    const double left =
        (now - started_) / static_cast<double>(done) * static_cast<double>(total - done);
    time = fmt::format("{} left", TimeText(left));
  }
  // The sequence at the end clears what a longer bar left behind.
  fmt::print(file_, "\r{} [{}] {}/{} {}\x1b[K", stage_, bar, done, total, time);
  std::fflush(file_);
  bar_open_ = true;
  if (done >= total) EndBar();
}

void Progress::WriteLine(size_t done, size_t total, double now) {
  const size_t tenths = 10 * done / total;
  if (tenths <= tenths_) return;
  tenths_ = tenths;
  fmt::print(file_, "{}: {}/{} ({})\n", stage_, done, total, TimeText(now - started_));
  std::fflush(file_);
}

void Progress::EndBar() {
  if (!bar_open_) return;
  std::fputc('\n', file_);
  bar_open_ = false;
}

}  // namespace lathe::tools
