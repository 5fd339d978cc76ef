// Execution of models, and their comparison.
#pragma once

#include <nanobind/nanobind.h>

namespace lathe::python {

void AddRun(nanobind::module_& module);

}  // namespace lathe::python
