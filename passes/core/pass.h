// What a pass is: a descriptor and a function. The descriptor drives help, the registry, pipeline
// text, documentation and tests.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/core/options.h"
#include "lathe/passes/core/remark.h"
#include "lathe/passes/core/resources.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// What a pass may be asked to look at.
enum class PassScope {
  kModel,   // it needs the whole model
  kGraphs,  // it looks at graphs one by one, and only at those that PassContext::Visits allows
};

struct StatisticDescriptor {
  std::string_view name;
  std::string_view help;
};

// What a running pass sees.
class PassContext {
 public:
  PassContext(ir::Rewriter& rewriter, const OptionValues& options, const Resources& resources,
              std::function<void(Remark)> remarks,
              std::function<void(std::string_view, int64_t)> counts, std::string_view pass_name,
              bool bodies_only = false)
      : rewriter_(rewriter),
        options_(options),
        resources_(resources),
        remarks_(std::move(remarks)),
        counts_(std::move(counts)),
        pass_name_(pass_name),
        bodies_only_(bodies_only) {}

  ir::Model& model() const { return rewriter_.model(); }
  ir::Rewriter& rewriter() const { return rewriter_; }
  const OptionValues& options() const { return options_; }
  std::string_view pass_name() const { return pass_name_; }

  // Whether a pass of scope kGraphs shall look at the graph: in bodies(...) it leaves the main
  // graph alone. ApplyRules asks by itself. O(1).
  bool Visits(const ir::Graph& graph) const { return !bodies_only_ || &graph != &model().graph(); }

  // The resource, or an error that says which one the pass needs.
  template <typename T>
  StatusOr<T*> Need(std::string_view what) const {
    if (T* resource = resources_.Find<T>()) return resource;
    return InvalidInput("needs {}, and none was given", what);
  }
  template <typename T>
  T* Find() const {
    return resources_.Find<T>();
  }

  void Applied(const ir::Node& node, std::string message) const {
    Emit(Remark::Kind::kApplied, node.display_name(), std::move(message));
  }
  void Missed(const ir::Node& node, std::string message) const {
    Emit(Remark::Kind::kMissed, node.display_name(), std::move(message));
  }
  void Failed(const ir::Node& node, std::string message) const {
    Emit(Remark::Kind::kFailed, node.display_name(), std::move(message));
  }
  void Note(std::string node, std::string message) const {
    Emit(Remark::Kind::kNote, std::move(node), std::move(message));
  }
  // Adds to a statistic of the descriptor.
  void Count(std::string_view statistic, int64_t amount = 1) const { counts_(statistic, amount); }

 private:
  void Emit(Remark::Kind kind, std::string node, std::string message) const {
    remarks_(Remark{kind, std::string(pass_name_), std::move(node), std::move(message)});
  }

  ir::Rewriter& rewriter_;
  const OptionValues& options_;
  const Resources& resources_;
  std::function<void(Remark)> remarks_;
  std::function<void(std::string_view, int64_t)> counts_;
  std::string_view pass_name_;
  bool bodies_only_;
};

struct PassDescriptor {
  std::string_view name;     // "fuse-conv-bn"
  std::string_view summary;  // one line, imperative
  // What changes, why it is right, a before/after drawing, the exact conditions.
  std::string_view description;
  std::vector<OptionDescriptor> options;
  std::vector<StatisticDescriptor> statistics;
  // Facts (facts.h). One that is not preserved is dropped when the pass changes something.
  std::vector<std::string_view> requires_facts;
  std::vector<std::string_view> establishes;
  std::vector<std::string_view> preserves;
  // Returns whether anything changed.
  StatusOr<bool> (*run)(PassContext& context) = nullptr;
  // kGraphs lets it stand in bodies(...).
  PassScope scope = PassScope::kModel;
};

}  // namespace lathe::passes
