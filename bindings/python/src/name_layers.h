// Names of layers for a graph that torch.onnx.export wrote.
#pragma once

#include <nanobind/nanobind.h>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::python {

// The domain of the marks, and their operator: one input, one output, attributes `name` (the path
// of a module) and `type` (its class).
inline constexpr const char* kMarkDomain = "lathe.torch";
inline constexpr const char* kMarkOp = "Layer";

// Before what a module computes stands a mark with the module's path; the node that is the module
// takes the path as its name, and the mark goes (the reference's 3.2). That node is the first of
// the operator that modules of the type become, behind a Pad (named `<path>_pad`), a Transpose
// (`<path>_transpose`) and other operators that only move values; where there is none, the first
// node. A path that is taken gets a number appended: its module is called twice. O(nodes). Errors:
// a mark without name or type.
Status NameLayers(ir::Model& model);

// lathe._core._name_layers
void AddNameLayers(nanobind::module_& module);

}  // namespace lathe::python
