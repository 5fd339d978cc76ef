// Whether a record fits a network (the reference's 2.6). Errors name the layer, the field, its
// value and what is allowed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::quant {

enum class RecordKind { kConv, kConvTranspose, kGemm, kMatMul, kAveragePool, kLstm, kGru };

// What a record says about one layer depends on these facts of it.
struct RecordLayer {
  std::string name;
  RecordKind kind = RecordKind::kConv;
  // Conv: dims[0] of the weight; ConvTranspose: dims[1] * group; LSTM, GRU: dims[0] * dims[1] of W;
  // Gemm, MatMul: the columns of the result. AveragePool: not used.
  int64_t cout = 1;
  // Conv: dims[1] * group; ConvTranspose, MatMul: dims[0]; Gemm: dims[0], or dims[1] when transB
  // is 1. Else not used.
  int64_t cin = 1;
  // LSTM, GRU: dims[0] of W.
  int64_t directions = 1;
};

// All nodes a record can name, in any order.
struct RecordNetwork {
  std::vector<RecordLayer> layers;
  std::vector<OtherNode> others;
  std::vector<TensorNode> tensors;
};

struct RecordCheckOptions {
  // The deployed LSTM and GRU need act_type, INT8 or INT16.
  bool for_deploy = false;
  // A Gemm or MatMul may have a scale a column: the reference quantises none so, but what it makes
  // of them, one word a channel (the ONNX flavour's reference, 6.2), holds for matrices, too.
  bool scale_a_column = false;
};

// One layer. Values without factors are fine, but for balance factors that do not fit.
Status CheckLayerRecord(const LayerRecord& record, const RecordLayer& layer,
                        const RecordCheckOptions& options = {});

// Every entry, in the order of the file: has a key and a value, names a layer that can be
// quantised (or, with is_tensor_quantize, an input), once, and passes CheckLayerRecord
// (CheckTensorRecord). Prune records are not looked at. An empty record is
// fine: whether that is an error depends on what it is for.
Status CheckRecord(const Record& record, const RecordNetwork& network,
                   const RecordCheckOptions& options = {});

}  // namespace lathe::quant
