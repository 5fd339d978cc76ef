// Small models on disk for tests of the driver.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::tools {

inline void Write(const ir::Model& model, const std::string& path) {
  const Status status = backends::ExportOnnx(model, path);
  ASSERT_TRUE(status.ok()) << FormatError(status);
}

// x[batch,2,4,4] → Conv → Identity → Relu → y; and a Neg that nothing uses.
inline void WriteConvNet(const std::string& path) {
  passes::GraphBuilder net;
  const auto tensor = [&](ir::Shape shape) {
    return net.model().Intern(ir::Type::Tensor(ir::ElementType::kFloat32, std::move(shape)));
  };
  net.rewriter().SetGraphText(net.graph(), "net", "", {});
  net.rewriter().MutableInfo().producer_name = "tests";
  net.rewriter().MutableInfo().has_producer_name = true;
  const ir::Shape shape = {ir::Dim::Symbol("batch"), ir::Dim::Known(2), ir::Dim::Known(4),
                           ir::Dim::Known(4)};
  ir::Value& x = net.rewriter().AddGraphInput(net.graph(), net.model().Intern("x"), tensor(shape));
  ir::Value* conv = net.Op("Conv", "conv", {&x, net.Init("w", {2, 2, 1, 1})});
  ir::Value* same = net.Op("Identity", "same", {conv});
  net.Op("Neg", "unused", {conv});
  ir::Value* y = net.Op("Relu", "y", {same});
  net.rewriter().SetType(*y, tensor(shape));
  net.Output(y);
  Write(net.model(), path);
}

}  // namespace lathe::tools
