// Plugins: shared libraries that add passes and named pipelines to a registry. See
// docs/writing-a-pass.md.
//
// A plugin brings no copy of Lathe; it uses the one of the program that loads it. That program has
// to export the symbols of all of Lathe (the driver does; see LathePlugins.cmake). Since C++
// classes cross the border, both must be built from the same headers with the same compiler and
// libraries, which is checked before any code of the plugin runs but its entry point.
#pragma once

#include <cstdint>
#include <string>

#include "lathe/passes/core/plugin_build.h"
#include "lathe/passes/core/registry.h"

namespace lathe::passes {

// What the entry point points at. The first member tells which version of this struct it is, so its
// place never changes.
struct PassPlugin {
  uint32_t interface_version = kPluginInterface;
  // Filled in where the plugin is compiled; see plugin_build.h.
  const char* built_with = kPluginBuild;
  uint64_t layout = kPluginLayout;
  // Adds what the plugin has. Descriptors and their texts stay where they are: a plugin is never
  // unloaded.
  Status (*add_passes)(PassRegistry& registry) = nullptr;
};

// The entry point of a plugin; what it returns must stay where it is:
//
//     extern "C" const lathe::passes::PassPlugin* LathePassPlugin() {
//       static const lathe::passes::PassPlugin kPlugin = {.add_passes = AddPasses};
//       return &kPlugin;
//     }
using PassPluginEntry = const PassPlugin* (*)();
inline constexpr const char* kPassPluginEntry = "LathePassPlugin";

// Loads the library and lets it add its passes. Errors carry the file: it cannot be loaded; it has
// no entry point; it was built for another interface, with other libraries or from other headers;
// it adds something that the registry refuses. The registry may then hold some of its passes.
Status LoadPassPlugin(const std::string& path, PassRegistry& registry);

}  // namespace lathe::passes
