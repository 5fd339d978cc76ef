#include "lathe/passes/pipelines/sparsity.h"

#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/sparsity/check_n_m.h"

namespace lathe::passes {

const PipelineDescriptor& SparsityPipelineDescriptor() {
  static const PipelineDescriptor kPipeline = {
      .name = "sparsity",
      .summary = "Make a network sparse as a record says",
      .description = R"(
Takes out channels and makes single weights zero, in the one order that holds:

- prune-channels comes first: masks have the shape of what is left.
- mask-weights needs the fact channels-pruned, and so cannot come before it. It comes before quantisation, because
  zeros are chosen among floats; prune-channels and mask-weights drop the facts of quantisation (quant-points-marked,
  calibrated), so a pipeline that quantises first is refused.
)",
      .text = kSparsityPipeline,
  };
  return kPipeline;
}

std::string CheckNmPipeline(const std::vector<std::string>& layers, int64_t m, int64_t n) {
  const PassDescriptor& check = CheckNmPass();
  OptionValues options(check.options);
  // The options exist and have these types.
  (void)options.Set("layers", OptionValue(layers));
  (void)options.Set("m", OptionValue(m));
  (void)options.Set("n", OptionValue(n));
  Pipeline pipeline;
  pipeline.Add(check, std::move(options));
  return pipeline.ToText();
}

}  // namespace lathe::passes
