#include "lathe/ir/text/parse.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include "lathe/ir/rewriter.h"
#include "lathe/ir/text/internal/lexer.h"
#include "lathe/ir/text/internal/literals.h"
#include "lathe/support/quoted.h"

namespace lathe::ir {
namespace {

using text::Lexer;
using text::Token;
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Graphs in graphs and types in types.
constexpr int kMaxNesting = 100;

constexpr std::string_view kKindNames[] = {
    "undefined", "float", "int",     "string",  "tensor",         "sparse_tensor", "graph", "type",
    "floats",    "ints",  "strings", "tensors", "sparse_tensors", "graphs",        "types"};

class Parser {
 public:
  Parser(std::string_view text, const ParseOptions& options)
      : text_(text), options_(options), lexer_(text, 0) {}

  StatusOr<std::unique_ptr<Model>> Parse();

 private:
  // Names that a graph defines or captures.
  struct Scope {
    Graph* graph;
    Scope* outer;
    absl::flat_hash_map<Name, Value*> values;
  };

  // ---- Tokens ----

  Status Error(size_t offset, std::string_view message) const;
  template <typename... Args>
  Status ErrorAt(const Token& token, fmt::format_string<Args...> format, Args&&... args) const {
    return Error(token.offset, fmt::format(format, std::forward<Args>(args)...));
  }
  Status Expected(std::string_view what) const;
  void Advance() { token_ = lexer_.Next(); }
  bool Accept(std::string_view punctuation);
  bool AcceptWord(std::string_view word);
  Status Expect(std::string_view punctuation);
  Status ExpectWord(std::string_view word);
  StatusOr<std::string> ExpectString(std::string_view what);
  StatusOr<std::string> ExpectWordOrString(std::string_view what);
  template <typename T>
  StatusOr<T> ExpectInteger(std::string_view what);
  template <typename T>
  StatusOr<T> ExpectNumber();
  StatusOr<std::string> ExpectBase64();
  // item, item, ... up to `close`, which is taken.
  template <typename Item>
  Status List(std::string_view close, Item item);

  // ---- Parts ----

  StatusOr<const Type*> ParseType(int depth = 0);
  StatusOr<Dim> ParseDim();
  StatusOr<Metadata> ParseMetadata();
  StatusOr<uint8_t> ParseSpelling();
  StatusOr<bool> ParseValueNotes(ValueNotes* notes);
  StatusOr<Tensor> ParseTensor();
  StatusOr<Tensor> ParseElements(ElementType type, std::vector<int64_t> dims);
  template <typename T>
  StatusOr<Tensor> ParseNumbers(ElementType type, std::vector<int64_t> dims);
  StatusOr<TensorNotes> ParseTensorNotes();
  StatusOr<SparseTensor> ParseSparse();
  StatusOr<AttributeValue> ParsePlainValue();
  StatusOr<AttributeValue> ParseBareList();
  StatusOr<AttributeValue> ParseTypedList(std::string_view kind);
  StatusOr<Attribute> ParseAttributeHead();
  Status ParseReference(Attribute* attribute);
  Status ParseAttribute(Node& node, Scope& scope);

  Status Define(Scope& scope, const Token& name, Value& value);
  StatusOr<Value*> Lookup(Scope& scope, const Token& name);
  StatusOr<Name> ExpectNewValue(bool may_be_unnamed, Token* token);
  // Null for "_".
  StatusOr<Value*> ParseOperand(Scope& scope, Name* annotation);

  Status ParseGraph(Graph& graph, Scope* outer, int depth);
  Status ParseBody(Node& node, Name attribute, bool several, Scope& scope);
  Status ParseInputs(Scope& scope);
  Status ParseCaptures(Scope& scope);
  Status ParseContents(Scope& scope, Function* function);
  Status ParseInitializer(Scope& scope);
  Status ParseDefault(Scope& scope);
  Status ParseNode(Scope& scope);
  Status ParseNodeClauses(Node& node);
  Status ParseReturn(Scope& scope);
  Status ParseValueInfo(Scope& scope);
  StatusOr<OpsetImport> ParseImport();
  Status ParseFunction();
  Status ParseInfo();
  Status ParseBlobs(size_t begin);

