// Runs the built driver as a user does.
#pragma once

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace lathe::tools {

struct LatheResult {
  // 128 + the signal's number when a signal ended it.
  int status = -1;
  std::string out;
  std::string err;
};

// A folder of the running test's own, removed with it.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(testing::TempDir()) /
            (std::string("lathe_") + test->test_suite_name() + "_" + test->name() + "_" +
             std::to_string(getpid()));
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string ReadFile(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Runs in `folder`, whose files can be named without a path.
inline LatheResult RunLathe(const TestFolder& folder, std::vector<std::string> arguments) {
  const std::string binary = std::string(LATHE_BINARY_DIR) + "/bin/lathe";
  arguments.insert(arguments.begin(), "lathe");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const std::string out = folder / "stdout.txt";
  const std::string err = folder / "stderr.txt";
  const std::string where = folder / "";
  const pid_t child = fork();
  if (child == 0) {
    const int out_file = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int err_file = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out_file < 0 || err_file < 0 || dup2(out_file, STDOUT_FILENO) < 0 ||
        dup2(err_file, STDERR_FILENO) < 0 || chdir(where.c_str()) != 0) {
      _exit(126);
    }
    execv(binary.c_str(), pointers.data());
    _exit(127);
  }
  int state = 0;
  waitpid(child, &state, 0);
  LatheResult result;
  result.status = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
  result.out = ReadFile(out);
  result.err = ReadFile(err);
  return result;
}

}  // namespace lathe::tools
