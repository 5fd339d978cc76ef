#include "lathe/frontends/onnx/internal/type_reader.h"

#include "lathe/frontends/onnx/import.h"
#include "lathe/support/onnx_fields.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends {
namespace {

namespace fields = onnx_fields;

Status ReadElementType(const WireField& field, std::string_view name, ir::ElementType* type) {
  int64_t number = 0;
  LATHE_RETURN_IF_ERROR(ReadInt(field, name, &number));
  const auto known = ir::ElementTypeFromOnnx(number);
  if (!known) return InvalidInput("ONNX has no element type {}", number);
  *type = *known;
  return OkStatus();
}

StatusOr<ir::Dim> ReadDim(Message message) {
  ir::Dim dim;
  std::string_view denotation;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == fields::shape::kDimValue) {
      int64_t extent = 0;
      LATHE_RETURN_IF_ERROR(ReadInt(field, "dim_value", &extent));
      if (extent < -1) return InvalidInput("extent {} is negative", extent);
      dim = extent == -1 ? ir::Dim() : ir::Dim::Known(extent);
    } else if (field.number == fields::shape::kDimParam) {
      std::string_view symbol;
      LATHE_RETURN_IF_ERROR(ReadText(field, "dim_param", &symbol));
      dim = symbol.empty() ? ir::Dim() : ir::Dim::Symbol(std::string(symbol));
    } else if (field.number == fields::shape::kDimDenotation) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "denotation", &denotation));
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  dim.set_denotation(std::string(denotation));
  return dim;
}

StatusOr<ir::Shape> ReadShape(Message message) {
  ir::Shape shape;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number != fields::shape::kDim) continue;
    Message part;
    LATHE_RETURN_IF_ERROR(ReadMessage(field, "dim", &part));
    LATHE_ASSIGN_OR_RETURN(ir::Dim dim, ReadDim(part));
    shape.push_back(std::move(dim));
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  return shape;
}

// TypeProto.Tensor and TypeProto.SparseTensor.
Status ReadTensorType(Message message, ir::Type* type) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == fields::type::kElemType) {
      LATHE_RETURN_IF_ERROR(ReadElementType(field, "elem_type", &type->element));
    } else if (field.number == fields::type::kShape) {
      Message part;
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "shape", &part));
      LATHE_ASSIGN_OR_RETURN(type->shape, ReadShape(part));
    }
  }
  return reader.status();
}

// TypeProto.Sequence and TypeProto.Optional (`nested_field` 1, no key) and TypeProto.Map.
Status ReadContainerType(ir::Model& model, Message message, bool is_map, int depth,
                         ir::Type* type) {
  const uint32_t nested = is_map ? fields::type::kMapValue : fields::type::kNested;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == nested) {
      Message part;
      LATHE_RETURN_IF_ERROR(ReadMessage(field, is_map ? "value_type" : "elem_type", &part));
      LATHE_ASSIGN_OR_RETURN(type->nested, ReadType(model, part, depth + 1));
    } else if (is_map && field.number == fields::type::kMapKey) {
      LATHE_RETURN_IF_ERROR(ReadElementType(field, "key_type", &type->element));
    }
  }
  return reader.status();
}

Status ReadOpaqueType(Message message, ir::Type* type) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    std::string_view text;
    if (field.number == fields::type::kOpaqueDomain) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "domain", &text));
      type->opaque_domain = text;
    } else if (field.number == fields::type::kOpaqueName) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "name", &text));
      type->opaque_name = text;
    }
  }
  return reader.status();
}

std::optional<ir::Type::Kind> KindOf(uint32_t field) {
  switch (field) {
    case fields::type::kTensor:
      return ir::Type::Kind::kTensor;
    case fields::type::kSparseTensor:
      return ir::Type::Kind::kSparseTensor;
    case fields::type::kSequence:
      return ir::Type::Kind::kSequence;
    case fields::type::kOptional:
      return ir::Type::Kind::kOptional;
    case fields::type::kMap:
      return ir::Type::Kind::kMap;
    case fields::type::kOpaque:
      return ir::Type::Kind::kOpaque;
    default:
      return std::nullopt;
  }
}

}  // namespace

StatusOr<const ir::Type*> ReadType(ir::Model& model, Message message, int depth) {
  if (depth >= kMaxNesting) {
    return InvalidInput("types are nested more than {} deep", kMaxNesting);
  }
  ir::Type type;
  std::string_view denotation;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == fields::type::kDenotation) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "denotation", &denotation));
      continue;
    }
    const auto kind = KindOf(field.number);
    if (!kind) continue;
    Message part;
    LATHE_RETURN_IF_ERROR(ReadMessage(field, "type", &part));
    if (type.kind != ir::Type::Kind::kUnknown) return InvalidInput("type states two kinds");
    type.kind = *kind;
    switch (*kind) {
      case ir::Type::Kind::kTensor:
      case ir::Type::Kind::kSparseTensor:
        LATHE_RETURN_IF_ERROR(ReadTensorType(part, &type));
        break;
      case ir::Type::Kind::kOpaque:
        LATHE_RETURN_IF_ERROR(ReadOpaqueType(part, &type));
        break;
      default:
        LATHE_RETURN_IF_ERROR(
            ReadContainerType(model, part, *kind == ir::Type::Kind::kMap, depth, &type));
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  type.denotation = denotation;
  return model.Intern(std::move(type));
}

Status ReadEntry(Message message, Metadata* entries) {
  std::string_view key, value;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == onnx_fields::entry::kKey) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "key", &key));
    } else if (field.number == onnx_fields::entry::kValue) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "value", &value));
    }
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  entries->emplace_back(key, value);
  return OkStatus();
}

}  // namespace lathe::frontends
