#include "lathe/frontends/data/npy.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>
#include <utility>

namespace lathe::frontends {
namespace {

using ir::ElementType;

constexpr std::string_view kMagic("\x93NUMPY", 6);
// NumPy itself refuses to evaluate longer headers.
constexpr uint64_t kLongestHeader = 1 << 20;

// Reads the header's text: a Python dict literal with the keys descr, fortran_order and shape.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  Status Parse(NpyHeader& header) {
    LATHE_RETURN_IF_ERROR(Expect('{'));
    bool has_descr = false, has_order = false, has_shape = false;
    while (!Accept('}')) {
      LATHE_ASSIGN_OR_RETURN(const std::string_view key, Quoted());
      LATHE_RETURN_IF_ERROR(Expect(':'));
      if (key == "descr" && !has_descr) {
        has_descr = true;
        LATHE_RETURN_IF_ERROR(Descr(header));
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        LATHE_ASSIGN_OR_RETURN(header.fortran_order, Bool());
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        LATHE_RETURN_IF_ERROR(Shape(header.dims));
      } else {
        return Bad(fmt::format("key '{}' is unknown or twice there", key));
      }
      if (!Accept(',')) {
        LATHE_RETURN_IF_ERROR(Expect('}'));
        break;
      }
    }
    SkipSpace();
    if (position_ != text_.size()) return Bad("text after the closing brace");
    if (!has_descr) return Bad("key 'descr' is missing");
    if (!has_order) return Bad("key 'fortran_order' is missing");
    if (!has_shape) return Bad("key 'shape' is missing");
    return OkStatus();
  }

 private:
  Status Bad(std::string_view why) const {
    return InvalidInput("the .npy header is damaged at character {}: {}", position_, why);
  }
  void SkipSpace() {
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])))
      ++position_;
  }
  bool Accept(char wanted) {
    SkipSpace();
    if (position_ == text_.size() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }
  Status Expect(char wanted) {
    if (Accept(wanted)) return OkStatus();
    return Bad(fmt::format("'{}' expected", wanted));
  }
  StatusOr<std::string_view> Quoted() {
    const char quote = Accept('\'') ? '\'' : Accept('"') ? '"' : '\0';
    if (quote == '\0') return Bad("a quoted name expected");
    const size_t end = text_.find(quote, position_);
    if (end == std::string_view::npos) return Bad("a quote is not closed");
    const std::string_view inside = text_.substr(position_, end - position_);
    position_ = end + 1;
    return inside;
  }
  StatusOr<bool> Bool() {
    SkipSpace();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(position_).starts_with(word)) {
        position_ += word.size();
        return value;
      }
    }
    return Bad("True or False expected");
  }
  Status Descr(NpyHeader& header) {
    if (Accept('[')) return Unsupported("arrays of records are not supported");
    LATHE_ASSIGN_OR_RETURN(const std::string_view descr, Quoted());
    if (descr.size() < 2) return Bad(fmt::format("type '{}' is unknown", descr));
    const char order = descr[0];
    const std::string_view type = descr.substr(1);
    struct Known {
      std::string_view type;
      ElementType element;
    };
    static constexpr Known kKnown[] = {
        {"b1", ElementType::kBool},      {"i1", ElementType::kInt8},
        {"i2", ElementType::kInt16},     {"i4", ElementType::kInt32},
        {"i8", ElementType::kInt64},     {"u1", ElementType::kUint8},
        {"u2", ElementType::kUint16},    {"u4", ElementType::kUint32},
        {"u8", ElementType::kUint64},    {"f2", ElementType::kFloat16},
        {"f4", ElementType::kFloat32},   {"f8", ElementType::kFloat64},
        {"c8", ElementType::kComplex64}, {"c16", ElementType::kComplex128}};
    const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                     [&](const Known& k) { return k.type == type; });
    if (known == std::end(kKnown)) {
      return Unsupported("arrays of type '{}' are not supported (numbers and booleans are)", descr);
    }
    header.element_type = known->element;
    const bool one_byte = ir::ElementBits(known->element) == 8;
    if (order != '<' && order != '>' && order != '|' && order != '=') {
      return Bad(fmt::format("byte order '{}' is unknown", order));
    }
    if (order == '|' && !one_byte) return Bad(fmt::format("type '{}' has no byte order", descr));
    header.big_endian = order == '>' && !one_byte;
    return OkStatus();
  }
  Status Shape(std::vector<int64_t>& dims) {
    LATHE_RETURN_IF_ERROR(Expect('('));
    while (!Accept(')')) {
      SkipSpace();
      int64_t extent = 0;
      const size_t begin = position_;
      while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
        if (__builtin_mul_overflow(extent, int64_t{10}, &extent) ||
            __builtin_add_overflow(extent, int64_t{text_[position_] - '0'}, &extent)) {
          return Bad("an extent is too large");
        }
        ++position_;
      }
      if (position_ == begin) return Bad("an extent expected");
      // Python 2 wrote long integers as 3L.
      if (position_ < text_.size() && text_[position_] == 'L') ++position_;
      if (dims.size() == 64) return Bad("more than 64 dimensions");
      dims.push_back(extent);
      if (!Accept(',')) {
        LATHE_RETURN_IF_ERROR(Expect(')'));
        break;
      }
    }
    return OkStatus();
  }

  std::string_view text_;
  size_t position_ = 0;
};

