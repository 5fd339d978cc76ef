// Passes that only tests have.
#pragma once

#include <stdexcept>
#include <string>

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

inline StatusOr<bool> ChangeNothing(PassContext& /*context*/) { return false; }
inline StatusOr<bool> ClaimChange(PassContext& /*context*/) { return true; }

inline PassDescriptor Sample(std::string_view name, StatusOr<bool> (*run)(PassContext&)) {
  PassDescriptor pass;
  pass.name = name;
  pass.summary = "Do what a test asks for";
  pass.description = "Only in tests.";
  pass.run = run;
  return pass;
}

inline PassDescriptor Sample(std::string_view name) { return Sample(name, ChangeNothing); }

inline PassDescriptor WithOptions(std::string_view name) {
  PassDescriptor pass = Sample(name);
  pass.options = {{"max", "how many", int64_t{8}},
                  {"mode", "which way", std::string("auto")},
                  {"skip", "which not", std::vector<std::string>{}}};
  return pass;
}

inline PipelineDescriptor SamplePipeline(std::string_view name, std::string_view text) {
  return {name, "Do several things", "Only in tests.", text};
}

}  // namespace lathe::passes