  std::string_view text_;
  const ParseOptions& options_;
  Lexer lexer_;
  Token token_;
  std::unique_ptr<Model> model_ = std::make_unique<Model>();
  Rewriter rewriter_{*model_};
  std::vector<std::shared_ptr<const std::string>> blobs_;
  int depth_ = 0;
};

// ---- Tokens ----

Status Parser::Error(size_t offset, std::string_view message) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t start = before.rfind('\n');
  const size_t column = offset - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return InvalidInput("{}:{}: {}", line, column, message);
}

Status Parser::Expected(std::string_view what) const {
  if (token_.kind == Token::Kind::kBad) return Error(token_.offset, token_.text);
  return ErrorAt(token_, "expected {}, found {}", what, token_.Describe());
}

bool Parser::Accept(std::string_view punctuation) {
  if (!token_.Is(punctuation)) return false;
  Advance();
  return true;
}

bool Parser::AcceptWord(std::string_view word) {
  if (!token_.IsWord(word)) return false;
  Advance();
  return true;
}

Status Parser::Expect(std::string_view punctuation) {
  if (Accept(punctuation)) return OkStatus();
  return Expected(fmt::format("'{}'", punctuation));
}

Status Parser::ExpectWord(std::string_view word) {
  if (AcceptWord(word)) return OkStatus();
  return Expected(fmt::format("'{}'", word));
}

StatusOr<std::string> Parser::ExpectString(std::string_view what) {
  if (token_.kind != Token::Kind::kString) return Expected(fmt::format("{} in quotes", what));
  std::string result = std::move(token_.text);
  Advance();
  return result;
}

StatusOr<std::string> Parser::ExpectWordOrString(std::string_view what) {
  if (token_.kind != Token::Kind::kString && token_.kind != Token::Kind::kWord) {
    return Expected(what);
  }
  std::string result = std::move(token_.text);
  Advance();
  return result;
}

template <typename T>
StatusOr<T> Parser::ExpectInteger(std::string_view what) {
  T value{};
  const char* end = token_.text.data() + token_.text.size();
  const auto [stop, error] = std::from_chars(token_.text.data(), end, value);
  if (token_.kind != Token::Kind::kNumber || error != std::errc() || stop != end) {
    return Expected(what);
  }
  Advance();
  return value;
}

template <typename T>
StatusOr<T> Parser::ExpectNumber() {
  if constexpr (std::is_integral_v<T>) {
    return ExpectInteger<T>(fmt::format("an integer of {} bits", 8 * sizeof(T)));
  } else {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr std::string_view kWhat = "a number with a point, an exponent, inf or nan";
    if (token_.IsWord("nan")) {
      Advance();
      if (!Accept("(")) {
        return std::bit_cast<T>(sizeof(T) == 4 ? static_cast<Bits>(0x7fc00000u)
                                               : static_cast<Bits>(0x7ff8000000000000u));
      }
      Bits bits = 0;
      const std::string& hex = token_.text;
      const bool prefixed = token_.kind == Token::Kind::kNumber && hex.starts_with("0x");
      const auto [stop, error] =
          std::from_chars(hex.data() + (prefixed ? 2 : 0), hex.data() + hex.size(), bits, 16);
      const T value = std::bit_cast<T>(bits);
      if (!prefixed || error != std::errc() || stop != hex.data() + hex.size() ||
          !std::isnan(value)) {
        return Expected("the bits of a NaN as 0x...");
      }
      Advance();
      LATHE_RETURN_IF_ERROR(Expect(")"));
      return value;
    }
    if (AcceptWord("inf")) return std::numeric_limits<T>::infinity();
    const std::string& number = token_.text;
    if (token_.kind == Token::Kind::kNumber && number == "-inf") {
      Advance();
      return -std::numeric_limits<T>::infinity();
    }
    T value{};
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, value);
    if (token_.kind != Token::Kind::kNumber || error != std::errc() || stop != end ||
        number.find_first_of(".eE") == std::string::npos) {
      return Expected(kWhat);
    }
    Advance();
    return value;
  }
}

StatusOr<std::string> Parser::ExpectBase64() {
  LATHE_RETURN_IF_ERROR(ExpectWord("base64"));
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(const std::string encoded, ExpectString("bytes"));
  std::optional<std::string> bytes = text::ParseBase64(encoded);
  if (!bytes) return ErrorAt(at, "these bytes are no base64");
  return *std::move(bytes);
}

template <typename Item>
Status Parser::List(std::string_view close, Item item) {
  if (Accept(close)) return OkStatus();
  while (true) {
    LATHE_RETURN_IF_ERROR(item());
    if (Accept(close)) return OkStatus();
    if (!Accept(",")) return Expected(fmt::format("',' or '{}'", close));
  }
}

// ---- Types ----

StatusOr<Dim> Parser::ParseDim() {
  Dim dim;
  if (token_.kind == Token::Kind::kNumber) {
    LATHE_ASSIGN_OR_RETURN(const int64_t extent, ExpectInteger<int64_t>("an extent"));
    dim = Dim::Known(extent);
  } else if (!Accept("?")) {
    LATHE_ASSIGN_OR_RETURN(std::string symbol, ExpectWordOrString("an extent, a symbol or '?'"));
    dim = Dim::Symbol(std::move(symbol));
  }
  if (Accept("/")) {
    LATHE_ASSIGN_OR_RETURN(std::string denotation, ExpectString("a denotation"));
    dim.set_denotation(std::move(denotation));
  }
  return dim;
}

