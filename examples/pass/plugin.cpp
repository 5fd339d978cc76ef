// The same pass as a plugin: 'lathe opt --load-plugin pow_to_mul_plugin.so' knows it.
#include <lathe/passes/core/plugin.h>

#include "pow_to_mul.h"

namespace {

lathe::Status AddPasses(lathe::passes::PassRegistry& registry) {
  return registry.Add(example::PowToMulPass());
}

}  // namespace

extern "C" const lathe::passes::PassPlugin* LathePassPlugin() {
  static const lathe::passes::PassPlugin kPlugin = {.add_passes = AddPasses};
  return &kPlugin;
}