// Copies elements into C order and the machine's byte order.
std::vector<std::byte> Convert(const NpyHeader& header, std::span<const std::byte> data) {
  const size_t width = static_cast<size_t>(ir::ElementBits(header.element_type)) / 8;
  // Both halves of a complex number are swapped each for itself.
  const bool is_complex = header.element_type == ElementType::kComplex64 ||
                          header.element_type == ElementType::kComplex128;
  const size_t swap_width = is_complex ? width / 2 : width;
  std::vector<std::byte> result(data.size());
  if (data.empty()) return result;
  const size_t rank = header.dims.size();
  std::vector<size_t> index(rank), stride(rank);
  size_t step = width;
  for (size_t axis = 0; axis < rank; ++axis) {
    const size_t i = header.fortran_order ? axis : rank - 1 - axis;
    stride[i] = step;
    step *= static_cast<size_t>(header.dims[i]);
  }
  size_t from = 0;
  for (size_t to = 0; to < result.size(); to += width) {
    std::memcpy(&result[to], &data[from], width);
    if (header.big_endian) {
      for (size_t half = to; half < to + width; half += swap_width) {
        std::reverse(result.begin() + static_cast<std::ptrdiff_t>(half),
                     result.begin() + static_cast<std::ptrdiff_t>(half + swap_width));
      }
    }
    for (size_t i = rank; i-- > 0;) {
      from += stride[i];
      if (++index[i] < static_cast<size_t>(header.dims[i])) break;
      from -= stride[i] * index[i];
      index[i] = 0;
    }
  }
  return result;
}

bool StaysAsItIs(const NpyHeader& header) {
  return !header.big_endian && (!header.fortran_order || header.dims.size() < 2);
}

Status CheckLength(const NpyHeader& header, uint64_t size) {
  if (header.data_bytes > size - header.data_offset) {
    return InvalidInput("the file has {} bytes of elements, its header says {}",
                        size - header.data_offset, header.data_bytes);
  }
  return OkStatus();
}

StatusOr<NpyHeader> HeaderOf(const MappedFile& file, uint64_t offset, uint64_t size) {
  LATHE_ASSIGN_OR_RETURN(const auto front,
                         file.Range(offset, std::min<uint64_t>(size, kLongestHeader + 12)));
  LATHE_ASSIGN_OR_RETURN(NpyHeader header, ParseNpyHeader(front));
  LATHE_RETURN_IF_ERROR(CheckLength(header, size));
  return header;
}

}  // namespace

StatusOr<NpyHeader> ParseNpyHeader(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) {
    return InvalidInput("not an .npy file: it does not begin with \\x93NUMPY");
  }
  const auto byte = [&](size_t i) { return static_cast<uint64_t>(bytes[i]); };
  if (bytes.size() < 10) return InvalidInput("the .npy header is cut short");
  const uint64_t version = byte(6);
  if (version < 1 || version > 3) {
    return InvalidInput("the .npy format version is {}, known are 1 to 3", version);
  }
  uint64_t begin = 10, length = byte(8) | byte(9) << 8;
  if (version > 1) {
    if (bytes.size() < 12) return InvalidInput("the .npy header is cut short");
    begin = 12;
    length |= byte(10) << 16 | byte(11) << 24;
  }
  if (length > kLongestHeader) {
    return InvalidInput("the .npy header claims {} bytes, at most {} are accepted", length,
                        kLongestHeader);
  }
  if (length > bytes.size() - begin) return InvalidInput("the .npy header is cut short");
  NpyHeader header;
  LATHE_RETURN_IF_ERROR(HeaderText(text.substr(begin, length)).Parse(header));
  LATHE_ASSIGN_OR_RETURN(header.data_bytes, ir::CheckedByteSize(header.element_type, header.dims));
  header.data_offset = begin + length;
  return header;
}

StatusOr<NpyHeader> ReadNpyHeader(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  auto header = HeaderOf(*file, 0, file->size());
  if (!header.ok()) return WithContext(header.status(), ErrorContext::kFile, path);
  return header;
}

StatusOr<ir::Tensor> ReadNpy(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  const uint64_t size = file->size();
  auto tensor = ReadNpy(std::move(file), 0, size);
  if (!tensor.ok()) return WithContext(tensor.status(), ErrorContext::kFile, path);
  return tensor;
}

StatusOr<ir::Tensor> ReadNpy(std::shared_ptr<const MappedFile> file, uint64_t offset,
                             uint64_t size) {
  LATHE_ASSIGN_OR_RETURN(const NpyHeader header, HeaderOf(*file, offset, size));
  if (StaysAsItIs(header)) {
    return ir::Tensor::FromFile(header.element_type, header.dims, std::move(file),
                                offset + header.data_offset);
  }
  LATHE_ASSIGN_OR_RETURN(const auto data,
                         file->Range(offset + header.data_offset, header.data_bytes));
  return ir::Tensor::FromVector(header.element_type, header.dims, Convert(header, data));
}

StatusOr<ir::Tensor> DecodeNpy(std::shared_ptr<const std::vector<std::byte>> bytes) {
  LATHE_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(*bytes));
  LATHE_RETURN_IF_ERROR(CheckLength(header, bytes->size()));
  const std::span<const std::byte> data =
      std::span(*bytes).subspan(header.data_offset, header.data_bytes);
  if (StaysAsItIs(header)) {
    return ir::Tensor::FromBytes(header.element_type, header.dims,
                                 ir::TensorBytes(data, std::move(bytes)));
  }
  return ir::Tensor::FromVector(header.element_type, header.dims, Convert(header, data));
}

}  // namespace lathe::frontends
