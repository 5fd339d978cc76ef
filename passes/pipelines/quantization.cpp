#include "lathe/passes/pipelines/quantization.h"

#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/fusion/fuse_conv_bn.h"

namespace lathe::passes {

const PipelineDescriptor& PreparePipelineDescriptor() {
  static const PipelineDescriptor kPipeline = {
      .name = "prepare",
      .summary = "Bring weights and names into the form that quantisation expects",
      .description = R"(
What quantisation does to a float model before it looks at layers:

- freeze-inputs comes first: constants that are also inputs hide weights from every later pass.
- name-nodes comes before anything that removes nodes, since unnamed nodes are called by their place.
- fold-weights comes after freeze-inputs, since a weight may be computed from such an input.
- normalize-gemm comes after fold-weights, since it needs constants.
)",
      .text = kPreparePipeline,
  };
  return kPipeline;
}

std::string FusionPipeline(bool do_fusion, std::span<const std::string> skip) {
  if (!do_fusion) return "";
  const PassDescriptor& fuse = FuseConvBnPass();
  OptionValues options(fuse.options);
  // The option exists and has this type.
  (void)options.Set("skip", OptionValue(std::vector<std::string>(skip.begin(), skip.end())));
  Pipeline pipeline;
  pipeline.Add(fuse, std::move(options));
  return pipeline.ToText();
}

}  // namespace lathe::passes
