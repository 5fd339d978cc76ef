// A net's blobs as values that are made once: which layer reads what which layer makes.
#pragma once

#include <string>
#include <vector>

#include "lathe/frontends/caffe/internal/net.h"

namespace lathe::frontends::caffe {

// What one layer writes into one blob.
struct Wire {
  std::string blob;
  // Index of the layer in LinkedNet::layers, and which of its tops.
  size_t layer = 0;
  size_t top = 0;
  // How many bottoms are this value.
  size_t readers = 0;
  // Of the last layer that reads it.
  size_t last_reader = 0;
  bool is_output = false;
  // Unique (import.h says which).
  std::string name;
};

struct LinkedLayer {
  NetLayer layer;
  // Indices of wires.
  std::vector<size_t> bottoms;
  std::vector<size_t> tops;
};

struct LinkedNet {
  struct Output {
    size_t wire = 0;
    // The blob's name; not the wire's where a layer that changes nothing made the blob.
    std::string name;
  };
  std::string name;
  std::vector<LinkedLayer> layers;
  std::vector<Wire> wires;
  std::vector<Output> outputs;
};

// Takes the net's layers. What only training has, Silence, and layers that change nothing are gone
// then. O(bottoms + tops). Errors name line, layer and blob: a bottom that no earlier layer makes,
// a top that is another layer's already, layers without a type.
StatusOr<LinkedNet> LinkNet(Net net);

}  // namespace lathe::frontends::caffe
