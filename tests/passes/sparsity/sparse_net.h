// Short ways to build networks that are pruned, and to look at what is planned.
#pragma once

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lathe/ir/schema/infer_shapes.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/sparsity/prune_plan.h"
#include "lathe/quant/config/prune_record.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {

class SparseNet : public GraphBuilder {
 public:
  // Filter i of a layer has the norm of i + 1: the first ones go.
  ir::Value* Ramp(const std::string& name, const std::vector<int64_t>& dims, size_t axis = 0) {
    int64_t inner = 1;
    for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
    int64_t count = inner;
    for (size_t i = 0; i <= axis; ++i) count *= dims[i];
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>(i / inner % dims[axis] + 1));
    }
    return &rewriter().AddInitializer(graph(), model().Intern(name), ir::Tensor::Of(dims, values));
  }

  ir::Value* Ints(const std::string& name, const std::vector<int64_t>& values) {
    return &rewriter().AddInitializer(
        graph(), model().Intern(name),
        ir::Tensor::Of({static_cast<int64_t>(values.size())}, values));
  }

  ir::Value* Conv(const std::string& name, ir::Value* x, int64_t cin, int64_t cout,
                  int64_t group = 1) {
    return Op("Conv", name,
              {x, Ramp(name + ".w", {cout, cin / group, 1, 1}), Ramp(name + ".b", {cout})},
              {{"group", group}});
  }
  ir::Value* Gemm(const std::string& name, ir::Value* x, int64_t cin, int64_t cout) {
    return Op("Gemm", name, {x, Ramp(name + ".w", {cout, cin}), Ramp(name + ".b", {cout})},
              {{"transB", int64_t{1}}});
  }
  ir::Value* Norm(const std::string& name, ir::Value* x, int64_t c) {
    return Op("BatchNormalization", name,
              {x, Ramp(name + ".g", {c}), Ramp(name + ".b", {c}), Ramp(name + ".m", {c}),
               Ramp(name + ".v", {c})});
  }

  quant::PruneSettings Settings(double ratio = 0.5, bool aligned = false) {
    quant::AmctPruneConfig config;
    config.method = quant::FilterPruneConfig{ratio, aligned};
    const auto settings = quant::ResolvePruneSettings(config, DescribeNetwork(ScanLayers(model())));
    EXPECT_TRUE(settings.ok()) << FormatError(settings.status());
    return settings.ok() ? *settings : quant::PruneSettings();
  }

  PrunePlan Plan(PruneReach reach = PruneReach::kReference, double ratio = 0.5) {
    EXPECT_TRUE(ir::InferShapes(rewriter()).ok());
    const auto plan = PlanPruning(model(), Settings(ratio), reach);
    EXPECT_TRUE(plan.ok()) << FormatError(plan.status());
    return plan.ok() ? *plan : PrunePlan();
  }

  // One line a record, "a(0-8:0,1) b(...) | consumer(...)", then "layer: why" of what is left.
  std::string PlanText(PruneReach reach = PruneReach::kReference, double ratio = 0.5) {
    const PrunePlan plan = Plan(reach, ratio);
    std::string text;
    for (const quant::PruneRecord& record : plan.records) {
      for (const auto& node : record.producers) text += SlotText(node) + " ";
      text += "|";
      for (const auto& node : record.consumers) text += " " + SlotText(node);
      text += "\n";
    }
    for (const auto& [layer, why] : plan.left) text += fmt::format("{}: {}\n", layer, why);
    return text;
  }

 private:
  static std::string SlotText(const quant::PruneNode& node) {
    const auto slot = quant::ReadPruneSlot(node);
    if (!slot.ok()) return FormatError(slot.status());
    std::string text = fmt::format("{}({}-{}", slot->name, slot->begin, slot->end);
    if (slot->group.has_value()) text += fmt::format(" g{}", *slot->group);
    if (slot->prune_group.has_value()) text += fmt::format(" p{}", *slot->prune_group);
    if (!slot->prune_index.empty())
      text += ":" + fmt::format("{}", fmt::join(slot->prune_index, ","));
    return text + ")";
  }
};

}  // namespace lathe::passes
