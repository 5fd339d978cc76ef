#include "lathe/frontends/caffe/internal/link_net.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/frontends/caffe/internal/choose_layers.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

// A blob as the layers so far left it.
struct Blob {
  size_t wire = 0;
  int line = 0;
  std::string layer;
  bool read = false;
  bool is_fed = false;
};

class Linker {
 public:
  explicit Linker(const Net& net) {
    for (const NetLayer& layer : net.layers) {
      for (const std::string& top : layer.param.top()) made_.emplace(top, PlaceOf(layer));
    }
    linked_.name = net.name;
  }

  Status Add(NetLayer layer) {
    const std::string& type = layer.param.type();
    if (type.empty()) return InvalidInput("{}: the layer has no type", PlaceOf(layer));
    if (layer.param.name().empty()) {
      layer.param.set_name(fmt::format("{}_{}", type, linked_.layers.size()));
    }
    if (IsTrainingOnly(type)) {
      for (const std::string& top : layer.param.top()) dropped_.insert_or_assign(top, type);
      return OkStatus();
    }
    LinkedLayer linked;
    linked.bottoms.reserve(static_cast<size_t>(layer.param.bottom_size()));
    for (const std::string& bottom : layer.param.bottom()) {
      // What a layer makes of a loss is for training, too.
      if (type == "Silence" && dropped_.contains(bottom)) continue;
      LATHE_ASSIGN_OR_RETURN(const size_t wire, Read(layer, bottom));
      linked.bottoms.push_back(wire);
    }
    if (type == "Silence") return OkStatus();
    if (IsIdentity(layer.param)) return AddIdentity(layer, linked.bottoms);
    for (const size_t wire : linked.bottoms) {
      ++linked_.wires[wire].readers;
      linked_.wires[wire].last_reader = linked_.layers.size();
    }
    for (int i = 0; i < layer.param.top_size(); ++i) {
      const size_t wire = linked_.wires.size();
      LATHE_RETURN_IF_ERROR(Make(layer, i, wire));
      linked_.wires.push_back({.blob = layer.param.top(i),
                               .layer = linked_.layers.size(),
                               .top = static_cast<size_t>(i)});
      linked.tops.push_back(wire);
    }
    linked.layer = std::move(layer);
    linked_.layers.push_back(std::move(linked));
    return OkStatus();
  }

  LinkedNet Finish() {
    for (const std::string& name : order_) {
      const Blob& blob = blobs_.at(name);
      if (blob.read || blob.is_fed) continue;
      linked_.wires[blob.wire].is_output = true;
      linked_.outputs.push_back({blob.wire, name});
    }
    NameWires();
    NameOutputs();
    return std::move(linked_);
  }

 private:
  StatusOr<size_t> Read(const NetLayer& layer, const std::string& bottom) {
    const auto found = blobs_.find(bottom);
    if (found != blobs_.end()) {
      found->second.read = true;
      return found->second.wire;
    }
    const std::string place = PlaceOf(layer);
    if (const auto dropped = dropped_.find(bottom); dropped != dropped_.end()) {
      return InvalidInput("{}: bottom {} is made by a layer {}, which only training has", place,
                          Quoted(bottom), Quoted(dropped->second));
    }
    if (const auto later = made_.find(bottom); later != made_.end()) {
      return InvalidInput("{}: bottom {} is made later only, by {}", place, Quoted(bottom),
                          later->second);
    }
    const std::vector<std::string_view> names(order_.begin(), order_.end());
    Status status = InvalidInput("{}: bottom {} is made by no layer", place, Quoted(bottom));
    const std::string near = DidYouMean(bottom, names);
    return near.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, near);
  }

  // Top `i` of a layer becomes the blob's present value.
  Status Make(const NetLayer& layer, int i, size_t wire) {
    const std::string& top = layer.param.top(i);
    const auto found = blobs_.find(top);
    const bool in_place = i < layer.param.bottom_size() && layer.param.bottom(i) == top;
    if (found != blobs_.end() && !in_place) {
      return InvalidInput("{}: top {} is made by line {}, layer {} already", PlaceOf(layer),
                          Quoted(top), found->second.line, Quoted(found->second.layer));
    }
    if (found == blobs_.end()) order_.push_back(top);
    blobs_.insert_or_assign(top, Blob{.wire = wire,
                                      .line = layer.line,
                                      .layer = layer.param.name(),
                                      .is_fed = IsDataLayer(layer.param.type())});
    return OkStatus();
  }

  Status AddIdentity(const NetLayer& layer, const std::vector<size_t>& bottoms) {
    if (bottoms.size() != 1) {
      return InvalidInput("{}: a {} layer has one bottom", PlaceOf(layer), layer.param.type());
    }
    for (int i = 0; i < layer.param.top_size(); ++i) {
      LATHE_RETURN_IF_ERROR(Make(layer, i, bottoms[0]));
    }
    return OkStatus();
  }

  void NameWires() {
    absl::flat_hash_map<std::string_view, std::vector<Wire*>> versions;
    absl::flat_hash_set<std::string> used;
    for (Wire& wire : linked_.wires) {
      versions[wire.blob].push_back(&wire);
      used.insert(wire.blob);
    }
    absl::flat_hash_map<std::string_view, size_t> seen;
    // The last number behind a name that was taken.
    absl::flat_hash_map<std::string, size_t> numbers;
    for (Wire& wire : linked_.wires) {
      const std::vector<Wire*>& all = versions.at(wire.blob);
      const size_t at = seen[wire.blob]++;
      const auto layer_of = [&](size_t version) -> const proto::LayerParameter& {
        return linked_.layers[all[version]->layer].layer.param;
      };
      const bool fed = IsDataLayer(layer_of(0).type());
      if (at == (fed ? 0 : all.size() - 1)) {
        wire.name = wire.blob;
        continue;
      }
      wire.name = fed ? wire.blob + "_after_" + layer_of(at).name()
                      : wire.blob + "_before_" + layer_of(at + 1).name();
      const std::string wish = wire.name;
      size_t& number = numbers[wish];
      while (!used.insert(wire.name).second) wire.name = fmt::format("{}_{}", wish, ++number);
    }
  }

  // An output has its blob's name unless that is another value's: an input keeps its name.
  void NameOutputs() {
    absl::flat_hash_map<std::string_view, size_t> wires;
    for (size_t i = 0; i < linked_.wires.size(); ++i) wires.emplace(linked_.wires[i].name, i);
    for (LinkedNet::Output& output : linked_.outputs) {
      const auto found = wires.find(output.name);
      if (found == wires.end() || found->second == output.wire) continue;
      output.name = linked_.wires[output.wire].name;
    }
  }

  LinkedNet linked_;
  absl::flat_hash_map<std::string, Blob> blobs_;
  // Names of blobs as they appear.
  std::vector<std::string> order_;
  // Of each blob, the first layer of the file that makes it.
  absl::flat_hash_map<std::string, std::string> made_;
  // Tops of layers that are left out, with their types.
  absl::flat_hash_map<std::string, std::string> dropped_;
};

}  // namespace

StatusOr<LinkedNet> LinkNet(Net net) {
  Linker linker(net);
  for (NetLayer& layer : net.layers) LATHE_RETURN_IF_ERROR(linker.Add(std::move(layer)));
  return linker.Finish();
}

}  // namespace lathe::frontends::caffe
