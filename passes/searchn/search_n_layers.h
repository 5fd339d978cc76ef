// searchN layers of a retrain model: places where the shift N of a layer is searched. They compute
// nothing (Identity, so that the model runs anywhere); `lathe retrain save` searches there.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/retrain_layer.h"
#include "lathe/quant/search_n.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// Layers that share one searchN layer: their names.
using SearchNGroup = std::vector<std::string>;

// Puts Identity nodes behind the results of the groups' layers: behind the BatchNormalization that
// will be folded into a layer, and behind a MatMul's bias. They are called `<first layer>.search_n`
// (version 2: `.search_n_v2`), those of a group's further layers `<first layer>.search_n.1` and so
// on. A graph output keeps its name. O(layers + uses of their results).
void InsertSearchN(ir::Model& model, const std::vector<RetrainLayer>& layers,
                   std::span<const SearchNGroup> groups, quant::SearchNVersion version);

// Takes them all out. Returns which version they are of, nothing when there are none. Error: of
// both. O(nodes).
StatusOr<std::optional<quant::SearchNVersion>> RemoveSearchN(ir::Model& model);

}  // namespace lathe::passes
