#include "lathe/tools/fix_shapes.h"

#include <map>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::tools {
namespace {

using Symbols = std::map<std::string, int64_t, std::less<>>;

StatusOr<ir::Value*> FindInput(const ir::Graph& graph, std::string_view name) {
  std::vector<std::string_view> names;
  for (ir::Value* input : graph.inputs()) {
    if (input->name_text() == name) return input;
    names.push_back(input->name_text());
  }
  const std::string nearest = DidYouMean(name, names);
  return NotFound("--shape: the model has no input {}{}{}", Quoted(name),
                  nearest.empty() ? "" : "; ", nearest);
}

Status FixInput(ir::Rewriter& rewriter, ir::Value& input, std::span<const int64_t> extents,
                Symbols& symbols) {
  ir::Type type = input.type();
  const std::string name = Quoted(input.name_text());
  if (!type.is_tensor()) return InvalidInput("--shape: input {} is no tensor", name);
  if (!type.shape) type.shape.emplace(extents.size());
  if (type.shape->size() != extents.size()) {
    return InvalidInput("--shape: input {} has rank {}, not {}", name, type.shape->size(),
                        extents.size());
  }
  for (size_t i = 0; i < extents.size(); ++i) {
    ir::Dim& dim = (*type.shape)[i];
    if (dim.is_known() && dim.extent() != extents[i]) {
      return InvalidInput("--shape: dimension {} of input {} is {} in the model, not {}", i, name,
                          dim.extent(), extents[i]);
    }
    if (dim.is_symbol()) {
      const auto [it, inserted] = symbols.try_emplace(dim.symbol(), extents[i]);
      if (!inserted && it->second != extents[i]) {
        return InvalidInput("--shape: dimension {} of input {} is {}, which is {} elsewhere", i,
                            name, Quoted(dim.symbol()), it->second);
      }
    }
    ir::Dim fixed = ir::Dim::Known(extents[i]);
    fixed.set_denotation(dim.denotation());
    dim = std::move(fixed);
  }
  rewriter.SetType(input, rewriter.model().Intern(std::move(type)));
  return OkStatus();
}

void Substitute(ir::Rewriter& rewriter, ir::Value& value, const Symbols& symbols) {
  if (!value.type().shape) return;
  ir::Type type = value.type();
  bool changed = false;
  for (ir::Dim& dim : *type.shape) {
    const auto it = dim.is_symbol() ? symbols.find(dim.symbol()) : symbols.end();
    if (it == symbols.end()) continue;
    ir::Dim fixed = ir::Dim::Known(it->second);
    fixed.set_denotation(dim.denotation());
    dim = std::move(fixed);
    changed = true;
  }
  if (changed) rewriter.SetType(value, rewriter.model().Intern(std::move(type)));
}

}  // namespace

Status FixInputShapes(ir::Rewriter& rewriter,
                      std::span<const std::pair<std::string, std::vector<int64_t>>> shapes) {
  ir::Model& model = rewriter.model();
  Symbols symbols;
  for (const auto& [name, extents] : shapes) {
    LATHE_ASSIGN_OR_RETURN(ir::Value * input, FindInput(model.graph(), name));
    LATHE_RETURN_IF_ERROR(FixInput(rewriter, *input, extents, symbols));
  }
  if (symbols.empty()) return OkStatus();
  for (ir::ValueId id = 0; id < model.value_id_end(); ++id) {
    if (ir::Value* value = model.FindValue(id)) Substitute(rewriter, *value, symbols);
  }
  return OkStatus();
}

}  // namespace lathe::tools
