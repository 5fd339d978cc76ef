// TensorProto and SparseTensorProto.
#pragma once

#include <memory>
#include <string_view>

#include "lathe/frontends/onnx/internal/external_files.h"
#include "lathe/frontends/onnx/internal/type_reader.h"
#include "lathe/ir/tensor.h"

namespace lathe::frontends {

// What a model's message lies in: a mapped file or memory.
struct MessageSource {
  std::shared_ptr<const MappedFile> file;
  std::shared_ptr<const void> owner;
  Message bytes;
};

class TensorReader {
 public:
  TensorReader(MessageSource source, ExternalFiles* external)
      : source_(std::move(source)), external_(external) {}

  // With its name in the notes. Payloads stay where they are, except those of string_data,
  // int32_data, int64_data and uint64_data, which are decoded.
  StatusOr<ir::Tensor> Read(Message message) const;
  StatusOr<ir::SparseTensor> ReadSparse(Message message) const;

 private:
  struct Proto;
  static Status Collect(Message message, Proto* proto);
  StatusOr<ir::Tensor> Build(Message message, Proto proto) const;
  StatusOr<ir::Tensor> FromRange(Proto proto, Message payload) const;
  StatusOr<ir::Tensor> FromExternal(Proto proto) const;

  MessageSource source_;
  ExternalFiles* external_;
};

}  // namespace lathe::frontends
