#include "lathe/flows/save_model.h"

#include <algorithm>

#include "lathe/flows/convert_opset.h"
#include "lathe/flows/run_passes.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/passes/quant/tensor_point.h"
#include "lathe/support/mapped_pages.h"

namespace lathe::flows {
namespace {

quant::RecordKind KindOf(const passes::QuantLayer& layer) {
  switch (layer.type) {
    case quant::LayerType::kConv1d:
    case quant::LayerType::kConv2d:
    case quant::LayerType::kConv3d:
      return quant::RecordKind::kConv;
    case quant::LayerType::kConvTranspose1d:
    case quant::LayerType::kConvTranspose2d:
      return quant::RecordKind::kConvTranspose;
    case quant::LayerType::kAvgPool2d:
      return quant::RecordKind::kAveragePool;
    case quant::LayerType::kLstm:
      return quant::RecordKind::kLstm;
    case quant::LayerType::kGru:
      return quant::RecordKind::kGru;
    case quant::LayerType::kLinear:
      break;
  }
  return layer.node->Is("Gemm") ? quant::RecordKind::kGemm : quant::RecordKind::kMatMul;
}

}  // namespace

quant::RecordNetwork DescribeRecordNetwork(const ir::Model& model) {
  quant::RecordNetwork network;
  passes::VisitNodes(model.graph(), [&](ir::Node& node) {
    auto inspected = passes::InspectLayer(node);
    if (const auto* layer = std::get_if<passes::QuantLayer>(&inspected)) {
      const quant::RecordKind kind = KindOf(*layer);
      const bool matrix = layer->type == quant::LayerType::kLinear;
      network.layers.push_back({layer->name, kind, matrix ? layer->columns : layer->channels,
                                layer->cin, layer->directions});
      return;
    }
    auto& other = std::get<passes::NotALayer>(inspected);
    if (other.reason.empty()) other.reason = fmt::format("{} is never quantised", other.type);
    network.others.push_back({passes::LayerName(node), other.type, other.reason});
  });
  network.tensors = passes::ScanTensorNodes(model);
  return network;
}

namespace {

Status CheckFits(const quant::Record& record, const ir::Model& model) {
  if (record.entries.empty()) {
    return WithContext(InvalidInput("the record is empty"), ErrorContext::kHint,
                       "calibrate first: 'lathe calibrate' writes it");
  }
  LATHE_RETURN_IF_ERROR(
      quant::CheckRecord(record, DescribeRecordNetwork(model), {.for_deploy = true}));
  const bool idle = std::ranges::all_of(record.entries, [](const quant::RecordEntry& entry) {
    return quant::HasNoFactors(*entry.value);
  });
  if (!idle) return OkStatus();
  return WithContext(InvalidInput("the record has factors for no layer"), ErrorContext::kHint,
                     "calibrate first: 'lathe calibrate' writes them");
}

}  // namespace

StatusOr<SavedModels> LowerModel(std::unique_ptr<ir::Model> model, const quant::Record& record) {
  LATHE_RETURN_IF_ERROR(CheckFits(record, *model));
  return LowerCheckedModel(std::move(model), record, [](ir::Model&) { return OkStatus(); });
}

StatusOr<SavedModels> LowerCheckedModel(std::unique_ptr<ir::Model> model,
                                        const quant::Record& record,
                                        const std::function<Status(ir::Model&)>& edit) {
  quant::Record shared = record;
  passes::Resources resources;
  resources.Provide(&shared);
  const std::vector<std::string> calibrated = {std::string(passes::facts::kCalibrated)};
  LATHE_RETURN_IF_ERROR(
      RunPasses(*model, passes::kLoweringPipeline, resources, calibrated).status());
  LATHE_RETURN_IF_ERROR(edit(*model));
  // A model whose only layers are LSTM and GRU, or that has none, does not show it.
  const std::vector<std::string> lowered = {std::string(passes::facts::kAscendLowered),
                                            std::string(passes::facts::kQuantPointsMarked)};
  SavedModels saved;
  saved.deploy = model->Clone();
  LATHE_RETURN_IF_ERROR(
      RunPasses(*saved.deploy, passes::kDeployPipeline, resources, lowered).status());
  saved.fake_quant = std::move(model);
  // Weights are integers now: what was read of the float ones is not needed any more.
  EvictMappedPages();
  LATHE_RETURN_IF_ERROR(
      RunPasses(*saved.fake_quant, passes::kFakeQuantPipeline, resources, lowered).status());
  return saved;
}

StatusOr<std::unique_ptr<ir::Model>> LowerToQdq(std::unique_ptr<ir::Model> model,
                                                const quant::Record& record) {
  LATHE_RETURN_IF_ERROR(CheckFits(record, *model));
  // Scales along an axis came with operator set 13, 16-bit integers with 21.
  int64_t needed = 13;
  for (const quant::RecordEntry& entry : record.entries) {
    LATHE_ASSIGN_OR_RETURN(const quant::RecordBits bits, quant::ResolveRecordBits(*entry.value));
    if (bits.activation == 16) needed = 21;
  }
  if (model->OpsetVersion("") < needed) {
    // The converter need not know the reference's note; marking sets it anew.
    ir::Rewriter rewriter(*model);
    passes::VisitNodes(model->graph(),
                       [&](ir::Node& node) { rewriter.RemoveAttribute(node, "op_data_type"); });
    LATHE_ASSIGN_OR_RETURN(model, ConvertOpset(*model, needed));
  }
  quant::Record shared = record;
  passes::Resources resources;
  resources.Provide(&shared);
  LATHE_RETURN_IF_ERROR(
      RunPasses(*model, passes::kQdqPipeline, resources, {std::string(passes::facts::kCalibrated)})
          .status());
  return model;
}

}  // namespace lathe::flows
