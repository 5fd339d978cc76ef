// The extension module lathe._core. The package lathe shows what it has; decisions are the flows'.
#include <nanobind/nanobind.h>

#include "lathe/bindings/python/src/batches.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/bindings/python/src/name_layers.h"
#include "lathe/bindings/python/src/passes.h"
#include "lathe/bindings/python/src/ptq.h"
#include "lathe/bindings/python/src/record.h"
#include "lathe/bindings/python/src/retrain.h"
#include "lathe/bindings/python/src/run.h"

NB_MODULE(_core, module) {
  namespace python = lathe::python;
  module.attr("_version") = LATHE_VERSION;
  python::TranslateErrors();
  python::AddModel(module);
  python::AddNameLayers(module);
  python::AddPasses(module);
  python::AddImages(module);
  python::AddRun(module);
  python::AddRecord(module);
  python::AddPtq(module);
  python::AddQuantize(module);
  python::AddWeightCalibration(module);
  python::AddAutoCalibrate(module);
  python::AddRetrainPlan(module);
  python::AddRetrain(module);
  python::AddReadState(module);
}
