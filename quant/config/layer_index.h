// Finding the layers that configurations name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/quant/config/layer.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// Looks names up in a network, which must outlive it. Building it is linear in the number of nodes,
// a look-up constant; only an error walks over all names.
class LayerIndex {
 public:
  // Fails when two layers have one name: no configuration could tell them apart.
  static StatusOr<LayerIndex> Create(const NetworkDescription& network);

  // The position of the layer in network.layers. An error, beginning with `where`, says whether no
  // node has that name (and which names are near) or why the node cannot be quantised.
  StatusOr<size_t> Find(std::string_view where, std::string_view name) const;

  // The positions of the layers of the type that `name` spells: a LayerType ("Conv2d") or, as in
  // the ONNX flavour's files, an ONNX operator ("Conv"); not those on request. An error when it is
  // no type that can be quantised, or no layer of the network has it. Linear in the number of
  // layers.
  StatusOr<std::vector<size_t>> FindType(std::string_view where, std::string_view name) const;

  // The same, but empty when no node of the network has the type.
  StatusOr<std::vector<size_t>> FindTypeIfAny(std::string_view where, std::string_view name) const;

  // skip_fusion_layers: each names a Conv1d, Conv2d or Conv3d (quantisable or not), none twice.
  Status CheckSkipFusion(const std::vector<std::string>& names) const;

 private:
  explicit LayerIndex(const NetworkDescription& network) : network_(&network) {}

  const OtherNode* FindOther(std::string_view name) const;
  Status UnknownName(std::string_view where, std::string_view name) const;

  const NetworkDescription* network_;
  absl::flat_hash_map<std::string_view, size_t> layers_;
  absl::flat_hash_map<std::string_view, size_t> others_;
};

// The error for a name that no node has; `names` are those it could have meant.
Status UnknownLayer(std::string_view where, std::string_view name,
                    const std::vector<std::string_view>& names);

// The error for a node that cannot be quantised.
Status CannotQuantise(std::string_view where, const OtherNode& node);

// An error when a name is there twice.
Status CheckUnique(std::string_view where, const std::vector<std::string>& names);

}  // namespace lathe::quant
