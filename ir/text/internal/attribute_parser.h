// Attributes but those that hold graphs.
#pragma once

#include "lathe/ir/attribute.h"
#include "lathe/ir/text/internal/tensor_parser.h"

namespace lathe::ir::text {

class AttributeParser : public TensorParser {
 public:
  using TensorParser::TensorParser;

 protected:
  // What stands before "=".
  StatusOr<Attribute> ParseAttributeHead();
  StatusOr<AttributeValue> ParsePlainValue();
  // Behind "ref".
  Status ParseReference(Attribute* attribute);

 private:
  StatusOr<AttributeValue> ParseBareList();
  StatusOr<AttributeValue> ParseTypedList(std::string_view kind);
};

}  // namespace lathe::ir::text
