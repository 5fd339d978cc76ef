#include "lathe/passes/core/plain_attributes.h"

#include <string>
#include <vector>

namespace lathe::passes {

void CopyPlainAttributes(ir::Rewriter& rewriter, const ir::Node& from, ir::Node& to) {
  const ir::Model& model = rewriter.model();
  for (const ir::Attribute& attribute : from.attributes()) {
    const std::string_view name = model.Text(attribute.name);
    const auto copy = [&](const auto* value) {
      if (value != nullptr) rewriter.SetAttribute(to, name, *value);
    };
    copy(attribute.get_if<float>());
    copy(attribute.get_if<int64_t>());
    copy(attribute.get_if<std::string>());
    copy(attribute.get_if<std::vector<float>>());
    copy(attribute.get_if<std::vector<int64_t>>());
    copy(attribute.get_if<std::vector<std::string>>());
  }
}

}  // namespace lathe::passes
