// Reading a checkpoint that a test has in memory.
#pragma once

#include <gtest/gtest.h>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/tests/data/files.h"

namespace lathe::frontends {

inline StatusOr<Checkpoint> ReadBytes(const test::TemporaryFolder& folder, std::string_view bytes) {
  return ReadCheckpoint(folder.Write("checkpoint", bytes));
}

// The error without the file's name, which must be there.
inline std::string ErrorText(const test::TemporaryFolder& folder, const Status& status) {
  if (status.ok()) return "no error";
  const std::string text = FormatError(status), front = folder.File("checkpoint") + ": ";
  EXPECT_TRUE(text.starts_with(front)) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return text.substr(std::min(text.size(), front.size()));
}

inline std::string ReadError(const test::TemporaryFolder& folder, std::string_view bytes) {
  return ErrorText(folder, ReadBytes(folder, bytes).status());
}

// The tensor of the root with this name.
inline const ir::Tensor& TensorOf(const StateDict& dict, std::string_view name) {
  static const ir::Tensor kNone;
  for (const NamedTensor& tensor : dict.tensors) {
    if (tensor.name == name) return tensor.tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return kNone;
}

}  // namespace lathe::frontends
