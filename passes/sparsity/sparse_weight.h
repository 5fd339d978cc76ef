// Weights of which single values are zero: which layers have them, and how a mask stands to the
// weight that a graph holds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
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
// weight as [out, in], MatMul and Gemm without transB as [in, out]; and back. Error: another shape
// than the weight's.
StatusOr<std::vector<uint8_t>> MaskInGraph(const QuantLayer& layer,
                                           const quant::SelectiveMask& mask);
quant::SelectiveMask MaskInTorch(const QuantLayer& layer, std::vector<uint8_t> elements);

// The layers that the selective_prune entries of a record name, in its order. Errors, with the
// number of the prune_record: a layer that the model lacks or that cannot be sparse; an entry that
// cannot be read, or whose shape is not the weight's. An entry without elements gets the mask of
// the weight as it is, of M4N2.
struct SparseLayer {
  QuantLayer layer;
  quant::SelectiveMask mask;
  // The weight itself, whatever is put between it and the layer later.
  ir::Value* weight = nullptr;
  // The mask in the order of the weight that the graph holds.
  std::vector<uint8_t> elements;
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
// so that a later mask can bring values back. Error: a layer in a local function.
Status InsertMask(ir::Rewriter& rewriter, const SparseLayer& sparse);
// Takes these products out again, and returns their masks by layer. O(nodes). Errors: another tool
// has rewritten one; a mask that holds something else than 0 and 1.
using MasksByLayer = std::map<std::string, std::vector<uint8_t>, std::less<>>;
StatusOr<MasksByLayer> RemoveMasks(ir::Model& model);

// The elements of a mask that is a tensor of floats. Error: something else than 0 and 1.
StatusOr<std::vector<uint8_t>> MaskElements(const std::vector<float>& values);

}  // namespace lathe::passes
