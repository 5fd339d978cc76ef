#include "lathe/ir/input_spec.h"

#include <map>

namespace lathe::ir {
namespace {

std::string NameList(std::span<const InputSpec> specs) {
  std::string text;
  for (const InputSpec& spec : specs) text += (text.empty() ? "'" : ", '") + spec.name + "'";
  return text;
}

Status FixShape(InputSpec& spec, std::span<const int64_t> dims) {
  if (!spec.shape) spec.shape.emplace(dims.size());
  const std::string wanted = ShapeText(spec.shape);
  const auto refuse = [&] {
    return InvalidInput("input '{}': shape {} was asked for, the model wants {}", spec.name,
                        ShapeText(dims), wanted);
  };
  if (spec.shape->size() != dims.size()) return refuse();
  for (size_t i = 0; i < dims.size(); ++i) {
    Dim& dim = (*spec.shape)[i];
    if (dims[i] < 0 || (dim.is_known() && dim.extent() != dims[i])) return refuse();
    dim = Dim::Known(dims[i]);
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::vector<InputSpec>> InputSpecs(
    const Graph& graph, std::span<const std::pair<std::string, std::vector<int64_t>>> shapes) {
  std::vector<InputSpec> specs;
  for (const Value* input : graph.inputs()) {
    if (input->tensor()) continue;
    const Type& type = input->type();
    if (type.kind != Type::Kind::kTensor && type.kind != Type::Kind::kUnknown) {
      return Unsupported("input '{}' is not a tensor", input->name_text());
    }
    specs.push_back({std::string(input->name_text()), type.element, type.shape});
  }
  for (const auto& [name, dims] : shapes) {
    InputSpec* found = nullptr;
    for (InputSpec& spec : specs) {
      if (spec.name == name) found = &spec;
    }
    if (found == nullptr) {
      return InvalidInput("a shape is given for '{}', which is no input (inputs: {})", name,
                          NameList(specs));
    }
    LATHE_RETURN_IF_ERROR(FixShape(*found, dims));
  }
  return specs;
}

std::string ShapeText(const std::optional<Shape>& shape) {
  if (!shape) return "[...]";
  std::string text = "[";
  for (const Dim& dim : *shape) {
    if (text.size() > 1) text += ',';
    text += dim.is_known() ? std::to_string(dim.extent()) : dim.is_symbol() ? dim.symbol() : "?";
  }
  return text + "]";
}

std::string ShapeText(std::span<const int64_t> dims) {
  return fmt::format("[{}]", fmt::join(dims, ","));
}

Status CheckInput(const InputSpec& spec, const FedInput& fed) {
  if (spec.element != ElementType::kUndefined && spec.element != fed.element) {
    return InvalidInput("input '{}': element type is {}, the model wants {}", spec.name,
                        ElementTypeName(fed.element), ElementTypeName(spec.element));
  }
  if (!spec.shape) return OkStatus();
  if (spec.shape->size() != fed.dims.size()) {
    return InvalidInput("input '{}': shape {} has rank {}, the model wants {}", spec.name,
                        ShapeText(fed.dims), fed.dims.size(), ShapeText(spec.shape));
  }
  for (size_t i = 0; i < fed.dims.size(); ++i) {
    const Dim& dim = (*spec.shape)[i];
    if (dim.is_known() && dim.extent() != fed.dims[i]) {
      return InvalidInput("input '{}': shape {} has extent {} in dimension {}, the model wants {}",
                          spec.name, ShapeText(fed.dims), fed.dims[i], i, ShapeText(spec.shape));
    }
  }
  return OkStatus();
}

Status CheckInputs(std::span<const InputSpec> specs, std::span<const FedInput> fed) {
  if (specs.size() != fed.size()) {
    return InvalidInput("{} inputs were given, the model has {}{}{}", fed.size(), specs.size(),
                        specs.empty() ? "" : ": ", NameList(specs));
  }
  struct Seen {
    int64_t extent;
    const std::string* input;
  };
  std::map<std::string, Seen, std::less<>> symbols;
  for (size_t k = 0; k < specs.size(); ++k) {
    LATHE_RETURN_IF_ERROR(CheckInput(specs[k], fed[k]));
    if (!specs[k].shape) continue;
    for (size_t i = 0; i < fed[k].dims.size(); ++i) {
      const Dim& dim = (*specs[k].shape)[i];
      if (!dim.is_symbol()) continue;
      const auto [seen, is_new] =
          symbols.emplace(dim.symbol(), Seen{fed[k].dims[i], &specs[k].name});
      if (!is_new && seen->second.extent != fed[k].dims[i]) {
        return InvalidInput("input '{}': dimension '{}' is {}, but {} in input '{}'", specs[k].name,
                            dim.symbol(), fed[k].dims[i], seen->second.extent, *seen->second.input);
      }
    }
  }
  return OkStatus();
}

}  // namespace lathe::ir
