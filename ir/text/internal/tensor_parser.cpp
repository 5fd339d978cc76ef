#include "lathe/ir/text/internal/tensor_parser.h"

#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace lathe::ir::text {

StatusOr<TensorNotes> TensorParser::ParseTensorNotes() {
  TensorNotes notes;
  if (!AcceptWord("notes")) return notes;
  LATHE_RETURN_IF_ERROR(Expect("("));
  const Status listed = List(")", [&]() -> Status {
    if (AcceptWord("name")) {
      LATHE_ASSIGN_OR_RETURN(notes.name, ExpectString("a name"));
    } else if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(notes.doc, ExpectString("a text"));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(notes.metadata, ParseMetadata());
    } else if (AcceptWord("typed_field")) {
      notes.typed_field = true;
    } else if (AcceptWord("external")) {
      notes.external = true;
    } else if (AcceptWord("spelling")) {
      LATHE_ASSIGN_OR_RETURN(notes.spelling, ParseSpelling());
    } else {
      return Expected("name, doc, metadata, typed_field, external or spelling");
    }
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return notes;
}

template <typename T>
StatusOr<Tensor> TensorParser::ParseNumbers(ElementType type, std::vector<int64_t> dims) {
  const auto expect_element = [&]() -> StatusOr<T> {
    if constexpr (std::is_integral_v<T>) {
      return ExpectInteger<T>(fmt::format("an integer of {} bits", 8 * sizeof(T)));
    } else {
      return ExpectFloat<T>();
    }
  };
  std::vector<std::byte> bytes;
  const Status listed = List("}", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const T value, expect_element());
    bytes.resize(bytes.size() + sizeof(T));
    std::memcpy(bytes.data() + bytes.size() - sizeof(T), &value, sizeof(T));
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return Tensor::FromVector(type, std::move(dims), std::move(bytes));
}

StatusOr<Tensor> TensorParser::ParseElements(ElementType type, std::vector<int64_t> dims) {
  if (token_.IsWord("base64")) {
    LATHE_ASSIGN_OR_RETURN(const std::string bytes, ExpectBase64());
    const auto block = std::make_shared<const std::string>(bytes);
    return Tensor::FromBytes(type, std::move(dims),
                             TensorBytes(std::as_bytes(std::span(*block)), block));
  }
  if (AcceptWord("blob")) {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(const uint32_t index, ExpectInteger<uint32_t>("the number of a blob"));
    if (index >= blobs_.size()) return ErrorAt(at, "there is no blob {}", index);
    const auto& block = blobs_[index];
    return Tensor::FromBytes(type, std::move(dims),
                             TensorBytes(std::as_bytes(std::span(*block)), block));
  }
  if (token_.IsWord("file")) {
    if (!options_.allow_files) return ErrorAt(token_, "weights from files are not allowed here");
    Advance();
    LATHE_RETURN_IF_ERROR(Expect("("));
    LATHE_ASSIGN_OR_RETURN(const std::string path, ExpectString("a path"));
    LATHE_RETURN_IF_ERROR(Expect(","));
    LATHE_ASSIGN_OR_RETURN(const uint64_t offset, ExpectInteger<uint64_t>("an offset"));
    LATHE_RETURN_IF_ERROR(Expect(")"));
    LATHE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
    return Tensor::FromFile(type, std::move(dims), std::move(file), offset);
  }
  if (!Accept("{")) return Expected("'{', base64, blob or file");
  if (token_.Is("...")) {
    return ErrorAt(token_, "these weights were elided; print the model with its weights");
  }
  switch (type) {
    case ElementType::kFloat32:
      return ParseNumbers<float>(type, std::move(dims));
    case ElementType::kFloat64:
      return ParseNumbers<double>(type, std::move(dims));
    case ElementType::kInt8:
      return ParseNumbers<int8_t>(type, std::move(dims));
    case ElementType::kInt16:
      return ParseNumbers<int16_t>(type, std::move(dims));
    case ElementType::kInt32:
      return ParseNumbers<int32_t>(type, std::move(dims));
    case ElementType::kInt64:
      return ParseNumbers<int64_t>(type, std::move(dims));
    case ElementType::kUint8:
    case ElementType::kBool:
      return ParseNumbers<uint8_t>(type, std::move(dims));
    case ElementType::kUint16:
      return ParseNumbers<uint16_t>(type, std::move(dims));
    case ElementType::kUint32:
      return ParseNumbers<uint32_t>(type, std::move(dims));
    case ElementType::kUint64:
      return ParseNumbers<uint64_t>(type, std::move(dims));
    case ElementType::kString: {
      std::vector<std::string> strings;
      const Status listed = List("}", [&]() -> Status {
        LATHE_ASSIGN_OR_RETURN(std::string each, ExpectString("an element"));
        strings.push_back(std::move(each));
        return OkStatus();
      });
      LATHE_RETURN_IF_ERROR(listed);
      return Tensor::FromStrings(std::move(dims), std::move(strings));
    }
    default:
      LATHE_RETURN_IF_ERROR(Expect("}"));
      return Tensor::FromVector(type, std::move(dims), {});
  }
}

StatusOr<Tensor> TensorParser::ParseTensor() {
  if (AcceptWord("none")) return Tensor();
  const Token start = token_;
  const std::optional<ElementType> element = ParseElementType(token_.text);
  if (token_.kind != Token::Kind::kWord || !element) return Expected("an element type");
  Advance();
  std::vector<int64_t> dims;
  LATHE_RETURN_IF_ERROR(Expect("["));
  const Status listed = List("]", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const int64_t dim, ExpectInteger<int64_t>("an extent"));
    dims.push_back(dim);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  StatusOr<Tensor> tensor = ParseElements(*element, std::move(dims));
  if (!tensor.ok()) {
    // What does not come from here has no place yet.
    const std::string message(tensor.status().message());
    const bool placed = !message.empty() && message[0] >= '0' && message[0] <= '9';
    return placed ? tensor.status() : Error(start.offset, FormatError(tensor.status()));
  }
  LATHE_ASSIGN_OR_RETURN(TensorNotes notes, ParseTensorNotes());
  return notes.empty() ? *tensor : tensor->WithNotes(std::move(notes));
}

StatusOr<SparseTensor> TensorParser::ParseSparse() {
  SparseTensor sparse;
  LATHE_RETURN_IF_ERROR(Expect("("));
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(sparse.values, ParseTensor());
  if (!sparse.values) return ErrorAt(at, "a sparse tensor needs values");
  LATHE_RETURN_IF_ERROR(Expect(","));
  LATHE_ASSIGN_OR_RETURN(sparse.indices, ParseTensor());
  LATHE_RETURN_IF_ERROR(Expect(","));
  LATHE_RETURN_IF_ERROR(Expect("["));
  const Status listed = List("]", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const int64_t dim, ExpectInteger<int64_t>("an extent"));
    sparse.dims.push_back(dim);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  LATHE_RETURN_IF_ERROR(Expect(")"));
  return sparse;
}

}  // namespace lathe::ir::text
