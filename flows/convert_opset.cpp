#include "lathe/flows/convert_opset.h"

#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/frontends/onnx/convert_opset.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/rewriter.h"

namespace lathe::flows {

StatusOr<std::unique_ptr<ir::Model>> ConvertOpset(const ir::Model& model, int64_t target) {
  std::vector<ir::TensorBytes> memory;
  LATHE_ASSIGN_OR_RETURN(
      const std::string message,
      backends::SerializeOnnx(model, {.memory = &memory, .memory_of_attributes = false}));
  LATHE_ASSIGN_OR_RETURN(const std::string converted,
                         frontends::ConvertOpsetMessage(message, target));
  LATHE_ASSIGN_OR_RETURN(
      std::unique_ptr<ir::Model> result,
      frontends::ImportOnnxBytes(std::as_bytes(std::span(converted)), "converted model"));

  absl::flat_hash_map<std::string_view, const ir::Value*> constants;
  for (const ir::Value* value : model.graph().initializers()) {
    constants.emplace(value->name_text(), value);
  }
  ir::Rewriter rewriter(*result);
  const std::vector<ir::Value*> inputs(result->graph().inputs().begin(),
                                       result->graph().inputs().end());
  for (auto it = inputs.rbegin(); it != inputs.rend(); ++it) {
    const auto constant = constants.find((*it)->name_text());
    if (constant == constants.end()) continue;
    rewriter.SetDefault(**it, constant->second->tensor());
    rewriter.FreezeInput(**it);
  }
  return result;
}

}  // namespace lathe::flows
