// The border between Python and Lathe: errors, the GIL, and what Python code that a flow calls
// raises.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>

#include "lathe/flows/run_batches.h"
#include "lathe/support/status.h"

namespace lathe::python {

namespace nb = nanobind;

// Carries a status to Python, where it becomes lathe.Error.
class StatusError : public std::exception {
 public:
  explicit StatusError(Status status) : status_(std::move(status)), text_(FormatError(status_)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  const Status& status() const { return status_; }

 private:
  Status status_;
  std::string text_;
};

// Throws when the status is an error.
inline void Check(const Status& status) {
  if (!status.ok()) throw StatusError(status);
}

template <typename T>
T ValueOf(StatusOr<T> result) {
  Check(result.status());
  return *std::move(result);
}

// Makes StatusError a lathe.Error.
void TranslateErrors();

// One call from Python. Long work runs without the GIL; Python code that the work calls back gets
// it, and what that code raises stops the work and is raised to the caller.
class Call {
 public:
  // A function that returns a StatusOr, run without the GIL.
  template <typename Work>
  auto Run(Work work) {
    auto result = [&] {
      const nb::gil_scoped_release released;
      return work();
    }();
    if (raised_) std::rethrow_exception(std::exchange(raised_, nullptr));
    return ValueOf(std::move(result));
  }

  // Runs Python code, which may raise, from inside the work. Once it has raised, the status is
  // Cancelled, and no more code is run.
  Status CallPython(const std::function<void()>& code);

  // True once Ctrl-C was pressed or Python code has raised: polled by flows.
  bool Interrupted();

 private:
  std::exception_ptr raised_;
};

// What every long function takes. `progress` is as lathe._report.open_progress wants it.
class Control {
 public:
  struct Options {
    int threads = 0;
    nb::object shapes;
    nb::object progress;
    // Bytes; 0: what the job needs.
    uint64_t max_memory = 0;
  };
  Control(Call& call, const Options& options);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  const flows::RunControl& get() const { return control_; }

 private:
  nb::object progress_;
  flows::RunControl control_;
};

// Tells logger "lathe".
void LogWarning(const std::string& message);
void LogInfo(const std::string& message);

}  // namespace lathe::python
