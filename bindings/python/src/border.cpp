#include "lathe/bindings/python/src/border.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

namespace lathe::python {
namespace {

nb::object Context(const Status& status, ErrorContext what) {
  const auto text = GetContext(status, what);
  return text ? nb::cast(*text) : nb::none();
}

void Translate(const std::exception_ptr& pointer, void* /*payload*/) {
  try {
    std::rethrow_exception(pointer);
  } catch (const StatusError& error) {
    const Status& status = error.status();
    try {
      const nb::object type = nb::module_::import_("lathe._errors").attr("Error");
      const nb::object value =
          type(error.what(), std::string(status.message()), Context(status, ErrorContext::kFile),
               Context(status, ErrorContext::kNode), Context(status, ErrorContext::kPass),
               Context(status, ErrorContext::kHint));
      PyErr_SetObject(type.ptr(), value.ptr());
    } catch (nb::python_error& raised) {
      raised.restore();
    }
  }
}

nb::object Report(const char* function) {
  return nb::module_::import_("lathe._report").attr(function);
}

}  // namespace

void TranslateErrors() { nb::register_exception_translator(Translate); }

Status Call::CallPython(const std::function<void()>& code) {
  const nb::gil_scoped_acquire acquired;
  if (!raised_) {
    try {
      code();
      return OkStatus();
    } catch (...) {
      raised_ = std::current_exception();
    }
  }
  return absl::CancelledError("Python code that Lathe called has raised an exception");
}

bool Call::Interrupted() {
  return !CallPython([] {
            if (PyErr_CheckSignals() != 0) throw nb::python_error();
          }).ok();
}

Control::Control(Call& call, const Options& options) {
  control_.threads = options.threads;
  control_.max_memory = options.max_memory;
  if (options.threads < 0) Check(InvalidInput("threads is {}: give 0 or more", options.threads));
  if (!options.shapes.is_none()) {
    for (const auto& [name, extents] : nb::cast<nb::dict>(options.shapes)) {
      control_.input_shapes.emplace_back(nb::cast<std::string>(name),
                                         nb::cast<std::vector<int64_t>>(extents));
    }
  }
  progress_ = Report("open_progress")(options.progress);
  control_.progress = [this, &call](std::string_view stage, size_t done, size_t total) {
    // What it raises stops the flow where it asks next.
    call.CallPython([&] { progress_(stage, done, total); }).IgnoreError();
  };
  control_.interrupted = [&call] { return call.Interrupted(); };
}

Control::~Control() {
  try {
    Report("close_progress")(progress_);
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("lathe: closing the progress display");
  }
}

void LogWarning(const std::string& message) { Report("warn")(message); }

void LogInfo(const std::string& message) { Report("inform")(message); }

}  // namespace lathe::python
