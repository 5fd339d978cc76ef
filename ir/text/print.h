// The readable text form of a model. docs/text-form.md describes it.
#pragma once

#include <cstddef>
#include <string>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::ir {

enum class WeightText {
  // Every byte, so that the parser gives the same model again.
  kExact,
  // Those that stand in a mapped file by its path and offset, the others exactly.
  kFile,
  // Large ones as "...": for people; the parser refuses it.
  kElided,
};

struct PrintOptions {
  WeightText weights = WeightText::kExact;
  // Tensors of more elements count as large: they stand at the end of the text, or are elided.
  int64_t inline_elements = 16;
  // Types of results that no file shows: of values that are no outputs and not in value_info.
  bool unlisted_types = true;
};

// The whole model. O(its size, weights included unless they are elided or stand in files). Errors:
// a mapped file was shortened.
StatusOr<std::string> PrintModel(const Model& model, const PrintOptions& options = {});

// One line about one node, bodies and large weights elided; for messages and remarks. O(operands,
// attributes and outputs).
std::string PrintNode(const Node& node);

// "f32[1,8,?,N]".
std::string PrintType(const Type& type);

}  // namespace lathe::ir
