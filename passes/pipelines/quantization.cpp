#include "lathe/passes/pipelines/quantization.h"

#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/fusion/fuse_conv_bn.h"

namespace lathe::passes {

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
