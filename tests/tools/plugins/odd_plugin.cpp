// A plugin that has the fault which the environment variable LATHE_ODD_PLUGIN names.
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "lathe/passes/core/plugin.h"

namespace {

using namespace lathe;
using namespace lathe::passes;

StatusOr<bool> ChangeNothing(PassContext& /*context*/) { return false; }

Status AddTaken(PassRegistry& registry) {
  return registry.Add({.name = "fuse-conv-bn",
                       .summary = "Do nothing",
                       .description = "Only in tests.",
                       .run = ChangeNothing});
}

Status Throw(PassRegistry& /*registry*/) { throw std::runtime_error("no mood"); }

PassPlugin Make(std::string_view fault) {
  if (fault == "interface") return {.interface_version = kPluginInterface + 1};
  if (fault == "build") return {.built_with = "Lathe 0.0.1", .add_passes = AddTaken};
  if (fault == "no build") return {.built_with = nullptr, .add_passes = AddTaken};
  if (fault == "layout") return {.layout = kPluginLayout + 1, .add_passes = AddTaken};
  if (fault == "throws") return {.add_passes = Throw};
  if (fault == "taken") return {.add_passes = AddTaken};
  return {};
}

}  // namespace

extern "C" const PassPlugin* LathePassPlugin() {
  const char* fault = std::getenv("LATHE_ODD_PLUGIN");
  if (fault == nullptr) return nullptr;
  static const PassPlugin kPlugin = Make(fault);
  return &kPlugin;
}
