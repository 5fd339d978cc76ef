// Models of tests as text, and short ways to look at what a pass made of them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lathe/ir/model.h"
#include "lathe/ir/text/parse.h"

namespace lathe::passes {

// The main graph's parts from "(" on, and functions; operator sets are 17 of ONNX, 1 of "own".
inline std::unique_ptr<ir::Model> ParseText(std::string_view graph, int opset = 17) {
  const std::string text = fmt::format(
      "model {{ ir_version 8 import \"\" {} import \"own\" 1 }}\ngraph \"main\"{}", opset, graph);
  StatusOr<std::unique_ptr<ir::Model>> model = ir::ParseModel(text);
  EXPECT_TRUE(model.ok()) << FormatError(model.status());
  return model.ok() ? *std::move(model) : std::make_unique<ir::Model>();
}

// "i64[2] 1 2" of the constant of this name anywhere in the model; "" when there is none.
inline std::string ConstantText(const ir::Model& model, std::string_view name) {
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (value->name_text() != name) continue;
      const ir::Tensor& tensor = value->tensor();
      std::string text = fmt::format("{}[{}]", ir::ElementTypeName(tensor.element_type()),
                                     fmt::join(tensor.dims(), ","));
      if (const auto floats = tensor.ValuesAsFloat(); floats.ok()) {
        for (const float number : *floats) text += fmt::format(" {}", number);
      } else if (const auto integers = tensor.ValuesAsInt64(); integers.ok()) {
        for (const int64_t number : *integers) text += fmt::format(" {}", number);
      }
      return text;
    }
  }
  return "";
}

}  // namespace lathe::passes
