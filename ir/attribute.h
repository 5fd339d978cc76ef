// Attributes of nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "lathe/ir/names.h"
#include "lathe/ir/spelling.h"
#include "lathe/ir/tensor.h"
#include "lathe/ir/type.h"

namespace lathe::ir {

class Graph;

// Owns a body graph; the graph knows the node that owns it.
struct GraphDeleter {
  void operator()(Graph* graph) const;
};
using GraphPtr = std::unique_ptr<Graph, GraphDeleter>;

// ONNX's AttributeProto.AttributeType. Numbers differ; AttributeKind is the index of
// AttributeValue.
enum class AttributeKind : uint8_t {
  kUndefined,
  kFloat,
  kInt,
  kString,
  kTensor,
  kSparseTensor,
  kGraph,
  kType,
  kFloats,
  kInts,
  kStrings,
  kTensors,
  kSparseTensors,
  kGraphs,
  kTypes,
};

using AttributeValue =
    std::variant<std::monostate, float, int64_t, std::string, Tensor, SparseTensor, GraphPtr,
                 const Type*, std::vector<float>, std::vector<int64_t>, std::vector<std::string>,
                 std::vector<Tensor>, std::vector<SparseTensor>, std::vector<GraphPtr>,
                 std::vector<const Type*>>;

struct Attribute {
  Name name;
  AttributeValue value;
  // Inside a function body: the function's attribute that gives the value (then `value` is unset
  // and `reference_kind` says what it will be).
  Name reference;
  AttributeKind reference_kind = AttributeKind::kUndefined;
  Name doc;
  uint8_t spelling = 0;

  AttributeKind kind() const {
    return reference.empty() ? static_cast<AttributeKind>(value.index()) : reference_kind;
  }
  // The value if the attribute has this kind, else null. T is a member of AttributeValue.
  template <typename T>
  const T* get_if() const {
    return std::get_if<T>(&value);
  }
};

}  // namespace lathe::ir
