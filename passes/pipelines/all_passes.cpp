#include "lathe/passes/pipelines/all_passes.h"

namespace lathe::passes {

Status RegisterAllPasses(PassRegistry& registry) {
  static_cast<void>(registry);
  return OkStatus();
}

}  // namespace lathe::passes
