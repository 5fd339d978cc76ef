// KV-cache calibration: scales and offsets for what the layers that compute keys and values leave
// in a cache (the reference's 4.5 and 7.9).
#pragma once

#include "lathe/eval/engine.h"
#include "lathe/flows/calibration.h"
#include "lathe/quant/config/kv_config.h"

namespace lathe::flows {

// A record with one kv_cache_value for each layer of `config`, in its order. The layers are Linear
// ones (Gemm, MatMul with a constant weight) outside of If, Loop and Scan; a MatMul's output is
// taken behind its bias. `model` is a loaded float model (load_model.h) and is run as it is.
// Errors: what CheckKvConfig finds; a layer that is not in the model or not Linear; fewer batches
// than batch_num; values that are not finite.
StatusOr<quant::Record> CalibrateKvCache(const ir::Model& model, const quant::KvConfig& config,
                                         eval::Engine& engine, const frontends::BatchSource& data,
                                         const RunControl& control);

}  // namespace lathe::flows
