#include "lathe/passes/core/plugin.h"

#include <dlfcn.h>
#include <exception>
#include <filesystem>
#include <memory>
#include <string_view>

#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

static_assert(std::string_view(kPluginBuild).starts_with("Lathe " LATHE_VERSION ","),
              "plugin_build.h names another version than the project has");

using Library = std::unique_ptr<void, int (*)(void*)>;

// What went wrong, without the path that the loader begins its message with.
std::string LoaderError(std::string_view path) {
  const char* text = dlerror();
  std::string_view message = text == nullptr ? "unknown reason" : text;
  if (message.starts_with(path)) message.remove_prefix(path.size());
  if (message.starts_with(": ")) message.remove_prefix(2);
  return std::string(message);
}

Status CheckBuild(const PassPlugin& plugin) {
  if (plugin.interface_version != kPluginInterface) {
    return InvalidInput(
        "was built for version {} of the plugin interface, this program has version {}: build it "
        "against this Lathe",
        plugin.interface_version, kPluginInterface);
  }
  const std::string_view built_with = plugin.built_with == nullptr ? "" : plugin.built_with;
  if (built_with != kPluginBuild) {
    return InvalidInput("was built with {}, this program with {}: build both with the same",
                        Quoted(built_with), Quoted(kPluginBuild));
  }
  if (plugin.layout != kPluginLayout) {
    return InvalidInput("was built from other headers of Lathe than this program: build it again");
  }
  if (plugin.add_passes == nullptr) return InvalidInput("adds nothing: add_passes is null");
  return OkStatus();
}

Status Load(const std::string& path, PassRegistry& registry) {
  // A name without a folder would be looked for elsewhere.
  std::error_code error;
  const std::string file = std::filesystem::absolute(path, error).string();
  // With RTLD_NOW what does not resolve is an error here and not a crash in the middle of a run.
  Library library(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL), dlclose);
  if (library == nullptr) return InvalidInput("cannot be loaded: {}", LoaderError(file));
  void* symbol = dlsym(library.get(), kPassPluginEntry);
  if (symbol == nullptr) {
    return InvalidInput("has no function {}: it is no plugin of Lathe", kPassPluginEntry);
  }
  const PassPlugin* plugin = reinterpret_cast<PassPluginEntry>(symbol)();
  if (plugin == nullptr) return InvalidInput("{} returns null", kPassPluginEntry);
  LATHE_RETURN_IF_ERROR(CheckBuild(*plugin));
  // From here on the registry may refer to the library.
  (void)library.release();
  return plugin->add_passes(registry);
}

}  // namespace

Status LoadPassPlugin(const std::string& path, PassRegistry& registry) {
  if (path.empty()) return InvalidInput("the name of a plugin is empty");
  Status status;
  // Nothing that a plugin throws may get further.
  try {
    status = Load(path, registry);
  } catch (const std::exception& exception) {
    status = InvalidInput("threw: {}", exception.what());
  }
  return WithContext(std::move(status), ErrorContext::kFile, path);
}

}  // namespace lathe::passes
