#include "lathe/passes/pipelines/all_passes.h"

#include "lathe/passes/canonical/convert_batch_norm.h"
#include "lathe/passes/canonical/convert_matmul_add.h"
#include "lathe/passes/canonical/eliminate_common_subexpressions.h"
#include "lathe/passes/canonical/eliminate_dead_nodes.h"
#include "lathe/passes/canonical/eliminate_identity.h"
#include "lathe/passes/canonical/eliminate_no_ops.h"
#include "lathe/passes/canonical/eliminate_nop_arithmetic.h"
#include "lathe/passes/canonical/eliminate_nop_cast.h"
#include "lathe/passes/canonical/eliminate_nop_clip.h"
#include "lathe/passes/canonical/eliminate_nop_concat.h"
#include "lathe/passes/canonical/eliminate_nop_expand.h"
#include "lathe/passes/canonical/eliminate_nop_gather.h"
#include "lathe/passes/canonical/eliminate_nop_logic.h"
#include "lathe/passes/canonical/eliminate_nop_pad.h"
#include "lathe/passes/canonical/eliminate_nop_pool.h"
#include "lathe/passes/canonical/eliminate_nop_reduce.h"
#include "lathe/passes/canonical/eliminate_nop_repetition.h"
#include "lathe/passes/canonical/eliminate_nop_reshape.h"
#include "lathe/passes/canonical/eliminate_nop_resize.h"
#include "lathe/passes/canonical/eliminate_nop_sequence.h"
#include "lathe/passes/canonical/eliminate_nop_slice.h"
#include "lathe/passes/canonical/eliminate_nop_transpose.h"
#include "lathe/passes/canonical/eliminate_nop_variadic.h"
#include "lathe/passes/canonical/eliminate_zero_additions.h"
#include "lathe/passes/canonical/fold_constants.h"
#include "lathe/passes/canonical/fold_shapes.h"
#include "lathe/passes/canonical/fold_weights.h"
#include "lathe/passes/canonical/freeze_inputs.h"
#include "lathe/passes/canonical/infer_shapes.h"
#include "lathe/passes/canonical/inline_functions.h"
#include "lathe/passes/canonical/inline_if.h"
#include "lathe/passes/canonical/inline_loop.h"
#include "lathe/passes/canonical/merge_casts.h"
#include "lathe/passes/canonical/merge_concats.h"
#include "lathe/passes/canonical/merge_pads.h"
#include "lathe/passes/canonical/merge_reduces.h"
#include "lathe/passes/canonical/merge_reshapes.h"
#include "lathe/passes/canonical/merge_slices.h"
#include "lathe/passes/canonical/merge_squeezes.h"
#include "lathe/passes/canonical/merge_transposes.h"
#include "lathe/passes/canonical/name_nodes.h"
#include "lathe/passes/fusion/fuse_affine_after.h"
#include "lathe/passes/fusion/fuse_affine_before.h"
#include "lathe/passes/fusion/fuse_conv_bn.h"
#include "lathe/passes/fusion/fuse_pad.h"
#include "lathe/passes/lowering/insert_ascend_dequant.h"
#include "lathe/passes/lowering/insert_ascend_quant.h"
#include "lathe/passes/lowering/insert_balance.h"
#include "lathe/passes/lowering/insert_tensor_quant.h"
#include "lathe/passes/lowering/lower_recurrent.h"
#include "lathe/passes/lowering/lower_to_deploy.h"
#include "lathe/passes/lowering/lower_to_fake_quant.h"
#include "lathe/passes/lowering/lower_to_qdq.h"
#include "lathe/passes/lowering/quantize_bias.h"
#include "lathe/passes/lowering/quantize_weights.h"
#include "lathe/passes/lowering/share_ascend_quant.h"
#include "lathe/passes/lowering/simulate_recurrent.h"
#include "lathe/passes/lowering/transpose_gemm_weight.h"
#include "lathe/passes/pipelines/canonicalize.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/pipelines/sparsity.h"
#include "lathe/passes/quant/balance_weights.h"
#include "lathe/passes/quant/fake_quantize_weights.h"
#include "lathe/passes/quant/fold_quantizers.h"
#include "lathe/passes/quant/insert_calibration.h"
#include "lathe/passes/quant/mark_quant_points.h"
#include "lathe/passes/quant/normalize_gemm.h"
#include "lathe/passes/sparsity/check_n_m.h"
#include "lathe/passes/sparsity/mask_weights.h"
#include "lathe/passes/sparsity/prune_channels.h"

namespace lathe::passes {

Status RegisterAllPasses(PassRegistry& registry) {
  for (const PassDescriptor* pass : {
           &BalanceWeightsPass(),
           &CheckNmPass(),
           &ConvertBatchNormPass(),
           &ConvertMatMulAddPass(),
           &EliminateCommonSubexpressionsPass(),
           &EliminateDeadNodesPass(),
           &EliminateIdentityPass(),
           &EliminateNoOpsPass(),
           &EliminateNopArithmeticPass(),
           &EliminateNopCastPass(),
           &EliminateNopClipPass(),
           &EliminateNopConcatPass(),
           &EliminateNopExpandPass(),
           &EliminateNopGatherPass(),
           &EliminateNopLogicPass(),
           &EliminateNopPadPass(),
           &EliminateNopPoolPass(),
           &EliminateNopReducePass(),
           &EliminateNopRepetitionPass(),
           &EliminateNopReshapePass(),
           &EliminateNopResizePass(),
           &EliminateNopSequencePass(),
           &EliminateNopSlicePass(),
           &EliminateNopTransposePass(),
           &EliminateNopVariadicPass(),
           &EliminateZeroAdditionsPass(),
           &FakeQuantizeWeightsPass(),
           &FoldConstantsPass(),
           &FoldQuantizersPass(),
           &FoldShapesPass(),
           &FoldWeightsPass(),
           &FreezeInputsPass(),
           &FuseAffineAfterPass(),
           &FuseAffineBeforePass(),
           &FuseConvBnPass(),
           &FusePadPass(),
           &InferShapesPass(),
           &InlineFunctionsPass(),
           &InlineIfPass(),
           &InlineLoopPass(),
           &InsertAscendDequantPass(),
           &InsertAscendQuantPass(),
           &InsertBalancePass(),
           &InsertCalibrationPass(),
           &InsertTensorQuantPass(),
           &LowerRecurrentPass(),
           &LowerToDeployPass(),
           &LowerToFakeQuantPass(),
           &LowerToQdqPass(),
           &MarkQuantPointsPass(),
           &MaskWeightsPass(),
           &MergeCastsPass(),
           &MergeConcatsPass(),
           &MergePadsPass(),
           &MergeReducesPass(),
           &MergeReshapesPass(),
           &MergeSlicesPass(),
           &MergeSqueezesPass(),
           &MergeTransposesPass(),
           &NameNodesPass(),
           &NormalizeGemmPass(),
           &PruneChannelsPass(),
           &QuantizeBiasPass(),
           &QuantizeWeightsPass(),
           &ShareAscendQuantPass(),
           &SimulateRecurrentPass(),
           &TransposeGemmWeightPass(),
       }) {
    LATHE_RETURN_IF_ERROR(registry.Add(*pass));
  }
  // One that names another comes after it.
  for (const PipelineDescriptor* pipeline : {
           &CanonicalizePipelineDescriptor(),
           &PreparePipelineDescriptor(),
           &SparsityPipelineDescriptor(),
       }) {
    LATHE_RETURN_IF_ERROR(registry.AddPipeline(*pipeline));
  }
  return OkStatus();
}

}  // namespace lathe::passes
