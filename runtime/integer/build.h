// From the nodes of an integer region to a program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/runtime/integer/program.h"

namespace lathe::runtime::integer {

struct Region {
  // In execution order. Types of all their values are known.
  std::vector<const ir::Node*> nodes;
  // Floats that come from outside, in the order in which Program::Run takes them.
  std::vector<const ir::Value*> inputs;
  // What Program::Run returns.
  std::vector<const ir::Value*> outputs;
};

struct BuiltRegion {
  std::unique_ptr<Program> program;
  // Layers whose sums are kept in 64 bits, one sentence each.
  std::vector<std::string> notes;
};

// Errors name the node: an operator or a form of it that integer regions do not execute, parts that
// do not fit, more memory than there is.
StatusOr<BuiltRegion> BuildRegion(const Region& region, const Kernels& kernels);

}  // namespace lathe::runtime::integer
