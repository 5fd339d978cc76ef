#include "lathe/frontends/caffe/internal/net_builder.h"

#include <array>
#include <optional>

#include <absl/container/flat_hash_set.h>

#include "lathe/frontends/caffe/import.h"
#include "lathe/frontends/caffe/internal/choose_layers.h"
#include "lathe/frontends/caffe/internal/feed_dims.h"
#include "lathe/frontends/caffe/internal/layers.h"
#include "lathe/frontends/caffe/internal/weights.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

constexpr int64_t kIrVersion = 8;

Status UnknownType(std::string_view type) {
  for (const std::string_view quantised :
       {"Quant", "DeQuant", "AntiQuant", "IFMR", "SearchN", "ActivationQAT", "WeightQAT",
        "LSTMQuant", "LSTMCalibration"}) {
    if (type != quantised) continue;
    return WithContext(Unsupported("is of type {}: the net is quantised already", type),
                       ErrorContext::kHint, "start from the float net");
  }
  const Status status = Unsupported("is of type {}, which is not read", Quoted(type));
  const std::string near = DidYouMean(type, LayerTypes());
  return near.empty() ? status : WithContext(status, ErrorContext::kHint, near);
}

class NetBuilder {
 public:
  NetBuilder(const LinkedNet& net, const CaffeModel& weights)
      : net_(net),
        model_(std::make_unique<ir::Model>()),
        rewriter_(*model_),
        weights_(weights, rewriter_),
        blobs_(net.wires.size()) {}

  StatusOr<std::unique_ptr<ir::Model>> Build() {
    ir::ModelInfo& info = rewriter_.MutableInfo();
    info.ir_version = kIrVersion;
    info.opset_imports = {{.domain = "", .version = kCaffeOpset}};
    rewriter_.SetGraphText(model_->graph(), net_.name, "", {});
    ReserveNames();
    for (size_t i = 0; i < net_.layers.size(); ++i) {
      const Status status = AddLayer(i);
      if (!status.ok()) return AtPlace(status, PlaceOf(net_.layers[i].layer));
    }
    for (const LinkedNet::Output& output : net_.outputs) AddOutput(output);
    return std::move(model_);
  }

 private:
  // What the net names keeps its name, whatever parts of layers are called.
  void ReserveNames() {
    for (const Wire& wire : net_.wires) wire_names_.push_back(model_->UniqueValueName(wire.name));
    for (const LinkedNet::Output& output : net_.outputs) {
      if (output.name != net_.wires[output.wire].name) model_->UniqueValueName(output.name);
    }
    for (const LinkedLayer& layer : net_.layers) {
      const proto::LayerParameter& param = layer.layer.param;
      node_names_.push_back(IsDataLayer(param.type()) ? ir::Name{}
                                                      : model_->UniqueNodeName(param.name()));
    }
  }

  Status AddLayer(size_t index) {
    const LinkedLayer& layer = net_.layers[index];
    const proto::LayerParameter& param = layer.layer.param;
    if (merged_.contains(index)) return OkStatus();
    if (IsDataLayer(param.type())) return AddInputs(layer);
    const LayerFunction function = FindLayer(param.type());
    if (function == nullptr) return UnknownType(param.type());
    if (param.type() == "BatchNorm") {
      if (const std::optional<size_t> scale = ScaleAfter(index)) return AddMerged(index, *scale);
    }
    LayerBuilder builder = BuilderOf(index, layer.tops);
    LATHE_RETURN_IF_ERROR(function(builder));
    KeepTops(builder, layer.tops);
    return OkStatus();
  }

  LayerBuilder BuilderOf(size_t index, const std::vector<size_t>& tops) {
    const LinkedLayer& layer = net_.layers[index];
    std::vector<Blob> bottoms;
    for (const size_t wire : layer.bottoms) bottoms.push_back(blobs_[wire]);
    std::vector<ir::Name> names;
    for (const size_t wire : tops) names.push_back(wire_names_[wire]);
    return {rewriter_, weights_, layer.layer.param, node_names_[index], std::move(bottoms), names};
  }

  void KeepTops(const LayerBuilder& builder, const std::vector<size_t>& tops) {
    for (size_t i = 0; i < tops.size(); ++i) blobs_[tops[i]] = builder.tops()[i].blob;
  }