StatusOr<const Type*> Parser::ParseType(int depth) {
  if (depth > kMaxNesting) return ErrorAt(token_, "types are nested too deeply");
  Type type;
  const Token start = token_;
  const auto nested = [&]() -> Status {
    if (token_.Is(")")) return OkStatus();
    LATHE_ASSIGN_OR_RETURN(type.nested, ParseType(depth + 1));
    return OkStatus();
  };
  if (Accept("?")) {
    type.kind = Type::Kind::kUnknown;
  } else if (AcceptWord("seq") || AcceptWord("optional")) {
    type.kind = start.text == "seq" ? Type::Kind::kSequence : Type::Kind::kOptional;
    LATHE_RETURN_IF_ERROR(Expect("("));
    LATHE_RETURN_IF_ERROR(nested());
    LATHE_RETURN_IF_ERROR(Expect(")"));
  } else if (AcceptWord("map")) {
    type.kind = Type::Kind::kMap;
    LATHE_RETURN_IF_ERROR(Expect("("));
    const std::optional<ElementType> key = ParseElementType(token_.text);
    if (token_.kind != Token::Kind::kWord || !key) return Expected("a key type");
    Advance();
    type.element = *key;
    if (Accept(",")) LATHE_RETURN_IF_ERROR(nested());
    LATHE_RETURN_IF_ERROR(Expect(")"));
  } else if (AcceptWord("opaque")) {
    type.kind = Type::Kind::kOpaque;
    LATHE_RETURN_IF_ERROR(Expect("("));
    LATHE_ASSIGN_OR_RETURN(type.opaque_domain, ExpectString("a domain"));
    LATHE_RETURN_IF_ERROR(Expect(","));
    LATHE_ASSIGN_OR_RETURN(type.opaque_name, ExpectString("a name"));
    LATHE_RETURN_IF_ERROR(Expect(")"));
  } else {
    type.kind = AcceptWord("sparse") ? Type::Kind::kSparseTensor : Type::Kind::kTensor;
    const std::optional<ElementType> element = ParseElementType(token_.text);
    if (token_.kind != Token::Kind::kWord || !element) return Expected("a type");
    Advance();
    type.element = *element;
    LATHE_RETURN_IF_ERROR(Expect("["));
    if (Accept("...")) {
      LATHE_RETURN_IF_ERROR(Expect("]"));
    } else {
      type.shape.emplace();
      const Status listed = List("]", [&]() -> Status {
        LATHE_ASSIGN_OR_RETURN(Dim dim, ParseDim());
        type.shape->push_back(std::move(dim));
        return OkStatus();
      });
      LATHE_RETURN_IF_ERROR(listed);
    }
  }
  if (AcceptWord("denotation")) {
    LATHE_ASSIGN_OR_RETURN(type.denotation, ExpectString("a denotation"));
  }
  return model_->Intern(std::move(type));
}

// ---- Notes ----

