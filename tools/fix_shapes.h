// --shape: gives free dimensions of graph inputs their extents.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::tools {

// Sets the shapes of the named inputs; a symbol that gets an extent this way has it everywhere in
// the model. Errors: no such input (with the nearest names); an input that is no tensor; another
// rank; an extent that the model fixes otherwise; two extents for one symbol. O(values) when
// `shapes` is not empty.
Status FixInputShapes(ir::Rewriter& rewriter,
                      std::span<const std::pair<std::string, std::vector<int64_t>>> shapes);

}  // namespace lathe::tools