  // The Scale that alone reads a BatchNorm.
  std::optional<size_t> ScaleAfter(size_t batch_norm) const {
    const LinkedLayer& layer = net_.layers[batch_norm];
    if (layer.bottoms.size() != 1 || layer.tops.size() != 1) return std::nullopt;
    const Wire& wire = net_.wires[layer.tops[0]];
    if (wire.readers != 1 || wire.is_output) return std::nullopt;
    const LinkedLayer& reader = net_.layers[wire.last_reader];
    if (reader.bottoms.size() != 1 || reader.tops.size() != 1) return std::nullopt;
    if (!IsChannelScale(reader.layer.param)) return std::nullopt;
    return wire.last_reader;
  }

  Status AddMerged(size_t batch_norm, size_t scale) {
    const LinkedLayer& reader = net_.layers[scale];
    LayerBuilder builder = BuilderOf(batch_norm, reader.tops);
    LATHE_RETURN_IF_ERROR(BatchNormAndScale(builder, reader.layer.param, weights_));
    KeepTops(builder, reader.tops);
    ir::Node& node = *blobs_[reader.tops[0]].value->producer();
    const std::array<ir::Origin, 2> origins = {node.origin(), model_->OriginOf(node_names_[scale])};
    rewriter_.SetOrigin(node, model_->MergeOrigins(origins));
    merged_.insert(scale);
    return OkStatus();
  }

  Status AddInputs(const LinkedLayer& layer) {
    const proto::LayerParameter& param = layer.layer.param;
    for (size_t i = 0; i < layer.tops.size(); ++i) {
      const Wire& wire = net_.wires[layer.tops[i]];
      // Labels, for instance, when losses are left out. An Input is there to be fed.
      if (wire.readers == 0 && param.type() != "Input") continue;
      LATHE_ASSIGN_OR_RETURN(Dims dims, FeedDims(param, static_cast<int>(i)));
      ir::Shape shape;
      for (const int64_t extent : dims) shape.push_back(ir::Dim::Known(extent));
      if (!dims.empty()) {
        if (!first_batch_) first_batch_ = dims[0];
        // Other counts (of regions, say) are free on their own.
        shape[0] = dims[0] == *first_batch_ ? ir::Dim::Symbol("batch") : ir::Dim();
        dims[0] = kFree;
      }
      ir::Value& value = rewriter_.AddGraphInput(
          model_->graph(), wire_names_[layer.tops[i]],
          model_->Intern(ir::Type::Tensor(ir::ElementType::kFloat32, std::move(shape))));
      blobs_[layer.tops[i]] = {&value, std::move(dims)};
    }
    return OkStatus();
  }

  void AddOutput(const LinkedNet::Output& output) {
    ir::Value* value = blobs_[output.wire].value;
    if (value->name_text() != output.name || value->is_graph_output()) {
      const ir::Type* type = model_->Intern(value->type());
      ir::Node& node = rewriter_.InsertNode(model_->graph(), nullptr, model_->Intern("Identity"),
                                            ir::Name{}, model_->UniqueNodeName(output.name));
      const std::array<ir::Value*, 1> inputs = {value};
      rewriter_.SetInputs(node, inputs);
      rewriter_.SetOrigin(node, model_->OriginOf(node.name()));
      value = &rewriter_.AddOutput(node, model_->Intern(output.name), type);
    }
    rewriter_.AddGraphOutput(model_->graph(), value);
  }

  const LinkedNet& net_;
  std::unique_ptr<ir::Model> model_;
  ir::Rewriter rewriter_;
  Weights weights_;
  // One a wire.
  std::vector<Blob> blobs_;
  std::vector<ir::Name> wire_names_;
  // One a layer.
  std::vector<ir::Name> node_names_;
  // Scales that are part of the BatchNormalization before them.
  absl::flat_hash_set<size_t> merged_;
  std::optional<int64_t> first_batch_;
};

}  // namespace

StatusOr<std::unique_ptr<ir::Model>> BuildNet(const LinkedNet& net, const CaffeModel& weights) {
  return NetBuilder(net, weights).Build();
}

}  // namespace lathe::frontends::caffe
