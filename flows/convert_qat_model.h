// From a QDQ model, whatever made it, to what the accelerator runs: the ONNX flavour's
// convert_qat_model.
#pragma once

#include <string>
#include <vector>

#include "lathe/flows/save_model.h"
#include "lathe/passes/quant/absorb_qdq.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct ConvertedModel {
  SavedModels models;
  // The factors of the layers that are computed in integers.
  quant::Record record;
  passes::QdqReport report;
  std::vector<std::string> notes;
};

// Layers with quantised operands become integer layers, other pairs AscendQuant and
// AscendAntiQuant; what Ascend's operators cannot say stays as it is, and the report says why.
// Errors: no QDQ model; nothing of it can be converted; a bias that leaves int32; the loading's.
StatusOr<ConvertedModel> ConvertQatModel(const std::string& path);

}  // namespace lathe::flows
