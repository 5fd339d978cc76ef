// Tensors: their elements stand in the text, among its blobs or in a file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/ir/tensor.h"
#include "lathe/ir/text/internal/type_parser.h"
#include "lathe/ir/text/parse.h"

namespace lathe::ir::text {

class TensorParser : public TypeParser {
 public:
  TensorParser(std::string_view text, const ParseOptions& options)
      : TypeParser(text), options_(options) {}

 protected:
  // No tensor for "none".
  StatusOr<Tensor> ParseTensor();
  StatusOr<SparseTensor> ParseSparse();

  const ParseOptions& options_;
  std::vector<std::shared_ptr<const std::string>> blobs_;

 private:
  StatusOr<Tensor> ParseElements(ElementType type, std::vector<int64_t> dims);
  template <typename T>
  StatusOr<Tensor> ParseNumbers(ElementType type, std::vector<int64_t> dims);
  StatusOr<TensorNotes> ParseTensorNotes();
};

}  // namespace lathe::ir::text
