#include "lathe/flows/spill_weights.h"

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/mapped_file.h"

namespace lathe::flows {
namespace {

// Below this a weight is not worth a place in the file.
constexpr size_t kLarge = size_t{1} << 20;

struct Weight {
  ir::Use* use = nullptr;
  ir::Tensor tensor;
  uint64_t offset = 0;
};

std::vector<Weight> LargeWeights(const ir::Model& model) {
  std::vector<Weight> weights;
  for (const passes::QuantLayer& layer : passes::ScanLayers(model).layers) {
    for (ir::Use* use : {layer.weight, layer.recurrence}) {
      if (use == nullptr || use->value() == nullptr) continue;
      ir::Tensor tensor = use->value()->ConstantTensor();
      if (tensor && tensor.byte_size() >= kLarge) weights.push_back({use, std::move(tensor)});
    }
  }
  return weights;
}

}  // namespace

Status SpillWeights(ir::Model& model) {
  std::vector<Weight> weights = LargeWeights(model);
  if (weights.empty()) return OkStatus();
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  if (error) return IoError("folder for temporary files: {}", error.message());
  // Never committed: the name goes with the set, the contents with the mapping.
  AtomicFileSet files;
  const std::string path = (folder / "lathe-weights").string();
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File* const file, files.Add(path));
  for (Weight& weight : weights) {
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, weight.tensor.Read());
    weight.offset = file->size();
    LATHE_RETURN_IF_ERROR(file->Append(bytes.bytes()));
  }
  LATHE_ASSIGN_OR_RETURN(const auto staged, files.Staged(path));
  LATHE_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> mapped, MappedFile::Open(*staged));
  ir::Rewriter rewriter(model);
  for (const Weight& weight : weights) {
    const ir::Tensor& old = weight.tensor;
    LATHE_ASSIGN_OR_RETURN(
        ir::Tensor tensor,
        ir::Tensor::FromFile(old.element_type(), {old.dims().begin(), old.dims().end()}, mapped,
                             weight.offset, old.notes()));
    passes::SetConstantInput(rewriter, *weight.use->user(), weight.use->index(), std::move(tensor));
  }
  return OkStatus();
}

}  // namespace lathe::flows
