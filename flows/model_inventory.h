// What is in a model, counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"

namespace lathe::flows {

struct ModelInventory {
  struct Parameters {
    uint64_t tensors = 0;
    uint64_t elements = 0;
    uint64_t bytes = 0;
  };

  // Bodies and functions included.
  size_t nodes = 0;
  size_t bodies = 0;
  // "Conv", "com.microsoft.Gelu".
  std::map<std::string, size_t> operators;
  // By element type, the values of Constant nodes included.
  std::map<std::string, Parameters, std::less<>> parameters;

  // The most frequent first, among equals by name.
  std::vector<std::pair<std::string, size_t>> OperatorsByCount() const;
};

// O(nodes + initializers).
ModelInventory TakeInventory(const ir::Model& model);

// The names of the facts that hold, in the table's order. O(facts · nodes).
std::vector<std::string> FactsOf(const ir::Model& model);

}  // namespace lathe::flows
