#include "lathe/passes/quant/lift_value.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

ir::Value& Flatten(ir::Rewriter& rewriter, ir::Value& value, const std::string& name) {
  ir::Graph& graph = *value.graph();
  ir::NodeSpec spec;
  spec.op = "Reshape";
  spec.name = name;
  spec.inputs = {&value,
                 &rewriter.CreateInitializer(graph, name + ".shape",
                                             ir::Tensor::Of({1}, std::vector<int64_t>{-1}))};
  return *rewriter.CreateNode(graph, nullptr, std::move(spec)).output();
}

// A tensor of no elements. It is computed, since an initializer without data is another thing to
// some runtimes.
ir::Value& Nothing(ir::Rewriter& rewriter, ir::Graph& graph, ir::ElementType element,
                   const std::string& name) {
  const std::vector<float> one = {0};
  const std::vector<int64_t> dims = {1};
  const std::vector<int64_t> bound = {0};
  ir::Value& zero =
      rewriter.CreateInitializer(graph, name + ".value", FloatTensor(element, dims, one));
  ir::Value& none = rewriter.CreateInitializer(graph, name + ".bound", ir::Tensor::Of({1}, bound));
  ir::NodeSpec spec;
  spec.op = "Slice";
  spec.name = name;
  spec.inputs = {&zero, &none, &none, &none};
  return *rewriter.CreateNode(graph, nullptr, std::move(spec)).output();
}

// Scan may say for each of its scanned outputs how it is put together.
void ExtendScanAttributes(ir::Rewriter& rewriter, ir::Node& owner) {
  for (const std::string_view name : {"scan_output_axes", "scan_output_directions"}) {
    if (owner.FindAttribute(name) == nullptr) continue;
    std::vector<int64_t> values = owner.IntsAttribute(name);
    values.push_back(0);
    rewriter.SetAttribute(owner, name, std::move(values));
  }
}

}  // namespace

ir::Value& LiftToMainGraph(ir::Rewriter& rewriter, ir::Value& value, ir::ElementType element,
                           std::string_view name) {
  const std::string prefix(name);
  ir::Model& model = rewriter.model();
  ir::Value* current = &value;
  while (ir::Node* owner = current->graph()->owner()) {
    ir::Graph& body = *current->graph();
    const ir::Rewriter::OriginScope origin(rewriter, *owner);
    rewriter.AddGraphOutput(body, &Flatten(rewriter, *current, prefix + ".flat"));
    for (ir::Graph* other : owner->bodies()) {
      if (other == &body) continue;
      // The branch that was not taken saw nothing.
      rewriter.AddGraphOutput(*other, &Nothing(rewriter, *other, element, prefix + ".none"));
    }
    if (owner->Is("Scan")) ExtendScanAttributes(rewriter, *owner);
    const int rank = owner->Is("If") ? 1 : 2;
    const ir::Type type = ir::Type::Tensor(element, ir::Shape(static_cast<size_t>(rank)));
    current = &rewriter.AddOutput(*owner, model.UniqueValueName(prefix), model.Intern(type));
  }
  return *current;
}

}  // namespace lathe::passes
