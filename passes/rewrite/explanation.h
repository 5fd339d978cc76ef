// Why rules did or did not fit a node: what `lathe opt --explain` shows.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/rewrite/match_listener.h"

namespace lathe::passes {

// Listens for the nodes that stand for one node: itself, those that have its name or compute the
// value that was asked for, and those that rules made of it.
class Explanation : public MatchListener {
 public:
  struct Attempt {
    std::string rule;
    bool fits = false;
    // Of a match: the other nodes in it, operands before users.
    std::vector<std::string> with;
    // Of a refusal: why, as Refusal::ToText says it.
    std::string reason;
    size_t matched_nodes = 0;
    friend bool operator==(const Attempt&, const Attempt&) = default;
  };
  // What a pass tried on a node.
  struct Visit {
    std::string pass;
    std::string node;
    std::string op;
    // The node itself was not the root: it became part of a match elsewhere.
    bool as_part = false;
    // In the order tried; empty when no rule has the operator at its root.
    std::vector<Attempt> attempts;
    friend bool operator==(const Visit&, const Visit&) = default;
  };

  // Of the node that FindNode finds, whose errors are its errors.
  static StatusOr<Explanation> Of(std::string_view name, const ir::Model& model);

  // The node as messages name it.
  const std::string& node() const { return node_; }

  // In order; of visits in a row that came to the same end, the first.
  std::vector<Visit> visits() const;

  bool Wants(const ir::Node& root) override;
  void OnVisit(const PassContext& context, const ir::Node& root) override;
  void OnRefused(const RewriteRule& rule, const ir::Node& root, const Refusal& refusal) override;
  void OnFits(const PassContext& context, const RewriteRule& rule, const Match& match) override;

 private:
  Explanation() = default;
  void Start(const PassContext& context, const ir::Node& node, bool as_part);

  std::string node_;
  ir::NodeId id_ = 0;
  ir::Name name_;
  // Empty: a node was asked for.
  ir::Name value_;
  std::vector<Visit> visits_;
  // Whether the origins with this number hold the name.
  absl::flat_hash_map<uint32_t, bool> origins_;
};

}  // namespace lathe::passes
