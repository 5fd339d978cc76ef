#include "lathe/passes/instrument/check_changed.h"

#include <algorithm>

#include "lathe/ir/text/print.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

void AddData(const ir::Tensor& tensor, std::vector<const void*>& data) {
  if (!tensor) return;
  if (!tensor.strings().empty()) {
    data.push_back(tensor.strings().data());
    return;
  }
  const StatusOr<ir::TensorBytes> bytes = tensor.Read();
  data.push_back(bytes.ok() ? bytes->data() : nullptr);
}

// The line at `position`, without the blanks in front of it.
std::string LineAt(std::string_view text, size_t position) {
  if (position >= text.size()) return "the end";
  size_t start = text.substr(0, position).rfind('\n') + 1;  // npos + 1 is 0
  while (start < position && text[start] == ' ') ++start;
  return Quoted(text.substr(start, std::min(text.find('\n', start), text.size()) - start));
}

}  // namespace

StatusOr<CheckChanged::Picture> CheckChanged::Take(const ir::Model& model) {
  Picture picture;
  LATHE_ASSIGN_OR_RETURN(picture.text, ir::PrintModel(model, {.weights = ir::WeightText::kElided,
                                                              .unlisted_types = false}));
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) AddData(value->tensor(), picture.data);
    for (const ir::Node& node : graph->nodes()) {
      for (const ir::Attribute& attribute : node.attributes()) {
        if (const auto* tensor = attribute.get_if<ir::Tensor>()) AddData(*tensor, picture.data);
      }
    }
  }
  return picture;
}

Status CheckChanged::BeforePass(const PassPoint& point) {
  LATHE_ASSIGN_OR_RETURN(before_, Take(point.model));
  return OkStatus();
}

Status CheckChanged::AfterPass(const PassPoint& point, const PassReport& report) {
  LATHE_ASSIGN_OR_RETURN(const Picture after, Take(point.model));
  const bool same_text = after.text == before_.text;
  const bool changed = !same_text || after.data != before_.data;
  if (changed == report.changed) return OkStatus();
  if (!changed) {
    return InternalError("says that it changed something, but the model is as it was");
  }
  if (same_text) {
    return InternalError("says that it changed nothing, but weights refer to other data");
  }
  const auto [old_at, new_at] = std::ranges::mismatch(before_.text, after.text);
  const auto position = static_cast<size_t>(old_at - before_.text.begin());
  return InternalError("says that it changed nothing, but {} became {}",
                       LineAt(before_.text, position), LineAt(after.text, position));
}

}  // namespace lathe::passes
