#include "lathe/bindings/python/src/name_layers.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/ir/rewriter.h"

namespace lathe::python {
namespace {

// What a module of a type becomes.
struct Operators {
  std::string_view type;
  std::array<std::string_view, 2> ops;
};
constexpr std::array kOperators = {
    Operators{"Conv1d", {"Conv", ""}},
    Operators{"Conv2d", {"Conv", ""}},
    Operators{"Conv3d", {"Conv", ""}},
    Operators{"ConvTranspose1d", {"ConvTranspose", ""}},
    Operators{"ConvTranspose2d", {"ConvTranspose", ""}},
    Operators{"Linear", {"Gemm", "MatMul"}},
    Operators{"AvgPool2d", {"AveragePool", ""}},
    Operators{"LSTM", {"LSTM", ""}},
    Operators{"GRU", {"GRU", ""}},
    Operators{"BatchNorm1d", {"BatchNormalization", ""}},
    Operators{"BatchNorm2d", {"BatchNormalization", ""}},
    Operators{"BatchNorm3d", {"BatchNormalization", ""}},
    Operators{"ReLU", {"Relu", ""}},
    Operators{"ReLU6", {"Clip", ""}},
    Operators{"LeakyReLU", {"LeakyRelu", ""}},
    Operators{"Sigmoid", {"Sigmoid", ""}},
    Operators{"Tanh", {"Tanh", ""}},
    Operators{"Softmax", {"Softmax", ""}},
};

bool IsMark(const ir::Node& node) {
  return node.domain_text() == kMarkDomain && node.op_text() == kMarkOp;
}

bool Becomes(std::string_view type, const ir::Node& node) {
  return std::ranges::any_of(kOperators, [&](const Operators& each) {
    return each.type == type && std::ranges::any_of(each.ops, [&](std::string_view op) {
             return !op.empty() && node.Is(op);
           });
  });
}

// Operators that exporters put between a module's input and the node that computes.
bool OnlyMovesValues(const ir::Node& node) {
  constexpr std::array kOps = {"Pad",    "Transpose", "Unsqueeze", "Squeeze", "Reshape", "Slice",
                               "Concat", "Identity",  "Cast",      "Shape",   "Gather"};
  return std::ranges::any_of(kOps, [&](const char* op) { return node.Is(op); });
}

std::vector<ir::Node*> UsersOf(const ir::Value& value) {
  std::vector<ir::Node*> users;
  for (const ir::Use& use : value.uses()) {
    if (!use.user()->is_return() && !std::ranges::count(users, use.user())) {
      users.push_back(use.user());
    }
  }
  std::ranges::sort(users, [](const ir::Node* a, const ir::Node* b) { return a->IsBefore(*b); });
  return users;
}

// The node that is the module, and those before it that take a name after it. Null: the mark is
// used by nothing.
ir::Node* FindLayer(const ir::Value& marked, std::string_view type) {
  std::vector<ir::Node*> reached = UsersOf(marked);
  for (size_t i = 0; i < reached.size(); ++i) {
    ir::Node* node = reached[i];
    if (Becomes(type, *node)) return node;
    if (!OnlyMovesValues(*node)) continue;
    for (const ir::Value* output : node->outputs()) {
      for (ir::Node* user : UsersOf(*output)) {
        if (!std::ranges::count(reached, user)) reached.push_back(user);
      }
    }
  }
  return reached.empty() ? nullptr : reached.front();
}

void Rename(ir::Rewriter& rewriter, ir::Node& node, const std::string& wanted) {
  const ir::Name name = rewriter.model().UniqueNodeName(wanted);
  rewriter.Rename(node, name);
  // Configurations call nodes by where they came from.
  rewriter.SetOrigin(node, rewriter.model().OriginOf(name));
}

Status NameLayer(ir::Rewriter& rewriter, ir::Node& mark) {
  const std::string path = mark.StringAttribute("name", "");
  const std::string type = mark.StringAttribute("type", "");
  if (path.empty() || type.empty() || mark.num_inputs() != 1 || mark.num_outputs() != 1) {
    return WithContext(InvalidInput("is a mark of a layer without its path and type"),
                       ErrorContext::kNode, mark.display_name());
  }
  if (ir::Node* layer = FindLayer(*mark.output(), type)) {
    const std::vector<ir::Node*> first = UsersOf(*mark.output());
    // The reference leaves what exporters put before LSTM and GRU alone.
    const bool recurrent = layer->Is("LSTM") || layer->Is("GRU");
    if (!recurrent && first.front() != layer && first.size() == 1) {
      if (first.front()->Is("Pad")) Rename(rewriter, *first.front(), path + "_pad");
      if (first.front()->Is("Transpose")) Rename(rewriter, *first.front(), path + "_transpose");
    }
    Rename(rewriter, *layer, path);
  }
  rewriter.ReplaceNode(mark, *mark.input(0));
  return OkStatus();
}

}  // namespace

Status NameLayers(ir::Model& model) {
  ir::Rewriter rewriter(model);
  for (ir::Graph* graph : model.AllGraphs()) {
    std::vector<ir::Node*> marks;
    for (ir::Node& node : graph->nodes()) {
      if (IsMark(node)) marks.push_back(&node);
    }
    for (ir::Node* mark : marks) LATHE_RETURN_IF_ERROR(NameLayer(rewriter, *mark));
  }
  std::erase_if(rewriter.MutableInfo().opset_imports,
                [](const ir::OpsetImport& import) { return import.domain == kMarkDomain; });
  return OkStatus();
}

void AddNameLayers(nanobind::module_& module) {
  module.def(
      "_name_layers",
      [](Model& model) {
        Call().Run([&]() -> StatusOr<bool> {
          LATHE_RETURN_IF_ERROR(NameLayers(*model.model));
          // The file was for the moment only.
          model.path.clear();
          return true;
        });
      },
      nb::arg("model"),
      "For lathe.amct_pytorch: nodes take the paths of their modules as names, and the marks go.");
}

}  // namespace lathe::python
