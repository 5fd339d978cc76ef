#include "lathe/bindings/python/src/retrain.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/bindings/python/src/arrays.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/record.h"
#include "lathe/flows/output_paths.h"
#include "lathe/flows/run_passes.h"
#include "lathe/flows/save_model.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/quant/ifmr.h"
#include "lathe/quant/retrain.h"
#include "lathe/support/atomic_file.h"

namespace lathe::python {
namespace {

// Where training with that many bits starts to clip what it has seen: IFMR without an offset (the
// reference's 7.7). The upper and the lower end.
std::pair<float, float> FindClips(const std::vector<nb::object>& batches, int bits) {
  std::vector<ir::Tensor> tensors;
  uint64_t count = 0;
  for (const nb::object& batch : batches) {
    tensors.push_back(ToTensor(batch));
    count += static_cast<uint64_t>(tensors.back().num_elements());
  }
  return Call().Run([&]() -> StatusOr<std::pair<float, float>> {
    LATHE_ASSIGN_OR_RETURN(
        const auto observer,
        quant::IfmrObserver::Create({.num_bits = bits, .asymmetric = false}, count));
    quant::IfmrScratch scratch;
    bool decided = false;
    while (!decided) {
      for (const ir::Tensor& tensor : tensors) {
        LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
        LATHE_RETURN_IF_ERROR(observer->Observe(values, scratch));
      }
      LATHE_ASSIGN_OR_RETURN(decided, observer->FinishPass());
    }
    return std::pair(observer->result().clip_max, observer->result().clip_min);
  });
}

// What an evaluation saw of a layer.
struct Evaluated {
  std::string layer;
  quant::Clips clips;
  int activation_bits = 8;
  int weight_bits = 8;
  std::vector<float> weight_scales;
  // Of the BatchNormalization behind it; empty when there is none.
  std::vector<float> gamma;
  std::vector<float> variance;
  float epsilon = 1e-5f;
};

StatusOr<quant::LayerRecord> MakeEntry(const Evaluated& layer) {
  quant::LayerRecord entry;
  LATHE_ASSIGN_OR_RETURN(const quant::AffineParams params,
                         quant::UlqParams(layer.clips, layer.activation_bits));
  entry.scale_d = params.scale;
  entry.offset_d = params.offset;
  const quant::BatchNorm norm{layer.gamma, layer.variance, layer.epsilon};
  LATHE_ASSIGN_OR_RETURN(
      entry.scale_w,
      quant::RecordedWeightScales(layer.weight_scales, layer.variance.empty() ? nullptr : &norm));
  entry.offset_w.assign(entry.scale_w.size(), 0);
  entry.act_type = fmt::format("INT{}", layer.activation_bits);
  entry.wts_type = fmt::format("INT{}", layer.weight_bits);
  return entry;
}

Record MakeRecord(const std::vector<Evaluated>& layers) {
  Record record;
  for (const Evaluated& layer : layers) {
    auto entry = MakeEntry(layer);
    if (!entry.ok()) Check(WithContext(entry.status(), ErrorContext::kNode, layer.layer));
    record.record.entries.push_back({layer.layer, *std::move(entry), std::nullopt});
  }
  return record;
}

std::vector<std::string> SaveRetrained(nb::handle model, nb::handle record,
                                       const std::string& output,
                                       const std::vector<std::string>& unfolded) {
  const ModelArgument argument(model);
  const Record factors = RecordArgument(record);
  return Call().Run([&]() -> StatusOr<std::vector<std::string>> {
    LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, argument.LoadFloat());
    const std::string fusion = passes::FusionPipeline(/*do_fusion=*/true, unfolded);
    LATHE_RETURN_IF_ERROR(flows::RunPasses(*loaded.model, fusion).status());
    const auto saved = flows::LowerModel(std::move(loaded.model), factors.record);
    if (!saved.ok()) return WithContext(saved.status(), ErrorContext::kFile, factors.path);
    LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(output));
    AtomicFileSet files;
    LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved->deploy, paths.deploy, &files));
    LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved->fake_quant, paths.fake_quant, &files));
    LATHE_RETURN_IF_ERROR(files.Commit());
    return std::vector<std::string>{paths.deploy, paths.fake_quant};
  });
}

void AddEvaluated(nb::module_& module) {
  nb::class_<Evaluated>(module, "_Evaluated", "What an evaluation saw of a trained layer.")
      .def(
          "__init__",
          [](Evaluated* self, std::string layer, std::pair<float, float> clips,
             std::pair<int, int> bits, std::vector<float> weight_scales) {
            new (self) Evaluated{.layer = std::move(layer),
                                 .clips = {clips.first, clips.second},
                                 .activation_bits = bits.first,
                                 .weight_bits = bits.second,
                                 .weight_scales = std::move(weight_scales),
                                 .gamma = {},
                                 .variance = {}};
          },
          nb::arg("layer"), nb::arg("clips"), nb::arg("bits"), nb::arg("weight_scales"))
      .def(
          "fold",
          [](Evaluated& self, std::vector<float> gamma, std::vector<float> variance,
             float epsilon) {
            self.gamma = std::move(gamma);
            self.variance = std::move(variance);
            self.epsilon = epsilon;
          },
          nb::arg("gamma"), nb::arg("variance"), nb::arg("epsilon"),
          "The BatchNormalization behind the layer.");
}

}  // namespace

void AddRetrain(nb::module_& module) {
  AddEvaluated(module);
  module.def("_find_clips", &FindClips, nb::arg("batches"), nb::arg("bits"),
             nb::sig("def _find_clips(batches: collections.abc.Sequence[numpy.typing.NDArray"
                     "[typing.Any]], bits: int) -> tuple[float, float]"),
             "Where training starts to clip such values: above and below.");
  module.def("_retrain_record", &MakeRecord, nb::arg("layers"), "The factors of trained layers.");
  module.def("_save_retrained", &SaveRetrained, nb::arg("model"), nb::arg("record"),
             nb::arg("output"), nb::arg("unfolded"),
             nb::sig("def _save_retrained(model: lathe._types.ModelLike, record: "
                     "lathe._types.RecordLike, output: str, unfolded: "
                     "collections.abc.Sequence[str]) -> list[str]"),
             "Folds BatchNormalization but behind `unfolded`, and writes both models.");
}

}  // namespace lathe::python
