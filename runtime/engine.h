// The Engine that runs any model: float graphs on OpenVINO, deploy graphs in regions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lathe/eval/engine.h"
#include "lathe/runtime/integer/isa.h"

namespace lathe::runtime {

struct EngineOptions {
  // Instructions of the integer executor; absent: what ChooseIsa says.
  std::optional<integer::Isa> isa;
  // Told, a sentence each, what a user may want to know of a compiled deploy model.
  std::function<void(const std::string&)> note;
};

// A model without operators of deploy graphs goes to OpenVINO as a whole. Others are planned for
// the shapes they are fed, and planned again when these change; integer regions are executed
// exactly (docs/ascend-operators.md), so their bytes do not depend on threads, batch or machine.
// A model whose shapes are all known is planned by Compile, which then finds what cannot be run.
std::unique_ptr<eval::Engine> MakeEngine(EngineOptions options = {});

}  // namespace lathe::runtime
