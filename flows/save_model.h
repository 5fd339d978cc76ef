// From a calibrated model and its record to the two models that are emitted.
#pragma once

#include <functional>
#include <memory>

#include "lathe/ir/model.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/config/record_check.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct SavedModels {
  std::unique_ptr<ir::Model> deploy;
  std::unique_ptr<ir::Model> fake_quant;
};

// Every node of the model that a record may name (node-level rules: unlike configuration, not
// whether weights are shared). O(nodes).
quant::RecordNetwork DescribeRecordNetwork(const ir::Model& model);

// Checks the record against the model (the reference's 2.6) and lowers. `model` is a fused float
// model, as calibration leaves it or as `modified.onnx` holds it; it is used up. Errors: an empty
// record; a record that does not fit; a bias that leaves int32.
StatusOr<SavedModels> LowerModel(std::unique_ptr<ir::Model> model, const quant::Record& record);

// Lowers as LowerModel does, without its checks: the record was made for this model, and may be
// empty. `edit` is called with the lowered graph before the two models part.
StatusOr<SavedModels> LowerCheckedModel(std::unique_ptr<ir::Model> model,
                                        const quant::Record& record,
                                        const std::function<Status(ir::Model&)>& edit);

// The same factors as a model in ONNX's own operators (QuantizeLinear, DequantizeLinear), lifted to
// operator set 13, or 21 where activations have 16 bits. Errors as above; 4-bit activations; an
// operator that the conversion of the operator set cannot express.
StatusOr<std::unique_ptr<ir::Model>> LowerToQdq(std::unique_ptr<ir::Model> model,
                                                const quant::Record& record);

}  // namespace lathe::flows
