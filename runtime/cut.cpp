#include "lathe/runtime/cut.h"

#include <algorithm>
#include <compare>
#include <map>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/runtime/body.h"
#include "lathe/runtime/integer/known.h"

namespace lathe::runtime {
namespace {

using integer::Domain;

class Cutter {
 public:
  Cutter(const ir::Model& model, const std::vector<const ir::Value*>& wanted)
      : model_(model), wanted_(wanted.begin(), wanted.end()) {}

  StatusOr<std::vector<PlanRegion>> Run() {
    for (ir::Node& node : model_.graph().nodes()) {
      const bool constant = node.num_outputs() == 1 && integer::IsConstant(*node.output());
      if (!constant || IsTakenByBodies(*node.output())) Place(node);
    }
    std::map<Spot, PlanRegion> regions;
    for (ir::Node& node : model_.graph().nodes()) {
      const auto place = places_.find(&node);
      if (place == places_.end()) continue;
      PlanRegion& region = regions[place->second];
      region.kind = place->second.kind;
      region.nodes.push_back(&node);
    }
    std::vector<PlanRegion> result;
    for (auto& [key, region] : regions) {
      LATHE_RETURN_IF_ERROR(Connect(region));
      result.push_back(std::move(region));
    }
    return result;
  }

 private:
  struct Spot {
    int stage = 0;
    RegionKind kind = RegionKind::kFloat;
    // Of a node with bodies, which is alone.
    ir::NodeId alone = 0;
    friend auto operator<=>(const Spot&, const Spot&) = default;
  };

  Domain DomainOf(const ir::Value& value) const {
    const auto found = domains_.find(&value);
    return found == domains_.end() ? Domain::kFloat : found->second;
  }

  // Where the value is made; null for graph inputs and constants.
  const Spot* PlaceOf(const ir::Value& value) const {
    const ir::Node* producer = value.producer();
    if (producer == nullptr) return nullptr;
    const auto found = places_.find(producer);
    return found == places_.end() ? nullptr : &found->second;
  }

  void Place(const ir::Node& node) {
    Domain domain = Domain::kFloat;
    bool behind_integer = false;
    for (const ir::Use& use : node.operands()) {
      if (use.value() == nullptr) continue;
      domain = std::max(domain, DomainOf(*use.value()));
      const auto* place = PlaceOf(*use.value());
      behind_integer = behind_integer || (place != nullptr && place->kind == RegionKind::kInteger);
    }
    Spot here;
    if (HasAscendBody(node)) {
      here.kind = RegionKind::kBodies;
      here.alone = node.id();
    } else if (integer::IsAscend(node) || domain != Domain::kFloat ||
               (behind_integer && integer::TakesFloat(node))) {
      here.kind = RegionKind::kInteger;
    }
    for (const ir::Use& use : node.operands()) {
      if (use.value() == nullptr) continue;
      const auto* place = PlaceOf(*use.value());
      if (place == nullptr) continue;
      const bool together = place->kind == here.kind && here.kind != RegionKind::kBodies;
      here.stage = std::max(here.stage, place->stage + (together ? 0 : 1));
    }
    places_[&node] = here;
    if (here.kind != RegionKind::kInteger) return;
    for (const ir::Value* output : node.outputs()) {
      domains_[output] = integer::ResultDomain(node, domain);
    }
  }

  // Such nodes want to be handed their constants, even those that other nodes look through.
  static bool IsTakenByBodies(const ir::Value& value) {
    return std::ranges::any_of(value.uses(),
                               [](const ir::Use& use) { return HasAscendBody(*use.user()); });
  }

  // Constants that a region takes as data instead of looking at them: initial states, inputs of a
  // node with bodies.
  static bool TakesAsData(RegionKind kind, const ir::Node& node, size_t input) {
    if (kind == RegionKind::kBodies)
      return input < node.num_inputs() || !node.operands()[input].value()->ConstantTensor();
    if (kind == RegionKind::kFloat) return false;
    constexpr size_t kInitialH = 3;
    constexpr size_t kInitialC = 4;
    const bool lstm = node.Is("BasicLSTMInplaceFillWindowCache");
    return (input == kInitialH && (lstm || node.Is("BasicGRUInplaceFillWindowCache"))) ||
           (input == kInitialC && lstm);
  }

  Status Connect(PlanRegion& region) const {
    const Spot here = places_.at(region.nodes.front());
    absl::flat_hash_set<const ir::Value*> seen;
    for (ir::Node* node : region.nodes) {
      for (const ir::Use& use : node->operands()) {
        ir::Value* value = use.value();
        if (value == nullptr || seen.contains(value)) continue;
        if (integer::IsConstant(*value) && !TakesAsData(region.kind, *node, use.index())) {
          continue;
        }
        const auto* place = PlaceOf(*value);
        if (place != nullptr && *place == here) continue;
        // An initializer that is no constant is the default of an input.
        if (DomainOf(*value) != Domain::kFloat) {
          return WithContext(
              Unsupported("operator {} takes '{}', which is quantised long before: that is not "
                          "executed",
                          node->op_text(), value->name_text()),
              ErrorContext::kNode, node->display_name());
        }
        seen.insert(value);
        region.inputs.push_back(value);
      }
      for (ir::Value* output : node->outputs()) {
        if (IsNeededOutside(*output, here)) region.outputs.push_back(output);
      }
    }
    return OkStatus();
  }

  bool IsNeededOutside(const ir::Value& value, const Spot& here) const {
    if (wanted_.contains(&value) || value.is_graph_output()) return true;
    return std::ranges::any_of(value.uses(), [&](const ir::Use& use) {
      const auto place = places_.find(use.user());
      return place != places_.end() && place->second != here;
    });
  }

  const ir::Model& model_;
  absl::flat_hash_set<const ir::Value*> wanted_;
  absl::flat_hash_map<const ir::Node*, Spot> places_;
  absl::flat_hash_map<const ir::Value*, Domain> domains_;
};

}  // namespace

bool HasAscendOperators(const ir::Model& model) {
  return std::ranges::any_of(model.AllGraphs(), [](const ir::Graph* graph) {
    return std::ranges::any_of(graph->nodes(), integer::IsAscend);
  });
}

StatusOr<std::vector<PlanRegion>> CutIntoRegions(const ir::Model& model,
                                                 const std::vector<const ir::Value*>& wanted) {
  return Cutter(model, wanted).Run();
}

}  // namespace lathe::runtime
