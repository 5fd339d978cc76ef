// Small graphs made by hand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::test {

struct GraphBuilder {
  GraphBuilder() {
    rewriter.MutableInfo().opset_imports = {{"", 17}};
    rewriter.MutableInfo().ir_version = 8;
    rewriter.SetGraphText(model->graph(), "g", "", {});
  }
  ir::Value& Input(std::string_view name, const std::vector<int64_t>& dims,
                   ir::ElementType type = ir::ElementType::kFloat32) {
    return rewriter.AddGraphInput(model->graph(), model->Intern(name),
                                  model->Intern(ir::Type::Tensor(type, dims)));
  }
  ir::Value& FreeInput(std::string_view name, ir::Shape shape) {
    return rewriter.AddGraphInput(
        model->graph(), model->Intern(name),
        model->Intern(ir::Type::Tensor(ir::ElementType::kFloat32, std::move(shape))));
  }
  ir::Value& Constant(std::string_view name, ir::Tensor tensor) {
    return rewriter.CreateInitializer(model->graph(), name, std::move(tensor));
  }
  // A node with one result named like it.
  ir::Value& Node(std::string_view op, std::string_view name, std::vector<ir::Value*> inputs,
                  std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {},
                  std::string_view domain = "") {
    ir::NodeSpec spec;
    spec.op = op;
    spec.domain = domain;
    spec.name = name;
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    spec.outputs = {std::string(name) + "_out"};
    return *rewriter.CreateNode(model->graph(), nullptr, std::move(spec)).output();
  }
  void Output(ir::Value& value, ir::ElementType type = ir::ElementType::kFloat32) {
    if (value.type().kind == ir::Type::Kind::kUnknown) {
      rewriter.SetType(value, model->Intern(ir::Type::Tensor(type)));
    }
    rewriter.AddGraphOutput(model->graph(), &value);
  }

  std::unique_ptr<ir::Model> model = std::make_unique<ir::Model>();
  ir::Rewriter rewriter{*model};
};

}  // namespace lathe::test
