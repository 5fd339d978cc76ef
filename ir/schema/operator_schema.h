// What is known about an operator: its parameters and attributes, from onnx's registry and, beside
// it, our own operators (ascend_ops.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::ir {

struct OperatorSchema {
  struct Parameter {
    std::string name;
    bool optional = false;
    // The last parameter, given any number of times.
    bool variadic = false;
  };
  struct AttributeInfo {
    std::string name;
    bool required = false;
  };

  std::string domain;
  std::string name;
  // The operator set that defined this form of the operator.
  int64_t since_version = 1;
  std::vector<Parameter> inputs;
  std::vector<Parameter> outputs;
  int64_t min_inputs = 0;
  int64_t max_inputs = 0;
  int64_t min_outputs = 0;
  int64_t max_outputs = 0;
  // By name.
  std::vector<AttributeInfo> attributes;
};

// The operator as the given version of its operator set defines it; nothing when neither we nor
// onnx know it ("" and "ai.onnx" are the same domain). O(parameters + attributes).
std::optional<OperatorSchema> LookupSchema(std::string_view domain, std::string_view op,
                                           int64_t version);

}  // namespace lathe::ir
