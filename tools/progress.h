// Progress on standard error: a bar with the time left on a terminal, lines otherwise.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace lathe::tools {

// "0:07", "12:30", "1:02:05".
std::string TimeText(double seconds);

class Progress {
 public:
  using Clock = std::function<double()>;  // seconds, from any origin

  // On standard error.
  Progress();
  // For tests.
  Progress(std::FILE* file, bool is_terminal, Clock clock);
  // Leaves a bar that is not full as it is and begins a new line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `total` steps of a stage are done; a new stage begins a new bar. A bar is drawn at
  // most ten times a second; a line is written for each tenth of the stage.
  void Update(std::string_view stage, size_t done, size_t total);

 private:
  void Draw(size_t done, size_t total, double now);
  void WriteLine(size_t done, size_t total, double now);
  void EndBar();

  std::FILE* file_;
  bool is_terminal_;
  Clock clock_;
  std::string stage_;
  double started_ = 0;
  double drawn_ = 0;
  size_t tenths_ = 0;
  bool bar_open_ = false;
};

}  // namespace lathe::tools
