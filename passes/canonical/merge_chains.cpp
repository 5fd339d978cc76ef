#include "lathe/passes/canonical/merge_chains.h"

#include <vector>

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

class Merger {
 public:
  Merger(const ChainFamily& family, PassContext& context) : family_(family), context_(context) {}

  void Run() {
    VisitNodes(context_.model(), [this](ir::Node& node) {
      if (!IsMember(node)) return;
      // What stands before is merged already; a second step is only for what was refused there.
      while (MergeWithProducer(node)) {
      }
    });
    if (origins_.empty()) return;
    VisitNodes(context_.model(), [this](ir::Node& node) { SetOrigin(node); });
  }

  bool changed() const { return changed_; }

 private:
  bool IsMember(const ir::Node& node) const {
    return family_.belongs(node) && node.num_outputs() != 0 && !HasUnknownAttributes(node);
  }

  // Returns whether a node went.
  bool MergeWithProducer(ir::Node& last) {
    const ir::Value* value = last.input(0);
    ir::Node* first = value == nullptr ? nullptr : value->producer();
    if (first == nullptr || value->index() != 0 || !IsMember(*first)) return false;
    if (first->input(0) == nullptr) return false;
    const bool only_use = IsOnlyUse(*first);
    if (const MergeRefusal refusal = family_.merge(context_, *first, last, only_use)) {
      context_.Missed(
          last, fmt::format("not merged with {}: {}", Quoted(first->display_name()), *refusal));
      return false;
    }
    context_.Applied(last, fmt::format("merged with {}", Quoted(first->display_name())));
    context_.Count("merged");
    changed_ = true;
    if (!only_use) return false;
    TakeOrigins(*first, last);
    EraseIfUnused(context_.rewriter(), *first->output());
    return true;
  }

  // Collected and merged once at the end: a set of names for each step would be quadratic.
  void TakeOrigins(const ir::Node& from, const ir::Node& to) {
    std::vector<ir::Origin> origins;
    if (const auto it = origins_.find(from.id()); it != origins_.end()) {
      origins = std::move(it->second);
      origins_.erase(it);
    }
    origins.push_back(from.origin());
    std::vector<ir::Origin>& all = origins_[to.id()];
    if (all.size() < origins.size()) std::swap(all, origins);
    all.insert(all.end(), origins.begin(), origins.end());
  }

  void SetOrigin(ir::Node& node) {
    const auto it = origins_.find(node.id());
    if (it == origins_.end()) return;
    it->second.push_back(node.origin());
    context_.rewriter().SetOrigin(node, context_.model().MergeOrigins(it->second));
  }

  const ChainFamily& family_;
  PassContext& context_;
  absl::flat_hash_map<ir::NodeId, std::vector<ir::Origin>> origins_;
  bool changed_ = false;
};

}  // namespace

StatusOr<bool> MergeChains(const ChainFamily& family, PassContext& context) {
  Merger merger(family, context);
  merger.Run();
  return merger.changed();
}

}  // namespace lathe::passes
