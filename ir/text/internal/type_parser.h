// Types, and the small notes that many things carry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/ir/text/internal/token_reader.h"

namespace lathe::ir::text {

// Graphs in graphs and types in types.
inline constexpr int kMaxNesting = 100;

using Metadata = std::vector<std::pair<std::string, std::string>>;

class TypeParser : public TokenReader {
 public:
  using TokenReader::TokenReader;

 protected:
  StatusOr<const Type*> ParseType(int depth = 0);
  StatusOr<Dim> ParseDim();
  StatusOr<Metadata> ParseMetadata();
  StatusOr<uint8_t> ParseSpelling();
  // Whether there were any.
  StatusOr<bool> ParseValueNotes(ValueNotes* notes);

  std::unique_ptr<Model> model_ = std::make_unique<Model>();
};

}  // namespace lathe::ir::text
