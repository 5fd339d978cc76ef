// The way back from insert_retrain.h: the float network of a retrain model, and what was trained.
#pragma once

#include <map>
#include <string>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// The trained constants of quantisers (clips, weight scales) by their names.
using QuantizerConstants = std::map<std::string, ir::Tensor, std::less<>>;

// Takes all quantisers out of the model. Errors: a node that is called like a quantiser's last one
// and is none, because another tool has rewritten the model (names it).
StatusOr<QuantizerConstants> RemoveRetrain(ir::Model& model);

}  // namespace lathe::passes
