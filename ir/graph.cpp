#include "lathe/ir/graph.h"

namespace lathe::ir {

Graph::~Graph() = default;

void GraphDeleter::operator()(Graph* graph) const { delete graph; }

}  // namespace lathe::ir
