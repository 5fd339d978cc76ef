// A small net and the record that it is lowered with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/quant/config/record.h"
#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"

namespace lathe::passes {

struct LoweringNet : GraphBuilder {
  quant::Record record;

  ir::Value* Constant(const std::string& name, std::vector<int64_t> dims,
                      std::vector<float> values) {
    return &rewriter().AddInitializer(graph(), model().Intern(name),
                                      ir::Tensor::Of(std::move(dims), values));
  }
  quant::LayerRecord& Record(const std::string& layer, float scale_d, int32_t offset_d,
                             std::vector<float> scale_w) {
    quant::LayerRecord entry;
    entry.scale_d = scale_d;
    entry.offset_d = offset_d;
    entry.offset_w.assign(scale_w.size(), 0);
    entry.scale_w = std::move(scale_w);
    entry.act_type = "INT8";
    entry.wts_type = "INT8";
    record.entries.push_back({.key = layer, .value = entry});
    return *record.entries.back().value;
  }
  Status Run(std::string_view pipeline) {
    Resources resources;
    resources.Provide(&record);
    return RunWith(model(), pipeline, resources, {"calibrated"}).status();
  }
  const ir::Node* Find(std::string_view name) {
    for (const ir::Node& node : graph().nodes()) {
      if (node.name_text() == name) return &node;
    }
    return nullptr;
  }
};

}  // namespace lathe::passes
