// Loads a plugin of passes and names what it has brought.
#include <cstdio>

#include "lathe/passes/core/plugin.h"

int main(int argc, char** argv) {
  lathe::passes::PassRegistry registry;
  const lathe::Status status = lathe::passes::LoadPassPlugin(argc > 1 ? argv[1] : "", registry);
  if (!status.ok()) {
    std::puts(lathe::FormatError(status).c_str());
    return 1;
  }
  for (const lathe::passes::PassDescriptor* pass : registry.All()) {
    std::printf("%.*s\n", static_cast<int>(pass->name.size()), pass->name.data());
  }
}
