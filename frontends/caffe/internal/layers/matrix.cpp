// Layers that look rows up or multiply bottoms: Embed, BatchMatMul.
#include <algorithm>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

// Of a bottom, its last two axes swapped if `swap`.
ir::Value* Operand(LayerBuilder& builder, size_t i, bool swap, Dims& dims) {
  dims = builder.bottom(i).dims;
  if (!swap) return builder.bottom(i).value;
  std::vector<int64_t> order(dims.size());
  for (size_t k = 0; k < order.size(); ++k) order[k] = static_cast<int64_t>(k);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  return builder.Add(fmt::format("transpose{}", i),
                     {"Transpose", {builder.bottom(i).value}, {{"perm", std::move(order)}}});
}

}  // namespace

// Each value of the bottom is the number of a row.
Status Embed(LayerBuilder& builder) {
  const proto::EmbedParameter& param = builder.param().embed_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const int64_t outputs = param.num_output();
  const int64_t rows = param.input_dim();
  if (outputs < 1 || rows < 1) {
    return InvalidInput("num_output is {}, input_dim {}", outputs, rows);
  }
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(param.bias_term() ? 2 : 1));
  LATHE_ASSIGN_OR_RETURN(ir::Value * weight, builder.Weight(0, {rows, outputs}, "weight"));
  const auto type = static_cast<int64_t>(ir::ElementType::kInt64);
  ir::Value* numbers = builder.Add("cast", {"Cast", {builder.x()}, {{"to", type}}});
  Dims dims = builder.dims();
  dims.push_back(outputs);
  Op gather{"Gather", {weight, numbers}, {{"axis", int64_t{0}}}};
  if (!param.bias_term()) return builder.Finish(std::move(gather), dims);
  LATHE_ASSIGN_OR_RETURN(ir::Value * bias, builder.Weight(1, {outputs}, "bias"));
  ir::Value* gathered = builder.Add("gather", std::move(gather));
  return builder.Finish({"Add", {gathered, bias}}, dims);
}

Status BatchMatMul(LayerBuilder& builder) {
  const proto::BatchMatMulParameter& param = builder.param().batch_matmul_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(2));
  const size_t rank = builder.dims().size();
  if (rank < 2 || builder.bottom(1).dims.size() != rank) {
    return InvalidInput("bottoms {} and {} are no two lists of matrices", DimsText(builder.dims()),
                        DimsText(builder.bottom(1).dims));
  }
  Dims first;
  Dims second;
  ir::Value* a = Operand(builder, 0, param.adj_x1(), first);
  ir::Value* b = Operand(builder, 1, param.adj_x2(), second);
  const auto lists = static_cast<std::ptrdiff_t>(rank - 2);
  if (first[rank - 1] != second[rank - 2] ||
      !std::equal(first.begin(), first.begin() + lists, second.begin())) {
    return InvalidInput("matrices {} and {} cannot be multiplied", DimsText(first),
                        DimsText(second));
  }
  first[rank - 1] = second[rank - 1];
  return builder.Finish({"MatMul", {a, b}}, first);
}

}  // namespace lathe::frontends::caffe
