#include "lathe/passes/canonical/equal_nodes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <type_traits>

#include <absl/hash/hash.h>

#include "lathe/ir/schema/operator_schema.h"
#include "lathe/passes/canonical/eliminate_identity.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

// Operators with random numbers, and those of Ascend with a state.
constexpr std::array<std::string_view, 8> kImpure = {"Bernoulli",
                                                     "Multinomial",
                                                     "RandomNormal",
                                                     "RandomNormalLike",
                                                     "RandomUniform",
                                                     "RandomUniformLike",
                                                     "BasicGRUInplaceFillWindowCache",
                                                     "BasicLSTMInplaceFillWindowCache"};

// Larger payloads are hashed by samples: this many pieces of this many bytes.
constexpr size_t kPieces = 64;
constexpr size_t kPieceBytes = 256;

StatusOr<size_t> HashValue(const ir::AttributeValue& value) {
  if (const auto* tensor = std::get_if<ir::Tensor>(&value)) return HashTensor(*tensor);
  return std::visit(
      [](const auto& part) -> size_t {
        using Part = std::decay_t<decltype(part)>;
        if constexpr (std::is_same_v<Part, float>) {
          return absl::HashOf(std::bit_cast<uint32_t>(part));
        } else if constexpr (std::is_same_v<Part, std::vector<float>>) {
          size_t hash = part.size();
          for (const float number : part) {
            hash = absl::HashOf(hash, std::bit_cast<uint32_t>(number));
          }
          return hash;
        } else if constexpr (std::is_same_v<Part, int64_t> || std::is_same_v<Part, std::string> ||
                             std::is_same_v<Part, const ir::Type*> ||
                             std::is_same_v<Part, std::vector<int64_t>> ||
                             std::is_same_v<Part, std::vector<std::string>> ||
                             std::is_same_v<Part, std::vector<const ir::Type*>>) {
          return absl::HashOf(part);
        } else {
          // Lists of tensors and sparse tensors are rare: they all fall into one place.
          return 0;
        }
      },
      value);
}

bool EqualBits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y);
  });
}

StatusOr<bool> EqualSparse(const ir::SparseTensor& a, const ir::SparseTensor& b) {
  if (a.dims != b.dims) return false;
  LATHE_ASSIGN_OR_RETURN(const bool indices, a.indices.EqualContents(b.indices));
  if (!indices) return false;
  return a.values.EqualContents(b.values);
}

StatusOr<bool> EqualValues(const ir::AttributeValue& a, const ir::AttributeValue& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b](const auto& part) -> StatusOr<bool> {
        using Part = std::decay_t<decltype(part)>;
        const Part& other = std::get<Part>(b);
        if constexpr (std::is_same_v<Part, float>) {
          return EqualBits({&part, 1}, {&other, 1});
        } else if constexpr (std::is_same_v<Part, std::vector<float>>) {
          return EqualBits(part, other);
        } else if constexpr (std::is_same_v<Part, ir::Tensor>) {
          return part.EqualContents(other);
        } else if constexpr (std::is_same_v<Part, ir::SparseTensor>) {
          return EqualSparse(part, other);
        } else if constexpr (std::is_same_v<Part, ir::GraphPtr> ||
                             std::is_same_v<Part, std::vector<ir::GraphPtr>> ||
                             std::is_same_v<Part, std::vector<ir::Tensor>> ||
                             std::is_same_v<Part, std::vector<ir::SparseTensor>>) {
          // Bodies are never taken for equal; no operator has lists of tensors.
          return false;
        } else {
          return part == other;
        }
      },
      a);
}

bool SameOutputs(const ir::Node& a, const ir::Node& b) {
  return std::ranges::equal(a.outputs(), b.outputs(), [](const ir::Value* x, const ir::Value* y) {
    return x->name().empty() == y->name().empty();
  });
}

}  // namespace

bool IsPure(const ir::Node& node) {
  if (node.has_bodies() || node.num_outputs() == 0) return false;
  const std::string_view domain = node.domain_text();
  const std::string_view op = node.op_text();
  const bool of_onnx = domain.empty() || domain == "ai.onnx" || domain == "ai.onnx.ml";
  if (!of_onnx || std::ranges::find(kImpure, op) != kImpure.end()) return false;
  if (op == "Dropout" && !IsInferenceDropout(node)) return false;
  const int64_t version =
      domain == "ai.onnx.ml" ? node.model().OpsetVersion(domain) : OpsetOf(node);
  return ir::LookupSchema(domain, op, version).has_value();
}

StatusOr<bool> EqualOperations(const ir::Node& a, const ir::Node& b) {
  if (a.op() != b.op() || a.domain() != b.domain() || a.overload() != b.overload() ||
      a.attributes().size() != b.attributes().size() || !SameOutputs(a, b)) {
    return false;
  }
  for (const ir::Attribute& attribute : a.attributes()) {
    const auto other = std::ranges::find(b.attributes(), attribute.name, &ir::Attribute::name);
    if (other == b.attributes().end() || other->reference != attribute.reference) return false;
    LATHE_ASSIGN_OR_RETURN(const bool equal, EqualValues(attribute.value, other->value));
    if (!equal) return false;
  }
  return true;
}

StatusOr<size_t> HashOperation(const ir::Node& node) {
  size_t attributes = 0;
  for (const ir::Attribute& attribute : node.attributes()) {
    LATHE_ASSIGN_OR_RETURN(const size_t value, HashValue(attribute.value));
    // A sum, because the order does not matter.
    attributes += absl::HashOf(attribute.name, attribute.reference, value);
  }
  return absl::HashOf(node.op(), node.domain(), node.num_outputs(), attributes);
}

StatusOr<size_t> HashTensor(const ir::Tensor& tensor) {
  if (!tensor) return 0;
  size_t hash = absl::HashOf(tensor.element_type());
  for (const int64_t dim : tensor.dims()) hash = absl::HashOf(hash, dim);
  for (const std::string& text : tensor.strings()) hash = absl::HashOf(hash, text);
  if (tensor.element_type() == ir::ElementType::kString) return hash;
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() <= kPieces * kPieceBytes) return absl::HashOf(hash, text);
  const size_t stride = (text.size() - kPieceBytes) / (kPieces - 1);
  for (size_t i = 0; i < kPieces; ++i) {
    hash = absl::HashOf(hash, text.substr(i * stride, kPieceBytes));
  }
  return hash;
}

}  // namespace lathe::passes
