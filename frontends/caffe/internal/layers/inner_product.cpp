#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {

Status InnerProduct(LayerBuilder& builder) {
  const proto::InnerProductParameter& param = builder.param().inner_product_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(param.axis()));
  const auto first = static_cast<size_t>(axis);
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, first));
  const int64_t length = CountOf(builder.dims(), first, builder.dims().size());
  const int64_t outputs = param.num_output();
  if (outputs < 1) return InvalidInput("num_output is {}", outputs);

  ir::Value* x = builder.x();
  if (builder.rank() != 2 || axis != 1) {
    x = builder.Add("flatten", {"Flatten", {x}, {{"axis", axis}}});
  }
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(param.bias_term() ? 2 : 1));
  const Dims shape = param.transpose() ? Dims{length, outputs} : Dims{outputs, length};
  Op gemm{"Gemm", {x}, {{"transB", int64_t{param.transpose() ? 0 : 1}}}};
  LATHE_ASSIGN_OR_RETURN(gemm.inputs.emplace_back(), builder.Weight(0, shape, "weight"));
  if (param.bias_term()) {
    LATHE_ASSIGN_OR_RETURN(gemm.inputs.emplace_back(), builder.Weight(1, {outputs}, "bias"));
  }
  Dims dims(builder.dims().begin(), builder.dims().begin() + axis);
  dims.push_back(outputs);
  if (axis == 1) return builder.Finish(std::move(gemm), dims);
  // Back from rows: -1 stands for the one extent that is free.
  ir::Value* rows = builder.Add("", std::move(gemm));
  return builder.Finish({"Reshape", {rows, builder.Ints("shape", dims)}}, dims, "reshape");
}

}  // namespace lathe::frontends::caffe
