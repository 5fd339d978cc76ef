// safetensors: 8 bytes with the header's length, the header (JSON: name to type, shape and range of
// bytes), and the data. Facts from the format's description: the ranges lie one after another
// without gap or overlap, numbers are little-endian, arrays row-major.
#include <algorithm>
#include <string_view>
#include <utility>

#include "lathe/frontends/checkpoint/internal/forms.h"
#include "lathe/frontends/config/json_document.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::internal {
namespace {

using ir::ElementType;

constexpr uint64_t kLengthBytes = 8;
// A header has about 100 bytes a tensor.
constexpr uint64_t kLongestHeader = 16 << 20;

struct TypeName {
  std::string_view name;
  ElementType type;
};
constexpr TypeName kTypes[] = {
    {"F64", ElementType::kFloat64},
    {"F32", ElementType::kFloat32},
    {"F16", ElementType::kFloat16},
    {"BF16", ElementType::kBfloat16},
    {"I64", ElementType::kInt64},
    {"I32", ElementType::kInt32},
    {"I16", ElementType::kInt16},
    {"I8", ElementType::kInt8},
    {"U64", ElementType::kUint64},
    {"U32", ElementType::kUint32},
    {"U16", ElementType::kUint16},
    {"U8", ElementType::kUint8},
    {"BOOL", ElementType::kBool},
    {"C64", ElementType::kComplex64},
    {"F8_E4M3", ElementType::kFloat8E4M3FN},
    {"F8_E5M2", ElementType::kFloat8E5M2},
    {"F8_E8M0", ElementType::kFloat8E8M0},
};

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Header {
  // Of the data in the file.
  uint64_t data_begin = 0;
  JsonObject tensors;
};

StatusOr<Header> ReadHeader(const MappedFile& file) {
  LATHE_ASSIGN_OR_RETURN(const auto front, file.Range(0, kLengthBytes));
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= static_cast<uint64_t>(front[i]) << (8 * i);
  if (length > kLongestHeader) {
    return InvalidInput("its header claims {} bytes, at most {} are accepted", length,
                        kLongestHeader);
  }
  if (length > file.size() - kLengthBytes) return InvalidInput("its header is cut short");
  LATHE_ASSIGN_OR_RETURN(const auto bytes, file.Range(kLengthBytes, length));
  auto json = ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!json.ok()) return AtPlace(json.status(), "its header");
  auto* object = std::get_if<JsonObject>(&json->value);
  if (object == nullptr) return InvalidInput("its header is {}, not an object", KindOf(*json));
  return Header{kLengthBytes + length, std::move(*object)};
}

// A list of non-negative integers.
StatusOr<std::vector<int64_t>> Counts(const JsonValue& value, std::string_view field) {
  const auto* array = std::get_if<JsonArray>(&value.value);
  if (array == nullptr) return InvalidInput("'{}' is {}, not a list", field, KindOf(value));
  std::vector<int64_t> counts;
  for (const JsonValue& item : *array) {
    const auto* number = std::get_if<int64_t>(&item.value);
    if (number == nullptr || *number < 0) {
      return InvalidInput("'{}' holds something else than counts", field);
    }
    counts.push_back(*number);
  }
  return counts;
}

StatusOr<ElementType> TypeOf(const JsonValue& value) {
  const auto* name = std::get_if<std::string>(&value.value);
  if (name == nullptr) return InvalidInput("'dtype' is {}, not a text", KindOf(value));
  for (const TypeName& known : kTypes) {
    if (known.name == *name) return known.type;
  }
  return Unsupported("the type {} is not read", Quoted(*name));
}

StatusOr<ir::Tensor> ReadTensor(const JsonValue& value, const FileHandle& file, uint64_t data_begin,
                                Range& range) {
  const auto* fields = std::get_if<JsonObject>(&value.value);
  if (fields == nullptr) return InvalidInput("is {}, not an object", KindOf(value));
  const auto field = [&](std::string_view name) -> StatusOr<const JsonValue*> {
    const auto found = std::find_if(fields->begin(), fields->end(),
                                    [&](const JsonMember& member) { return member.name == name; });
    if (found == fields->end()) return InvalidInput("'{}' is missing", name);
    return &found->value;
  };
  LATHE_ASSIGN_OR_RETURN(const JsonValue* dtype, field("dtype"));
  LATHE_ASSIGN_OR_RETURN(const JsonValue* shape, field("shape"));
  LATHE_ASSIGN_OR_RETURN(const JsonValue* offsets, field("data_offsets"));
  LATHE_ASSIGN_OR_RETURN(const ElementType type, TypeOf(*dtype));
  LATHE_ASSIGN_OR_RETURN(std::vector<int64_t> dims, Counts(*shape, "shape"));
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> bounds, Counts(*offsets, "data_offsets"));
  if (bounds.size() != 2 || bounds[0] > bounds[1]) {
    return InvalidInput("'data_offsets' is no range");
  }
  range = {static_cast<uint64_t>(bounds[0]), static_cast<uint64_t>(bounds[1])};
  if (range.end > file->size() - data_begin) {
    return InvalidInput("its data ends at byte {}, the file holds {}", range.end,
                        file->size() - data_begin);
  }
  LATHE_ASSIGN_OR_RETURN(const size_t bytes, ir::CheckedByteSize(type, dims));
  if (bytes != range.end - range.begin) {
    return InvalidInput("its data has {} bytes, its shape needs {}", range.end - range.begin,
                        bytes);
  }
  return ir::Tensor::FromFile(type, std::move(dims), file, data_begin + range.begin);
}

Status CheckRanges(std::vector<Range> ranges, uint64_t data_bytes) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t end = 0;
  for (const Range& range : ranges) {
    if (range.begin != end) {
      return InvalidInput("tensors {} before byte {} of the data",
                          range.begin < end ? "overlap" : "leave a gap", range.begin);
    }
    end = range.end;
  }
  if (end != data_bytes) {
    return InvalidInput("its tensors take {} bytes, the file holds {}", end, data_bytes);
  }
  return OkStatus();
}

}  // namespace

Status ReadSafetensors(const FileHandle& file, Checkpoint& checkpoint) {
  LATHE_ASSIGN_OR_RETURN(const Header header, ReadHeader(*file));
  std::vector<Range> ranges;
  for (const JsonMember& member : header.tensors) {
    // Free text about the file.
    if (member.name == "__metadata__") continue;
    auto tensor = ReadTensor(member.value, file, header.data_begin, ranges.emplace_back());
    if (!tensor.ok()) return AtPlace(tensor.status(), "tensor " + Quoted(member.name));
    checkpoint.root.tensors.push_back({member.name, *std::move(tensor)});
  }
  return CheckRanges(std::move(ranges), file->size() - header.data_begin);
}

}  // namespace lathe::frontends::internal