StatusOr<Metadata> Parser::ParseMetadata() {
  Metadata metadata;
  LATHE_RETURN_IF_ERROR(Expect("{"));
  const Status listed = List("}", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(std::string key, ExpectString("a key"));
    LATHE_RETURN_IF_ERROR(Expect("="));
    LATHE_ASSIGN_OR_RETURN(std::string value, ExpectString("a value"));
    metadata.emplace_back(std::move(key), std::move(value));
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return metadata;
}

StatusOr<uint8_t> Parser::ParseSpelling() { return ExpectInteger<uint8_t>("a number up to 255"); }

StatusOr<bool> Parser::ParseValueNotes(ValueNotes* notes) {
  if (!AcceptWord("notes")) return false;
  LATHE_RETURN_IF_ERROR(Expect("("));
  const Status listed = List(")", [&]() -> Status {
    if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(notes->doc, ExpectString("a text"));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(notes->metadata, ParseMetadata());
    } else if (AcceptWord("spelling")) {
      LATHE_ASSIGN_OR_RETURN(notes->spelling, ParseSpelling());
    } else {
      return Expected("doc, metadata or spelling");
    }
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return true;
}

StatusOr<TensorNotes> Parser::ParseTensorNotes() {
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

// ---- Tensors ----

template <typename T>
StatusOr<Tensor> Parser::ParseNumbers(ElementType type, std::vector<int64_t> dims) {
  std::vector<std::byte> bytes;
  const Status listed = List("}", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const T value, ExpectNumber<T>());
    bytes.resize(bytes.size() + sizeof(T));
    std::memcpy(bytes.data() + bytes.size() - sizeof(T), &value, sizeof(T));
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return Tensor::FromVector(type, std::move(dims), std::move(bytes));
}

StatusOr<Tensor> Parser::ParseElements(ElementType type, std::vector<int64_t> dims) {
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

StatusOr<Tensor> Parser::ParseTensor() {
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

StatusOr<SparseTensor> Parser::ParseSparse() {
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

// ---- Attributes ----

bool IsFloatToken(const Token& token) {
  if (token.kind == Token::Kind::kWord) return token.text == "inf" || token.text == "nan";
  return token.kind == Token::Kind::kNumber &&
         (token.text == "-inf" || token.text.find_first_of(".eE") != std::string::npos);
}

StatusOr<AttributeValue> Parser::ParseBareList() {
  Advance();
  if (token_.Is("]")) {
    return ErrorAt(token_, "an empty list needs its kind before it: floats [], ints [], ...");
  }
  if (token_.kind == Token::Kind::kString) {
    std::vector<std::string> values;
    const Status listed = List("]", [&]() -> Status {
      LATHE_ASSIGN_OR_RETURN(std::string value, ExpectString("a text"));
      values.push_back(std::move(value));
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  if (IsFloatToken(token_)) {
    std::vector<float> values;
    const Status listed = List("]", [&]() -> Status {
      LATHE_ASSIGN_OR_RETURN(const float value, ExpectNumber<float>());
      values.push_back(value);
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  std::vector<int64_t> values;
  const Status listed = List("]", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const int64_t value, ExpectInteger<int64_t>("an integer"));
    values.push_back(value);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return values;
}

// Lists that begin with their kind: empty ones, and those of tensors and types.
StatusOr<AttributeValue> Parser::ParseTypedList(std::string_view kind) {
  LATHE_RETURN_IF_ERROR(Expect("["));
  const auto empty = [&](AttributeValue value) -> StatusOr<AttributeValue> {
    LATHE_RETURN_IF_ERROR(Expect("]"));
    return value;
  };
  if (kind == "floats") return empty(std::vector<float>());
  if (kind == "ints") return empty(std::vector<int64_t>());
  if (kind == "strings") return empty(std::vector<std::string>());
  if (kind == "tensors") {
    std::vector<Tensor> values;
    const Status listed = List("]", [&]() -> Status {
      const Token at = token_;
      LATHE_ASSIGN_OR_RETURN(Tensor value, ParseTensor());
      if (!value) return ErrorAt(at, "a tensor cannot be none here");
      values.push_back(std::move(value));
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  if (kind == "sparse_tensors") {
    std::vector<SparseTensor> values;
    const Status listed = List("]", [&]() -> Status {
      LATHE_ASSIGN_OR_RETURN(SparseTensor value, ParseSparse());
      values.push_back(std::move(value));
      return OkStatus();
    });
    LATHE_RETURN_IF_ERROR(listed);
    return values;
  }
  std::vector<const Type*> values;
  const Status listed = List("]", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const Type* value, ParseType());
    values.push_back(value);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  return values;
}

StatusOr<AttributeValue> Parser::ParsePlainValue() {
  if (token_.kind == Token::Kind::kString) {
    std::string value = std::move(token_.text);
    Advance();
    return value;
  }
  if (IsFloatToken(token_)) {
    LATHE_ASSIGN_OR_RETURN(const float value, ExpectNumber<float>());
    return value;
  }
  if (token_.kind == Token::Kind::kNumber) {
    LATHE_ASSIGN_OR_RETURN(const int64_t value, ExpectInteger<int64_t>("an integer"));
    return value;
  }
  if (token_.Is("[")) return ParseBareList();
  if (AcceptWord("unset")) return AttributeValue();
  if (AcceptWord("tensor")) {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(Tensor value, ParseTensor());
    if (!value) return ErrorAt(at, "a tensor cannot be none here");
    return value;
  }
  if (AcceptWord("sparse_tensor")) {
    LATHE_ASSIGN_OR_RETURN(SparseTensor value, ParseSparse());
    return value;
  }
  if (AcceptWord("type")) {
    LATHE_ASSIGN_OR_RETURN(const Type* value, ParseType());
    return value;
  }
  for (const std::string_view kind :
       {"floats", "ints", "strings", "tensors", "sparse_tensors", "types"}) {
    if (AcceptWord(kind)) return ParseTypedList(kind);
  }
  return Expected("the value of an attribute");
}

StatusOr<Attribute> Parser::ParseAttributeHead() {
  Attribute attribute;
  LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectWordOrString("the name of an attribute"));
  attribute.name = model_->Intern(name);
  if (AcceptWord("doc")) {
    LATHE_ASSIGN_OR_RETURN(const std::string doc, ExpectString("a text"));
    attribute.doc = model_->Intern(doc);
  }
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(attribute.spelling, ParseSpelling());
  }
  return attribute;
}

Status Parser::ParseReference(Attribute* attribute) {
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("the name of an attribute"));
  if (name.empty()) return ErrorAt(at, "a reference needs a name");
  attribute->reference = model_->Intern(name);
  LATHE_RETURN_IF_ERROR(Expect(":"));
  const auto kind = std::ranges::find(kKindNames, token_.text);
  if (token_.kind != Token::Kind::kWord || kind == std::end(kKindNames)) {
    return Expected("the kind of an attribute");
  }
  attribute->reference_kind = static_cast<AttributeKind>(kind - std::begin(kKindNames));
  Advance();
  return OkStatus();
}

Status Parser::ParseAttribute(Node& node, Scope& scope) {
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(Attribute attribute, ParseAttributeHead());
  const Name name = attribute.name;
  if (std::ranges::find(node.attributes(), name, &Attribute::name) != node.attributes().end()) {
    return ErrorAt(at, "the attribute {} is given twice", Quoted(model_->Text(name)));
  }
  LATHE_RETURN_IF_ERROR(Expect("="));
  if (token_.IsWord("graph")) {
    rewriter_.AddAttribute(node, std::move(attribute));
    return ParseBody(node, name, false, scope);
  }
  if (AcceptWord("graphs")) {
    attribute.value = std::vector<GraphPtr>();
    rewriter_.AddAttribute(node, std::move(attribute));
    LATHE_RETURN_IF_ERROR(Expect("["));
    return List("]", [&] { return ParseBody(node, name, true, scope); });
  }
  if (AcceptWord("ref")) {
    LATHE_RETURN_IF_ERROR(ParseReference(&attribute));
  } else {
    LATHE_ASSIGN_OR_RETURN(attribute.value, ParsePlainValue());
  }
  rewriter_.AddAttribute(node, std::move(attribute));
  return OkStatus();
}

// ---- Values ----

Status Parser::Define(Scope& scope, const Token& name, Value& value) {
  if (value.name().empty()) return OkStatus();
  if (scope.values.try_emplace(value.name(), &value).second) return OkStatus();
  return ErrorAt(name, "the name {} is given twice in one graph", Quoted(name.text));
}

StatusOr<Value*> Parser::Lookup(Scope& scope, const Token& name) {
  const Name key = model_->Intern(name.text);
  if (const auto it = scope.values.find(key); it != scope.values.end()) return it->second;
  if (scope.outer == nullptr) {
    return ErrorAt(name, "nothing before this defines the value {}", Quoted(name.text));
  }
  // A value of the graph around that the body does not list among its captures.
  LATHE_ASSIGN_OR_RETURN(Value * outer, Lookup(*scope.outer, name));
  Value& inner = rewriter_.AddCapture(*scope.graph, *outer);
  scope.values.emplace(key, &inner);
  return &inner;
}

StatusOr<Name> Parser::ExpectNewValue(bool may_be_unnamed, Token* token) {
  *token = token_;
  if (may_be_unnamed && AcceptWord("_")) return Name{};
  if (token_.kind != Token::Kind::kValue) return Expected("a value");
  if (token_.text.empty()) return ErrorAt(token_, "a value needs a name");
  const Name name = model_->Intern(token_.text);
  Advance();
  return name;
}

StatusOr<Value*> Parser::ParseOperand(Scope& scope, Name* annotation) {
  Value* value = nullptr;
  if (!AcceptWord("_")) {
    const Token name = token_;
    if (token_.kind != Token::Kind::kValue) return Expected("a value or '_'");
    Advance();
    LATHE_ASSIGN_OR_RETURN(value, Lookup(scope, name));
  }
  *annotation = {};
  if (Accept("{")) {
    LATHE_ASSIGN_OR_RETURN(const std::string note, ExpectString("an annotation"));
    *annotation = model_->Intern(note);
    LATHE_RETURN_IF_ERROR(Expect("}"));
  }
  return value;
}

// ---- Nodes ----

Status Parser::ParseNode(Scope& scope) {
  std::vector<Name> outputs;
  std::vector<Token> output_tokens;
  if (token_.kind == Token::Kind::kValue || token_.IsWord("_")) {
    do {
      LATHE_ASSIGN_OR_RETURN(const Name name, ExpectNewValue(true, &output_tokens.emplace_back()));
      outputs.push_back(name);
    } while (Accept(","));
    LATHE_RETURN_IF_ERROR(Expect("="));
  }
  std::string domain;
  LATHE_ASSIGN_OR_RETURN(std::string op, ExpectWordOrString("an operator"));
  if (Accept("::")) {
    domain = std::move(op);
    LATHE_ASSIGN_OR_RETURN(op, ExpectWordOrString("an operator"));
  }
  Node& node =
      rewriter_.InsertNode(*scope.graph, nullptr, model_->Intern(op), model_->Intern(domain), {});
  if (Accept("@")) {
    LATHE_ASSIGN_OR_RETURN(const std::string overload, ExpectWordOrString("an overload"));
    rewriter_.SetOverload(node, model_->Intern(overload));
  }
  std::vector<Value*> inputs;
  std::vector<Name> annotations;
  LATHE_RETURN_IF_ERROR(Expect("("));
  const Status listed = List(")", [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(Value * value, ParseOperand(scope, &annotations.emplace_back()));
    inputs.push_back(value);
    return OkStatus();
  });
  LATHE_RETURN_IF_ERROR(listed);
  rewriter_.SetInputs(node, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    rewriter_.SetAnnotation(node.inputs()[i], annotations[i]);
  }
  if (Accept("{")) {
    LATHE_RETURN_IF_ERROR(List("}", [&] { return ParseAttribute(node, scope); }));
  }
  const bool typed = Accept(":");
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Type* type = model_->unknown_type();
    ValueNotes notes;
    bool noted = false;
    if (typed) {
      if (i > 0) LATHE_RETURN_IF_ERROR(Expect(","));
      LATHE_ASSIGN_OR_RETURN(type, ParseType());
      LATHE_ASSIGN_OR_RETURN(noted, ParseValueNotes(&notes));
    }
    Value& output = rewriter_.AddOutput(node, outputs[i], type);
    if (noted) rewriter_.SetNotes(output, std::move(notes));
    LATHE_RETURN_IF_ERROR(Define(scope, output_tokens[i], output));
  }
  return ParseNodeClauses(node);
}

Status Parser::ParseNodeClauses(Node& node) {
  NodeNotes notes;
  bool noted = false;
  bool has_origin = false;
  while (true) {
    if (AcceptWord("name")) {
      LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("a name"));
      rewriter_.Rename(node, model_->Intern(name));
      if (!has_origin) rewriter_.SetOrigin(node, model_->OriginOf(node.name()));
      continue;
    }
    if (AcceptWord("origin")) {
      has_origin = true;
      std::vector<Origin> origins;
      LATHE_RETURN_IF_ERROR(Expect("["));
      const Status listed = List("]", [&]() -> Status {
        LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("a name"));
        if (!name.empty()) origins.push_back(model_->OriginOf(model_->Intern(name)));
        return OkStatus();
      });
      LATHE_RETURN_IF_ERROR(listed);
      rewriter_.SetOrigin(node, model_->MergeOrigins(origins));
      continue;
    }
    if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(notes.doc, ExpectString("a text"));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(notes.metadata, ParseMetadata());
    } else if (AcceptWord("device")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      notes.device_configurations.push_back(std::move(bytes));
    } else if (AcceptWord("spelling")) {
      LATHE_ASSIGN_OR_RETURN(notes.spelling, ParseSpelling());
    } else {
      break;
    }
    noted = true;
  }
  if (noted) rewriter_.SetNotes(node, std::move(notes));
  return OkStatus();
}

// ---- Graphs ----

Status Parser::ParseInputs(Scope& scope) {
  LATHE_RETURN_IF_ERROR(Expect("("));
  return List(")", [&]() -> Status {
    Token token;
    LATHE_ASSIGN_OR_RETURN(const Name name, ExpectNewValue(false, &token));
    LATHE_RETURN_IF_ERROR(Expect(":"));
    LATHE_ASSIGN_OR_RETURN(const Type* type, ParseType());
    Value& input = rewriter_.AddGraphInput(*scope.graph, name, type);
    ValueNotes notes;
    LATHE_ASSIGN_OR_RETURN(const bool noted, ParseValueNotes(&notes));
    if (noted) rewriter_.SetNotes(input, std::move(notes));
    return Define(scope, token, input);
  });
}

Status Parser::ParseCaptures(Scope& scope) {
  LATHE_RETURN_IF_ERROR(Expect("("));
  return List(")", [&]() -> Status {
    const Token token = token_;
    Name annotation;
    LATHE_ASSIGN_OR_RETURN(Value * outer, ParseOperand(*scope.outer, &annotation));
    if (outer == nullptr) return ErrorAt(token, "a capture needs a value");
    Value& inner = rewriter_.AddCapture(*scope.graph, *outer);
    rewriter_.SetAnnotation(*inner.captured(), annotation);
    return Define(scope, token, inner);
  });
}

Status Parser::ParseInitializer(Scope& scope) {
  Token token;
  LATHE_ASSIGN_OR_RETURN(const Name name, ExpectNewValue(false, &token));
  const Type* type = nullptr;
  ValueNotes notes;
  bool noted = false;
  if (Accept(":")) {
    LATHE_ASSIGN_OR_RETURN(type, ParseType());
    LATHE_ASSIGN_OR_RETURN(noted, ParseValueNotes(&notes));
  }
  LATHE_RETURN_IF_ERROR(Expect("="));
  Value* value = nullptr;
  if (AcceptWord("sparse_tensor")) {
    LATHE_ASSIGN_OR_RETURN(SparseTensor tensor, ParseSparse());
    value = &rewriter_.AddSparseInitializer(*scope.graph, name, std::move(tensor));
  } else {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(Tensor tensor, ParseTensor());
    if (!tensor) return ErrorAt(at, "an initializer cannot be none");
    value = &rewriter_.AddInitializer(*scope.graph, name, std::move(tensor));
  }
  if (type != nullptr) rewriter_.SetType(*value, type);
  if (noted) rewriter_.SetNotes(*value, std::move(notes));
  return Define(scope, token, *value);
}

Status Parser::ParseDefault(Scope& scope) {
  const Token token = token_;
  if (token_.kind != Token::Kind::kValue) return Expected("an input");
  Advance();
  const auto it = scope.values.find(model_->Intern(token.text));
  if (it == scope.values.end() || it->second->kind() != Value::Kind::kGraphInput) {
    return ErrorAt(token, "{} is no input of this graph", Quoted(token.text));
  }
  Value& input = *it->second;
  if (input.tensor() || input.sparse_tensor() != nullptr) {
    return ErrorAt(token, "{} has a default already", Quoted(token.text));
  }
  LATHE_RETURN_IF_ERROR(Expect("="));
  if (AcceptWord("sparse_tensor")) {
    LATHE_ASSIGN_OR_RETURN(SparseTensor tensor, ParseSparse());
    rewriter_.SetDefault(input, std::move(tensor));
    return OkStatus();
  }
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(Tensor tensor, ParseTensor());
  if (!tensor) return ErrorAt(at, "a default cannot be none");
  rewriter_.SetDefault(input, std::move(tensor));
  return OkStatus();
}

Status Parser::ParseReturn(Scope& scope) {
  Graph& graph = *scope.graph;
  do {
    const Token token = token_;
    Name annotation;
    LATHE_ASSIGN_OR_RETURN(Value * value, ParseOperand(scope, &annotation));
    if (value == nullptr) return ErrorAt(token, "an output needs a value");
    rewriter_.AddGraphOutput(graph, value);
    rewriter_.SetAnnotation(graph.outputs().back(), annotation);
  } while (Accept(","));
  return OkStatus();
}

Status Parser::ParseValueInfo(Scope& scope) {
  ValueInfo info;
  if (token_.kind == Token::Kind::kValue) {
    const auto it = scope.values.find(model_->Intern(token_.text));
    if (it == scope.values.end() || it->second->kind() == Value::Kind::kCapture) {
      return ErrorAt(token_, "nothing in this graph defines the value {}", Quoted(token_.text));
    }
    Advance();
    info.value = it->second;
    info.type = info.value->type_ref();
  } else {
    LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectString("a name or a value"));
    info.name = model_->Intern(name);
    LATHE_RETURN_IF_ERROR(Expect(":"));
    LATHE_ASSIGN_OR_RETURN(info.type, ParseType());
    ValueNotes notes;
    LATHE_ASSIGN_OR_RETURN(const bool noted, ParseValueNotes(&notes));
    if (noted) info.notes = std::make_shared<const ValueNotes>(std::move(notes));
  }
  rewriter_.AddValueInfo(*scope.graph, std::move(info));
  return OkStatus();
}

Status Parser::ParseContents(Scope& scope, Function* function) {
  Graph& graph = *scope.graph;
  std::vector<Name> attributes;
  std::vector<Attribute> defaults;
  std::vector<OpsetImport> imports;
  LATHE_RETURN_IF_ERROR(Expect("{"));
  while (!Accept("}")) {
    if (AcceptWord("doc")) {
      LATHE_ASSIGN_OR_RETURN(std::string doc, ExpectString("a text"));
      rewriter_.SetGraphText(graph, graph.name(), std::move(doc), graph.metadata(),
                             graph.spelling());
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(Metadata metadata, ParseMetadata());
      rewriter_.SetGraphText(graph, graph.name(), graph.doc(), std::move(metadata),
                             graph.spelling());
    } else if (function != nullptr && AcceptWord("import")) {
      LATHE_ASSIGN_OR_RETURN(OpsetImport import, ParseImport());
      imports.push_back(std::move(import));
    } else if (function != nullptr && AcceptWord("attribute")) {
      const Token at = token_;
      LATHE_ASSIGN_OR_RETURN(Attribute attribute, ParseAttributeHead());
      if (std::ranges::find(attributes, attribute.name) != attributes.end() ||
          std::ranges::find(defaults, attribute.name, &Attribute::name) != defaults.end()) {
        return ErrorAt(at, "the attribute {} is given twice", Quoted(model_->Text(attribute.name)));
      }
      if (!Accept("=")) {
        attributes.push_back(attribute.name);
        continue;
      }
      LATHE_ASSIGN_OR_RETURN(attribute.value, ParsePlainValue());
      defaults.push_back(std::move(attribute));
    } else if (AcceptWord("init")) {
      LATHE_RETURN_IF_ERROR(ParseInitializer(scope));
    } else if (AcceptWord("default")) {
      LATHE_RETURN_IF_ERROR(ParseDefault(scope));
    } else if (AcceptWord("return")) {
      LATHE_RETURN_IF_ERROR(ParseReturn(scope));
    } else if (AcceptWord("value_info")) {
      LATHE_RETURN_IF_ERROR(ParseValueInfo(scope));
    } else if (AcceptWord("quantization_annotation")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      rewriter_.AddQuantizationAnnotation(graph, std::move(bytes));
    } else if (token_.kind == Token::Kind::kValue || token_.kind == Token::Kind::kWord ||
               token_.kind == Token::Kind::kString) {
      LATHE_RETURN_IF_ERROR(ParseNode(scope));
    } else {
      return Expected("a node or '}'");
    }
  }
  if (function != nullptr) {
    rewriter_.SetFunctionInterface(*function, std::move(attributes), std::move(defaults),
                                   std::move(imports));
  }
  return OkStatus();
}

Status Parser::ParseGraph(Graph& graph, Scope* outer, int depth) {
  if (depth > kMaxNesting) return ErrorAt(token_, "graphs are nested too deeply");
  LATHE_RETURN_IF_ERROR(ExpectWord("graph"));
  LATHE_ASSIGN_OR_RETURN(std::string name, ExpectString("the name of the graph"));
  uint8_t spelling = 0;
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(spelling, ParseSpelling());
  }
  rewriter_.SetGraphText(graph, std::move(name), "", {}, spelling);
  Scope scope = {&graph, outer, {}};
  LATHE_RETURN_IF_ERROR(ParseInputs(scope));
  if (outer != nullptr && AcceptWord("captures")) LATHE_RETURN_IF_ERROR(ParseCaptures(scope));
  return ParseContents(scope, nullptr);
}

Status Parser::ParseBody(Node& node, Name attribute, bool several, Scope& scope) {
  ++depth_;
  LATHE_RETURN_IF_ERROR(ParseGraph(rewriter_.AddBody(node, attribute, several), &scope, depth_));
  --depth_;
  return OkStatus();
}

// ---- The model ----

StatusOr<OpsetImport> Parser::ParseImport() {
  OpsetImport import;
  LATHE_ASSIGN_OR_RETURN(import.domain, ExpectString("a domain"));
  LATHE_ASSIGN_OR_RETURN(import.version, ExpectInteger<int64_t>("a version"));
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(import.spelling, ParseSpelling());
  }
  return import;
}

Status Parser::ParseFunction() {
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(const std::string domain, ExpectWordOrString("a domain"));
  LATHE_RETURN_IF_ERROR(Expect("::"));
  LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectWordOrString("a name"));
  std::string overload;
  if (Accept("@")) {
    LATHE_ASSIGN_OR_RETURN(overload, ExpectWordOrString("an overload"));
  }
  const std::array<Name, 3> key = {model_->Intern(domain), model_->Intern(name),
                                   model_->Intern(overload)};
  if (model_->FindFunction(key[0], key[1], key[2]) != nullptr) {
    return ErrorAt(at, "this function is defined twice");
  }
  Function& function = rewriter_.AddFunction(key[0], key[1], key[2]);
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(const uint8_t spelling, ParseSpelling());
    rewriter_.SetGraphText(function.body(), "", "", {}, spelling);
  }
  Scope scope = {&function.body(), nullptr, {}};
  LATHE_RETURN_IF_ERROR(ParseInputs(scope));
  return ParseContents(scope, &function);
}

Status Parser::ParseInfo() {
  ModelInfo& info = rewriter_.MutableInfo();
  struct Text {
    std::string_view word;
    std::string ModelInfo::*value;
    bool ModelInfo::*stated;
  };
  static constexpr Text kTexts[] = {
      {"producer_name", &ModelInfo::producer_name, &ModelInfo::has_producer_name},
      {"producer_version", &ModelInfo::producer_version, &ModelInfo::has_producer_version},
      {"domain", &ModelInfo::domain, &ModelInfo::has_domain},
      {"doc", &ModelInfo::doc, &ModelInfo::has_doc},
  };
  LATHE_RETURN_IF_ERROR(ExpectWord("model"));
  LATHE_RETURN_IF_ERROR(Expect("{"));
  while (!Accept("}")) {
    const auto text =
        std::ranges::find_if(kTexts, [this](const Text& each) { return token_.IsWord(each.word); });
    if (text != std::end(kTexts)) {
      Advance();
      LATHE_ASSIGN_OR_RETURN(info.*(text->value), ExpectString("a text"));
      info.*(text->stated) = true;
    } else if (AcceptWord("ir_version")) {
      LATHE_ASSIGN_OR_RETURN(info.ir_version, ExpectInteger<int64_t>("a version"));
    } else if (AcceptWord("model_version")) {
      LATHE_ASSIGN_OR_RETURN(info.model_version, ExpectInteger<int64_t>("a version"));
      info.has_model_version = true;
    } else if (AcceptWord("import")) {
      LATHE_ASSIGN_OR_RETURN(OpsetImport import, ParseImport());
      info.opset_imports.push_back(std::move(import));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(info.metadata, ParseMetadata());
    } else if (AcceptWord("training_info")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      info.training_info.push_back(std::move(bytes));
    } else if (AcceptWord("device_configuration")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      info.device_configurations.push_back(std::move(bytes));
    } else {
      return Expected("a field of the model or '}'");
    }
  }
  return OkStatus();
}

Status Parser::ParseBlobs(size_t begin) {
  lexer_ = Lexer(text_, begin);
  Advance();
  LATHE_RETURN_IF_ERROR(ExpectWord("blobs"));
  LATHE_RETURN_IF_ERROR(Expect("{"));
  while (!Accept("}")) {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(const uint32_t index, ExpectInteger<uint32_t>("the number of a blob"));
    if (index != blobs_.size()) return ErrorAt(at, "expected blob {}", blobs_.size());
    LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
    blobs_.push_back(std::make_shared<const std::string>(std::move(bytes)));
  }
  if (token_.kind != Token::Kind::kEnd) return Expected("the end of the text");
  return OkStatus();
}

StatusOr<std::unique_ptr<Model>> Parser::Parse() {
  // Blobs stand at the end and are needed at once. No string holds a line's end.
  constexpr std::string_view kBlobs = "\nblobs {";
  const size_t blobs = text_.rfind(kBlobs);
  if (blobs != std::string_view::npos) {
    LATHE_RETURN_IF_ERROR(ParseBlobs(blobs + 1));
    text_ = text_.substr(0, blobs);
  }
  lexer_ = Lexer(text_, 0);
  Advance();
  LATHE_RETURN_IF_ERROR(ParseInfo());
  LATHE_RETURN_IF_ERROR(ParseGraph(model_->graph(), nullptr, 0));
  while (AcceptWord("function")) LATHE_RETURN_IF_ERROR(ParseFunction());
  if (token_.kind != Token::Kind::kEnd) return Expected("a function, blobs or the end of the text");
  return std::move(model_);
}

}  // namespace

StatusOr<std::unique_ptr<Model>> ParseModel(std::string_view text, const ParseOptions& options) {
  return Parser(text, options).Parse();
}

}  // namespace lathe::ir
