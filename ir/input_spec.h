// What a model wants to be fed, and the check that data fits it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/graph.h"
#include "lathe/support/status.h"

namespace lathe::ir {

struct InputSpec {
  std::string name;
  // Undefined: the model does not say.
  ElementType element = ElementType::kUndefined;
  // Absent: the rank is free.
  std::optional<Shape> shape;
};

// The tensor inputs without a default, in graph order; `shapes` (input name, extents) fix free
// dimensions. Errors: an input that is no tensor; a shape for an input that is not there, of the
// wrong rank, or against an extent that the model fixes.
StatusOr<std::vector<InputSpec>> InputSpecs(
    const Graph& graph, std::span<const std::pair<std::string, std::vector<int64_t>>> shapes = {});

// "[batch,1,8,8]"; a free dimension without a name is "?", a free rank "[...]".
std::string ShapeText(const std::optional<Shape>& shape);
std::string ShapeText(std::span<const int64_t> dims);

// What is fed to one input.
struct FedInput {
  ElementType element = ElementType::kUndefined;
  std::span<const int64_t> dims;
};

// Checks one input: "input 'image': shape [1,8,8] has rank 3, the model wants [batch,1,8,8]".
Status CheckInput(const InputSpec& spec, const FedInput& fed);

// Checks all of them: their count, each, and that dimensions of one name are equal.
Status CheckInputs(std::span<const InputSpec> specs, std::span<const FedInput> fed);

}  // namespace lathe::ir
