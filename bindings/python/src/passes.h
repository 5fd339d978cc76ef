// Passes and pipelines.
#pragma once

#include <nanobind/nanobind.h>

namespace lathe::python {

void AddPasses(nanobind::module_& module);

}  // namespace lathe::python
