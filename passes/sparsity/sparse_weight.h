// Weights of which single values are zero: which layers have them, and how a mask stands to the
// weight that a graph holds.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/prune_config.h"
#include "lathe/quant/config/prune_record.h"
#include "lathe/quant/n_m_mask.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// The weight read along its input channels (of each group).
quant::AxisLayout InputAxis(const QuantLayer& layer);

// The mask that training begins with: that of the weight as it is (the reference's 8.6). Error: the
// weight's file was shortened.
StatusOr<quant::SelectiveMask> MakeSelectiveMask(const QuantLayer& layer,
                                                 const quant::SelectivePruneConfig& config);

// The elements of a mask in the order of the weight that the graph holds: PyTorch has a Linear's
// weight as [out, in], MatMul and most Gemm as [in, out]. Errors: another shape than the weight's;
// no elements.
StatusOr<std::vector<uint8_t>> MaskInGraph(const QuantLayer& layer,
                                           const quant::SelectiveMask& mask);
// The shape that PyTorch has for the weight.
std::vector<int64_t> TorchShape(const QuantLayer& layer);

// The layers that the selective_prune entries of a record name, in its order. Errors, with the
// number of the prune_record: a layer that the model lacks or that cannot be sparse; an entry that
// cannot be read.
struct SparseLayer {
  QuantLayer layer;
  quant::SelectiveMask mask;
};
StatusOr<std::vector<SparseLayer>> FindSparseLayers(const ir::Model& model,
                                                    const quant::Record& record);

// Replaces the weight by weight * mask; of an all-ones mask nothing changes. Returns whether it
// did.
StatusOr<bool> MaskWeight(ir::Rewriter& rewriter, const SparseLayer& sparse);

// What the product that InsertMask makes, and its constant, are called: `<layer>` and these.
inline constexpr std::string_view kMaskedWeight = ".wts_prune";
inline constexpr std::string_view kMask = ".wts_mask";

// For training: every user of the weight gets Mul(weight, mask) instead; the weight itself stays,
// so that a later mask can bring values back. Error: as MaskInGraph; a layer in a local function.
Status InsertMask(ir::Rewriter& rewriter, const SparseLayer& sparse);
// Takes these products out again. Returns the number of them. O(nodes).
StatusOr<int64_t> RemoveMasks(ir::Model& model);

}  // namespace lathe::passes
