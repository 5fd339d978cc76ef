// Types of values: tensor, sparse tensor, sequence, optional, map, opaque. Types are immutable and
// interned in the model's TypeTable, so a value holds a pointer and comparing two types of a model
// is O(1).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/element_type.h"

namespace lathe::ir {

// An extent of a shape: known, named (two dims with one symbol are equal), or unknown.
class Dim {
 public:
  Dim() = default;
  static Dim Known(int64_t extent);
  static Dim Symbol(std::string symbol);

  bool is_known() const { return kind_ == Kind::kKnown; }
  bool is_symbol() const { return kind_ == Kind::kSymbol; }
  // The extent; only when is_known().
  int64_t extent() const { return extent_; }
  const std::string& symbol() const { return symbol_; }

  // ONNX's free-text note on a dimension, carried along.
  const std::string& denotation() const { return denotation_; }
  void set_denotation(std::string text) { denotation_ = std::move(text); }

  friend bool operator==(const Dim&, const Dim&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Dim& dim) {
    return H::combine(std::move(state), dim.kind_, dim.extent_, dim.symbol_, dim.denotation_);
  }

 private:
  enum class Kind : uint8_t { kUnknown, kKnown, kSymbol };
  Kind kind_ = Kind::kUnknown;
  int64_t extent_ = 0;
  std::string symbol_;
  std::string denotation_;
};

using Shape = std::vector<Dim>;

struct Type {
  enum class Kind : uint8_t {
    kUnknown,  // a value whose type is not stated
    kTensor,
    kSparseTensor,
    kSequence,  // of `nested`
    kOptional,  // of `nested`
    kMap,       // from `element` to `nested`
    kOpaque,
  };

  Kind kind = Kind::kUnknown;
  // Of tensor and sparse tensor; the key type of a map.
  ElementType element = ElementType::kUndefined;
  // Of tensor and sparse tensor. Absent: the rank is unknown. Empty: a scalar.
  std::optional<Shape> shape;
  // Of sequence, optional and map. Interned in the same table; null when the file does not say.
  const Type* nested = nullptr;
  std::string opaque_domain;
  std::string opaque_name;
  std::string denotation;

  static Type Tensor(ElementType element, std::optional<Shape> shape = std::nullopt);
  // A tensor of known extents.
  static Type Tensor(ElementType element, const std::vector<int64_t>& extents);

  bool is_tensor() const { return kind == Kind::kTensor; }
  bool has_rank() const { return shape.has_value(); }
  // -1 when unknown.
  int rank() const { return shape ? static_cast<int>(shape->size()) : -1; }
  // The extents when every one is known.
  std::optional<std::vector<int64_t>> StaticShape() const;

  friend bool operator==(const Type&, const Type&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Type& type) {
    state = H::combine(std::move(state), type.kind, type.element, type.shape.has_value());
    if (type.shape) {
      for (const Dim& dim : *type.shape) state = H::combine(std::move(state), dim);
    }
    return H::combine(std::move(state), type.nested, type.opaque_domain, type.opaque_name,
                      type.denotation);
  }
};

class TypeTable {
 public:
  TypeTable();

  // O(size of the type). The result lives as long as the table; equal types give equal pointers.
  const Type* Intern(Type type);
  // The pointer came from this table. O(size of the type).
  bool Owns(const Type* type) const;
  const Type* unknown() const { return unknown_; }

 private:
  struct Hash {
    size_t operator()(const Type* type) const { return absl::Hash<Type>()(*type); }
  };
  struct Equal {
    bool operator()(const Type* a, const Type* b) const { return *a == *b; }
  };
  std::deque<Type> types_;
  absl::flat_hash_map<const Type*, const Type*, Hash, Equal> index_;
  const Type* unknown_;
};

}  // namespace lathe::ir
