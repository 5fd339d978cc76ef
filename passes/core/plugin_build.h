// What a plugin and the program that loads it must have in common: see plugin.h. Constants of a
// header, so that each of the two says what it was compiled with.
#pragma once

#include <cstdint>
#include <string>  // the standard library's macros

#include <absl/base/config.h>
#include <fmt/core.h>

#include "lathe/ir/model.h"
#include "lathe/passes/core/observer.h"
#include "lathe/passes/rewrite/rule_set.h"

namespace lathe::passes {

// Of struct PassPlugin.
inline constexpr uint32_t kPluginInterface = 1;

#define LATHE_TEXT_OF_NUMBER(number) #number
#define LATHE_TEXT(macro) LATHE_TEXT_OF_NUMBER(macro)
inline constexpr const char* kPluginBuild =
    "Lathe 0.1.0, "
#ifdef _LIBCPP_VERSION
    "libc++ " LATHE_TEXT(_LIBCPP_VERSION) ", "
#else
    "libstdc++ " LATHE_TEXT(_GLIBCXX_RELEASE) " (strings " LATHE_TEXT(_GLIBCXX_USE_CXX11_ABI) "), "
#endif
#ifdef ABSL_LTS_RELEASE_VERSION
    "abseil " LATHE_TEXT(ABSL_LTS_RELEASE_VERSION) ", "
#endif
    "fmt " LATHE_TEXT(FMT_VERSION);
#undef LATHE_TEXT
#undef LATHE_TEXT_OF_NUMBER

// FNV-1a over the sizes of the types that cross the border: headers that changed without a new
// version rarely leave all of them as they were.
template <typename... Types>
constexpr uint64_t LayoutOf() {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const uint64_t size : {sizeof(Types)...}) hash = (hash ^ size) * 0x100000001b3u;
  return hash;
}
inline constexpr uint64_t kPluginLayout =
    LayoutOf<PassDescriptor, PipelineDescriptor, PassRegistry, PassContext, PassReport, PassPoint,
             RewriteRule, RuleSet, Pattern, Operand, Match, ir::Model, ir::ModelInfo, ir::Graph,
             ir::Node, ir::Value, ir::Use, ir::Type, ir::Dim, ir::Tensor, ir::Attribute,
             ir::Rewriter, ir::NodeSpec>();

}  // namespace lathe::passes
